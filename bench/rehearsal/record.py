"""The counters that an installation would have after some days of a fleet, as a rehearsal reads them."""

from __future__ import annotations

from collections import Counter, defaultdict

from bench.week.lanes import Lanes
from bench.week.policies import of_fleet
from bench.week.setups import Played
from mailcordon.core.limit import Mode
from mailcordon.guard.backtest import BackLane
from mailcordon.guard.backtest_job import Record
from mailcordon.guard.backtest_limits import CappedLane
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy import layers
from mailcordon.guard.rehearsal.week import DAY, WEEK, Given, Way
from seslocal.fleets.tenants import SHARED_POOL


def of(played: Played, start: int, days: int) -> Given:
    """The last seven of `days` days of a run whose counts were kept; what came before is history. `start`: its first minute."""
    lanes = Lanes(played.senders, start)
    policy = of_fleet(played.senders)
    until = start + days * DAY
    since = until - WEEK
    sums: defaultdict[tuple[int, int, str | None, str | None, int], list[int]] = defaultdict(lambda: [0] * 7)
    for one in played.counted:
        if one.minute < until:
            for place, count in enumerate(one[5:]):
                sums[one[:5]][place] += count
    cohorts = sorted((Delta(*key, *counts) for key, counts in sums.items()), key=lambda one: one.minute)
    before: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for one in cohorts:
        if one.minute < since:
            before[one.lane][one.minute // DAY] += one.sent
    back: list[BackLane] = []
    capped: list[CappedLane] = []
    ways: dict[int, Way] = {}
    for lane in lanes.every:
        explained = layers.effective(policy, 1, lane.tenant, lane.type, lane.class_)
        back.append(
            BackLane(
                facts=lanes.facts(lane, explained.policy.breaker.sensitivity),
                slug=lane.tenant,
                mode=Mode.ENFORCE,
            )
        )
        capped.append(
            CappedLane(
                lane=lane.id,
                tenant=back[-1].facts.tenant,
                class_=lane.class_,
                explained=explained,
                days=before[lane.id],
                first_day=start // DAY if lane.new else start // DAY - 365,
            )
        )
    for sender in played.senders:
        for lane in lanes.every:
            if lane.tenant == sender.name:
                ways[lane.id] = Way(
                    domain=sender.domain, pool="" if sender.pool == SHARED_POOL else sender.pool
                )
    record = Record(
        since=since,
        until=until,
        minutes_since=since,
        exact_since=until,
        lanes=back,
        capped=capped,
        history=[one for one in cohorts if one.minute < since],
        hours=[],
        minutes=[one for one in cohorts if one.minute >= since],
        changes=[],
    )
    return Given(record=record, ways=ways, relative=frozenset(lane.id for lane in lanes.every))
