"""Which limits a lane's mail counts in, and which of them may keep it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from mailcordon.core.limit import DEFAULT_OWNER, EACH, EACH_OWNER, OF_AN_ADDRESS, Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider

_POLICY = "policy"
_MOST_KEPT = 10_000  #: kinds of mail of a lane whose limits are remembered
NEVER = (
    1 << 62
)  #: a cap that is never reached; the statement that counts has the same number (limited_claim.sql)
#: Limits of these scopes count urgent mail and may spare it.
_SPARING = frozenset((LimitScope.TENANT, LimitScope.KEY, LimitScope.IDENTITY))


class Kind(NamedTuple):
    """What tells mails of a lane apart for its limits; of a limit, what it is about (None: any)."""

    provider: int | None
    campaign: str | None
    list: str | None
    api_key: int | None
    domain: str | None = None  #: of From; told apart in lanes with two paths only


class Bound(NamedTuple):
    """A limit as it is for one lane."""

    limit: Limit
    holds: bool  #: mail over it does not leave now
    wide: bool  #: it is about all mail of the lane: the lane waits, and its mail stays where it is


class Caps(NamedTuple):
    """The least cap of each window of several limits; NEVER where there is none."""

    minute: int = NEVER
    hour: int = NEVER
    day: int = NEVER
    ever: int = NEVER


NO_CAPS = Caps()


class Scope(NamedTuple):
    """Mail that is counted together, and the limits of it."""

    use: int  #: id of the row that counts
    shared: bool  #: mail of several turns counts in it, so claims lock it
    bounds: tuple[Bound, ...]


class LaneRules:
    def __init__(
        self,
        scopes: Sequence[Scope],
        recipient: tuple[Bound, ...],
        repeat: tuple[Bound, ...] = (),
        *,
        two_domains: bool = False,
    ) -> None:
        self.scopes = scopes
        #: The lane has two paths, and a limit is about the domain of one.
        self.by_domain = two_domains and any(
            bound.limit.domain is not None for scope in scopes for bound in scope.bounds
        )
        self.recipient = recipient  #: limits of each address
        self.repeat = repeat  #: limits of each address with each kind of mail
        self.by_key = any(bound.limit.api_key is not None for scope in scopes for bound in scope.bounds)
        limits = [bound.limit for scope in scopes for bound in scope.bounds]
        self.each = {limit.scope for limit in limits if limit.scope in EACH}
        self.campaigns = _with_all_windows(limits, LimitScope.EACH_CAMPAIGN)  #: that have limits of their own
        self._providers = _with_all_windows(limits, LimitScope.EACH_PROVIDER)
        self._of_kind: dict[Kind, tuple[Scope, ...]] = {}
        self.caps = {scope.use: least_caps(scope.bounds) for scope in scopes}
        self.of_address = least_caps(
            recipient, shadow=True
        )  # `count_shadow` in SQL looks at rows of scopes alone
        #: What is counted follows from the queue's row alone.
        self.by_row = not (self.by_key or self.by_domain or repeat)

    def apart(self, hash: bytes | None, repeat: bytes | None) -> list[tuple[bytes, tuple[Bound, ...]]]:
        """What is counted for each address, by the key that it is counted under."""
        found: list[tuple[bytes, tuple[Bound, ...]]] = []
        if self.recipient and hash is not None:
            found.append((hash, self.recipient))
        if self.repeat and repeat is not None:
            found.append((repeat, self.repeat))
        return found

    def unmet(self, kind: Kind) -> list[Kind]:
        """The campaign and the mailbox provider of this mail that are to get a limit of their own and have none yet."""
        found: list[Kind] = []
        if not self.each:
            return found
        if (
            LimitScope.EACH_CAMPAIGN in self.each
            and kind.campaign is not None
            and kind.campaign not in self.campaigns
        ):
            found.append(Kind(None, kind.campaign, None, None))
        if (
            LimitScope.EACH_PROVIDER in self.each
            and kind.provider is not None
            and kind.provider > Provider.OTHER
            and kind.provider not in self._providers
        ):
            found.append(Kind(kind.provider, None, None, None))
        return found

    def of(self, kind: Kind) -> tuple[Scope, ...]:
        """What mail of this kind counts in."""
        found = self._of_kind.get(kind)
        if found is None:
            if len(self._of_kind) >= _MOST_KEPT:
                self._of_kind.clear()
            found = tuple(scope for scope in self.scopes if self._covers(scope.bounds[0].limit, kind))
            self._of_kind[kind] = found
        return found

    def _covers(self, limit: Limit, kind: Kind) -> bool:
        if limit.scope in EACH:
            # What it is about has limits of its own, but for the campaigns beyond the most.
            return (
                limit.scope is LimitScope.EACH_CAMPAIGN
                and kind.campaign is not None
                and kind.campaign not in self.campaigns
            )
        return (
            (limit.provider is None or limit.provider == kind.provider)
            and (limit.campaign is None or limit.campaign == kind.campaign)
            and (limit.list is None or limit.list == kind.list)
            and (limit.api_key is None or limit.api_key == kind.api_key)
            and (limit.domain is None or kind.domain is None or limit.domain == kind.domain)
        )


def of_lane(
    lane: int, class_: Class, domains: Collection[str], limits: Iterable[tuple[Limit, int | None]]
) -> LaneRules | None:
    """`limits` of the lane's tenant, each with the row that counts for it. None if none is about the lane."""
    scopes: dict[int, list[Bound]] = {}
    of_address: dict[LimitScope, list[Bound]] = {}
    for limit, use in limits:
        if (
            (limit.class_ is not None and limit.class_ is not class_)
            or (limit.lane is not None and limit.lane != lane)
            or (limit.domain is not None and limit.domain not in domains)
        ):
            continue
        spared = class_ is Class.URGENT and limit.spares_urgent and limit.scope in _SPARING
        wide = is_wide(limit) and (limit.domain is None or len(domains) == 1)
        bound = Bound(limit, limit.mode is Mode.ENFORCE and not spared, wide)
        if use is None:
            of_address.setdefault(limit.scope, []).append(bound)
        else:
            scopes.setdefault(use, []).append(bound)
    if not scopes and not of_address:
        return None
    return LaneRules(
        [Scope(use, is_shared(bounds[0].limit), tuple(bounds)) for use, bounds in sorted(scopes.items())],
        _without_default(of_address.get(LimitScope.RECIPIENT, [])),
        _without_default(of_address.get(LimitScope.REPEAT, [])),
        two_domains=len(domains) > 1,
    )


def least_caps(bounds: Iterable[Bound], *, shadow: bool = False) -> Caps:
    """Beyond them some limit has to be asked, since it holds mail. With `shadow` also one that says what it would hold."""
    caps = NO_CAPS._asdict()
    for bound in bounds:
        if bound.holds or (shadow and bound.limit.mode is Mode.SHADOW):
            per = bound.limit.per.value
            caps[per] = min(caps[per], bound.limit.cap)
    return Caps(**caps)


def is_wide(limit: Limit) -> bool:
    """Whether it is about all mail of each lane that it covers."""
    return limit.scope not in (*OF_AN_ADDRESS, *EACH) and (
        limit.provider is None and limit.campaign is None and limit.list is None and limit.api_key is None
    )


def is_shared(limit: Limit) -> bool:
    """Whether mail of several turns may count in it."""
    return limit.lane is None and limit.class_ is None


def _without_default(bounds: list[Bound]) -> tuple[Bound, ...]:
    """The built-in limit of an address counts unless somebody has set one."""
    own = tuple(bound for bound in bounds if bound.limit.owner != DEFAULT_OWNER)
    return own or tuple(bounds)


def _with_all_windows(limits: Sequence[Limit], each: LimitScope) -> set[object]:
    """Campaigns or providers that have a limit of their own for each window that `each` is about."""
    wanted = {limit.per for limit in limits if limit.scope is each}
    found: dict[object, set[Per]] = {}
    for limit in limits:
        if limit.scope is EACH[each] and limit.owner in (EACH_OWNER, _POLICY):
            of = limit.campaign if each is LimitScope.EACH_CAMPAIGN else limit.provider
            found.setdefault(of, set()).add(limit.per)
    return {of for of, windows in found.items() if windows >= wanted}


class TenantLimits:
    """A tenant's limits, each with the row that counts for it. A tenant may have a limit for each of many campaigns."""

    def __init__(self) -> None:
        self._of_lanes: dict[int, list[tuple[Limit, int | None]]] = {}
        self._others: list[tuple[Limit, int | None]] = []

    def add(self, limit: Limit, use: int | None) -> None:
        to = self._others if limit.lane is None else self._of_lanes.setdefault(limit.lane, [])
        to.append((limit, use))

    def of(self, lane: int) -> Sequence[tuple[Limit, int | None]]:
        """Those that may be about the lane."""
        return [*self._others, *self._of_lanes.get(lane, ())]
