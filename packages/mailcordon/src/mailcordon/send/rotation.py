"""Decides whom one claim serves, how much each gets, and in which order they are due again. Pure.

The turns of a class are served in rotation, one delivery each, until the class's share of the claim is given out. A claim visits
a turn once for all of its deliveries, and puts the turns back in the order in which the rotation goes on. So the numbers of
deliveries that two turns got while both had mail differ by at most one, for any mix of classes, turns and claim sizes, and by one
more for each other dispatcher that claims at the same time. A turn gets less if its mail, its lanes' rates or its tenant's bound
on calls in flight end first.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from mailcordon.core import ids
from mailcordon.send import limits

LONGEST_WAIT_US = (
    5_000_000  #: a turn whose lanes wait for rates or limits is visited again after this time at the latest
)


class DueLane(NamedTuple):
    """A lane of a due turn that the claim has locked. A turn without an open lane has one row, whose lane is None."""

    class_: int
    share: int  #: of the claim, for the class
    due: int  #: due turns of the class, at most as many as the claim's slots
    turn: int
    tenant: int
    lane: int | None
    rate: float | None
    tokens: float | None
    tokens_at: int | None
    released_at: int | None
    expiry_ms: int | None


class Visit(NamedTuple):
    """What one claim may take from one lane."""

    lane: int
    turn: int
    class_: int
    tenant: int
    budget: int
    cutoff: int  #: ids below it have expired
    bucket: limits.Bucket | None


class Plan(NamedTuple):
    budgets: Mapping[int, int]  #: by turn
    places: Mapping[int, int]  #: by turn: its place in the rotation after this claim
    visits: Sequence[Visit]


def units(share: int, due: int, turns: int) -> tuple[int, int]:
    """Deliveries for each of the `turns` that are locked, of `due` turns, and how many of them get one more, from the first on.

    If some are missing, another dispatcher is serving them: then one each, or those that we have would get ahead.
    """
    if turns < due or share <= due:
        return 1, 0
    return divmod(share, due)


def plan(
    lanes: Sequence[DueLane], now: int, most: Callable[[int], int], ramp_ms: int = limits.RAMP_MS
) -> Plan:
    """`lanes` in the order of their turns. `most(tenant)`: the calls that a tenant may start."""
    budgets: dict[int, int] = {}
    places: dict[int, int] = {}
    left: dict[int, int] = {}
    for _, group in groupby(lanes, key=lambda lane: lane.class_):
        turns = {lane.turn: lane for lane in group}
        first = next(iter(turns.values()))
        each, more = units(first.share, first.due, len(turns))
        for n, (turn, lane) in enumerate(turns.items()):
            may = left[lane.tenant] if lane.tenant in left else most(lane.tenant)
            budgets[turn] = max(0, min(each + (n < more), may))
            left[lane.tenant] = may - budgets[turn]
            places[turn] = (n - more) % len(turns)
    visits: list[Visit] = []
    for lane in lanes:
        budget = budgets[lane.turn]
        if lane.lane is None or not budget:
            continue
        assert lane.tokens is not None
        assert lane.tokens_at is not None
        assert lane.expiry_ms is not None
        rate = limits.effective_rate(lane.rate, lane.released_at, now, ramp_ms)
        bucket = None
        if rate is not None:
            bucket = limits.Bucket(rate, lane.tokens, lane.tokens_at).refilled(now)
            budget = min(budget, bucket.whole)
        cutoff = ids.first_of(now - lane.expiry_ms)
        visits.append(Visit(lane.lane, lane.turn, lane.class_, lane.tenant, budget, cutoff, bucket))
    return Plan(budgets, places, visits)


class Returned(NamedTuple):
    """When a turn is due again: at its place behind those that are due now, at a time, or (both None) when it has mail."""

    turn: int
    place: int | None
    at: int | None  #: microseconds since 1970

    @property
    def idle(self) -> bool:
        return self.place is None and self.at is None


def returned(
    plan: Plan,
    buckets: Mapping[int, limits.Bucket],
    taken: Mapping[int, int],
    unclear: Set[int],
    now_us: int,
    closed: Mapping[int, int | None] = MappingProxyType({}),
) -> list[Returned]:
    """The turns that change. The others, which got nothing although they may have mail, keep their place.

    `buckets`: what is left in those of the visited lanes. `taken`: deliveries by lane. `unclear`: turns whose lanes have mail
    that this claim could not look behind. `closed`: lanes that a limit closes, until a time in ms or until the limit grows.
    """
    by_turn: dict[int, int] = defaultdict(int)
    waits: dict[int, list[int]] = defaultdict(list)
    for visit in plan.visits:
        got = taken.get(visit.lane, 0)
        by_turn[visit.turn] += got
        if visit.lane in closed:
            opens_at = closed[visit.lane]
            waits[visit.turn].append(now_us + LONGEST_WAIT_US if opens_at is None else opens_at * 1000)
        elif visit.bucket is not None and got >= visit.budget:
            at = buckets[visit.lane].next_at()
            if at is not None:
                waits[visit.turn].append(at * 1000)
    out: list[Returned] = []
    for turn, budget in plan.budgets.items():
        got = by_turn[turn]
        if (budget and got >= budget) or (got and turn in unclear):
            out.append(Returned(turn, plan.places[turn], None))
        elif budget and turn not in unclear:
            at = min(waits[turn], default=None)
            if at is not None:
                at = min(max(at, now_us + 1000), now_us + LONGEST_WAIT_US)
            out.append(Returned(turn, None, at))
    return out


def left_behind(blocked: Sequence[int], back: Sequence[Returned]) -> bool:
    """Whether mail may be left that could be called now. `blocked`: tenants whose turns were not looked at. `back`: of
    `returned`."""
    return bool(blocked) or any(one.place is not None for one in back)
