"""From open decisions to holds and limits: what must be there now. Pure; the loop makes it so.

It is a comparison of what is there with what must be, so that a process that died between a decision and its hold, or between a
hold and its note, leaves nothing undone and nothing twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.hold import NewHold
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.provider import parse_provider
from mailcordon.guard.breaker.nouns import Dimension, Level, Phase, Standing
from mailcordon.observe.breaker.records import ACTOR, Carried, Kept, Key, slices_of

OWNER_OF_LIMITS = "guard"
LEAST_RATE = 0.01  #: mails a second that a slowed lane keeps at least: one in 100 s
HALF = 0.5  #: of the rate, while a lane is throttled
PROBE_SECONDS = 600  #: in which the mails of a probe leave
MOST_RATE = 1_000_000.0


class Does(StrEnum):
    """What is done for a decision now."""

    NOTHING = "nothing"
    STOP = "stop"
    WAIT = "wait"  #: stop, since the mails of the probe have left
    SLOW = "slow"
    PROBE = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What must be placed and lifted. New holds are placed before old ones are lifted, so no mail slips through between."""

    place: Sequence[tuple[Kept, Does, NewHold]]
    note: Sequence[tuple[Kept, int]]  #: holds that are there, and whose decision does not know
    lift: Sequence[Carried]
    limits: Mapping[int, tuple[Limit, ...]]  #: by tenant


def does(kept: Kept, standing: Standing | None, minute: int, out: int) -> Does:
    """`out`: mails of the probe that have left."""
    if kept.mode is not Mode.ENFORCE or kept.level is Level.WARN:
        return Does.NOTHING
    if kept.level is Level.THROTTLE:
        return Does.SLOW
    if standing is None or standing.phase is Phase.CORDONED:
        return Does.STOP
    if standing.phase is not Phase.PROBING:
        return Does.NOTHING
    if standing.probe_from is not None and standing.probe_from > minute:
        return Does.STOP
    return Does.PROBE if out < standing.probe_mails else Does.WAIT


def plan(
    open_: Iterable[Kept],
    standings: Mapping[Key, Standing],
    carried: Sequence[Carried],
    *,
    minute: int,
    out: Mapping[Key, int],
    before: Mapping[int, tuple[Limit, ...] | None],
) -> Plan:
    """`carried`: the breaker's open holds. `before`: the limits that it wrote last, by tenant; None: not known."""
    there = {(one.decision, one.does): one.hold.id for one in carried}
    wanted: set[tuple[int | None, str]] = set()
    place: list[tuple[Kept, Does, NewHold]] = []
    note: list[tuple[Kept, int]] = []
    limits: dict[int, list[Limit]] = {tenant: [] for tenant in before}
    for kept in open_:
        standing = standings.get(kept.key)
        act = does(kept, standing, minute, out.get(kept.key, 0))
        if act is Does.NOTHING:
            continue
        rate = _rate(kept, standing, act)
        if rate is not None and (limit := _limit(kept, rate)) is not None:
            limits.setdefault(kept.tenant, []).append(limit)
            continue
        wanted.add((kept.id, str(act)))
        placed = there.get((kept.id, str(act)))
        if placed is None:
            place.append((kept, act, _hold(kept, act, rate)))
        elif placed != kept.hold:
            note.append((kept, placed))
    lift = [one for one in carried if (one.decision, one.does) not in wanted]
    return Plan(
        place=place,
        note=note,
        lift=lift,
        limits={
            tenant: tuple(merged)
            for tenant, found in limits.items()
            if (merged := _merged(found)) != _listed(before.get(tenant, ()))
        },
    )


def _listed(limits: tuple[Limit, ...] | None) -> list[Limit] | None:
    return None if limits is None else list(limits)


def _rate(kept: Kept, standing: Standing | None, act: Does) -> float | None:
    """Mails a second; None: no mail."""
    if act is Does.SLOW:
        return min(MOST_RATE, max(LEAST_RATE, kept.rate or LEAST_RATE))
    if act is Does.PROBE and standing is not None:
        return min(MOST_RATE, max(LEAST_RATE, standing.probe_mails / PROBE_SECONDS))
    return None


def _hold(kept: Kept, act: Does, rate: float | None) -> NewHold:
    return NewHold(
        target=kept.target,
        owner=ACTOR,
        because=kept.seen,
        stops=rate is None,
        rate=rate,
        evidence={"decision": kept.id, "does": str(act)},
    )


def _limit(kept: Kept, rate: float) -> Limit | None:
    """A part of a lane cannot be slowed by a hold, which is a rate of a lane: it gets a limit for each minute. None: it is a
    whole lane."""
    named = {one.dimension: one.value for one in slices_of(kept.part)}
    if not named:
        return None
    if Dimension.POOL in named:
        return Limit(
            id=0,
            tenant=kept.tenant,
            owner=OWNER_OF_LIMITS,
            scope=LimitScope.LANE,
            per=Per.DAY,
            cap=max(1, round(kept.rate or 1)),
            mode=Mode.ENFORCE,
            because=kept.seen,
            lane=kept.lane,
        )
    scope = next(one for one in (Dimension.LIST, Dimension.CAMPAIGN, Dimension.PROVIDER) if one in named)
    return Limit(
        id=0,
        tenant=kept.tenant,
        owner=OWNER_OF_LIMITS,
        scope=LimitScope(str(scope)),
        per=Per.MINUTE,
        cap=max(1, round(rate * 60)),
        mode=Mode.ENFORCE,
        because=kept.seen,
        lane=kept.lane,
        campaign=named.get(Dimension.CAMPAIGN) if scope is Dimension.CAMPAIGN else None,
        list=named.get(Dimension.LIST) if scope is Dimension.LIST else None,
        provider=parse_provider(named[Dimension.PROVIDER]) if scope is Dimension.PROVIDER else None,
    )


def _merged(limits: Sequence[Limit]) -> list[Limit]:
    """Of several about the same mail the smallest holds, since a scope has one row."""
    smallest: dict[object, Limit] = {}
    for one in limits:
        key = (one.scope, one.per, one.lane, one.campaign, one.list, one.provider)
        if key not in smallest or one.cap < smallest[key].cap:
            smallest[key] = one
    return list(smallest.values())


def slowed_rate(flow: float) -> float:
    """Half of a lane's flow, in mails a second."""
    return max(LEAST_RATE, HALF * flow)
