"""The limits that dispatchers obey, from the policies of a tenant's lanes. They know nothing of policies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import parse_provider
from mailcordon.guard.policy.effective import Cap, Explained
from mailcordon.messages import policies as words

POLICY = "policy"  #: owner of the limits that come from caps
NEW_SENDER = "new-sender"  #: owner of those of lanes that are new


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOf:
    """One lane of the tenant whose limits are wanted."""

    lane: int
    class_: Class
    explained: Explained


def of_caps(tenant: int, lanes: Iterable[LaneOf], keys: Sequence[int] = ()) -> list[Limit]:
    """The limits of one tenant that its policy's caps ask for. `keys`: its API keys that send."""
    found: dict[tuple[object, ...], Limit] = {}
    for one in lanes:
        for cap in one.explained.policy.caps:
            for limit in _of_cap(tenant, one, cap, keys):
                # A tenant's cap is the same in each of its lanes: a part about a class or lane cannot say it.
                found.setdefault((limit.scope, *_target(limit), limit.per), limit)
    return list(found.values())


def of_new_sender(tenant: int, lane: int, cap: int, because: str) -> Limit:
    return Limit(
        id=0,
        tenant=tenant,
        owner=NEW_SENDER,
        scope=LimitScope.LANE,
        per=Per.DAY,
        cap=cap,
        mode=Mode.ENFORCE,
        because=because,
        lane=lane,
        spares_urgent=False,
    )


def _of_cap(tenant: int, of: LaneOf, cap: Cap, keys: Sequence[int]) -> Iterator[Limit]:
    value = of.explained.values[path_of(cap)]

    def limit(*, lane: int | None = None, api_key: int | None = None) -> Limit:
        return Limit(
            id=0,
            tenant=tenant,
            owner=POLICY,
            scope=cap.scope,
            per=cap.per,
            cap=cap.mails,
            mode=cap.mode,
            because=words.limit_because(value.origin, value.because),
            class_=of.class_ if cap.scope is LimitScope.CLASS else None,
            lane=lane,
            api_key=api_key,
            provider=None if cap.provider is None else parse_provider(cap.provider),
            campaign=cap.campaign,
            spares_urgent=cap.scope in (LimitScope.TENANT, LimitScope.KEY),
            refuses=cap.refuses,
        )

    match cap.scope:
        case LimitScope.TENANT | LimitScope.CLASS:
            yield limit()
        case LimitScope.KEY:
            for key in keys:
                yield limit(api_key=key)
        case _:
            yield limit(lane=of.lane)


def path_of(cap: Cap) -> str:
    """`caps.lane.day`, `caps.provider.gmail.day`."""
    name = cap.provider or cap.campaign
    return ".".join(("caps", cap.scope, *(() if name is None else (name,)), cap.per))


def _target(limit: Limit) -> tuple[object, ...]:
    return limit.class_, limit.lane, limit.api_key, limit.provider, limit.campaign
