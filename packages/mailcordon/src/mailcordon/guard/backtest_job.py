"""One back-test from what the counters have to what a policy would have done. Deterministic; it may take minutes of CPU."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailcordon.core.limit import Limit
from mailcordon.guard import backtest
from mailcordon.guard.backtest import MINUTE, BackLane, Change, LaneResult, Replay
from mailcordon.guard.backtest_limits import CappedLane, Caps
from mailcordon.guard.backtest_record import Arrivals, by_minute
from mailcordon.guard.counts import Delta, DomainDelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of the mail of some lanes. Minutes are since 1970."""

    since: int  #: where the back-test begins
    until: int
    minutes_since: int  #: from when minutes are known; before that, hours
    exact_since: int  #: from which minute's mail on it is known when each count became known
    lanes: Sequence[BackLane]
    capped: Sequence[CappedLane]
    history: Sequence[Delta]  #: before `since`, by hour: what the breaker knows when it begins
    hours: Sequence[Delta]
    minutes: Sequence[Delta]
    changes: Sequence[Change]  #: of mail since `exact_since`
    domains: Sequence[DomainDelta] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    results: Sequence[LaneResult]
    left_out: Sequence[Limit]  #: limits that counters cannot tell


def run(record: Record) -> Answer:
    until = record.until * MINUTE
    gate = Caps(record.capped)
    replay = Replay(record.lanes, gate)
    replay.breaker.replay(record.since, record.history)
    results = replay.run(_changes(record, until), until)
    # Computed twice, since a month's may be more than memory has room for.
    for lane, stops in backtest.of_peers(record.lanes, _changes(record, until)).items():
        results[lane].peers = stops
    return Answer(results=list(results.values()), left_out=gate.left_out)


def _changes(record: Record, until: int) -> Iterator[Change]:
    known = Arrivals(until).of(itertools.chain(by_minute(record.hours), record.minutes), record.domains)
    return heapq.merge(known, record.changes, key=lambda change: change.at)
