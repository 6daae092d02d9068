"""Turns recorded counters into changes in the order in which they became known.

Counters say in which minute mail left and what became of it, not when that was known. The feed of changes does, for a day. For
older mail the times are those of the laws of delay (guard/delays.py): feedback of many cohorts is spread over its law evenly, by
a sequence without chance, so that the same record always gives the same changes.
"""

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator

from mailcordon.guard.backtest import MINUTE, Change
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import DEFAULTS, Delay, Signal

_GOLDEN = (math.sqrt(5) - 1) / 2
_SIGNALS = {
    "hard_bounces": Signal.BOUNCES,
    "complaints": Signal.COMPLAINTS,
    "blocks": Signal.BLOCKS,
    "delays": Signal.DELAYS,
}
_PROMPT = ("delivered", "opens")  #: nothing is judged by when they come
_LAST = 0.995  #: of the law: the few that come later than this come then
_STEPS = 1000


class Arrivals:
    """`until`: seconds since 1970; what would come later is left out, as it is not known yet."""

    def __init__(self, until: int) -> None:
        self._until = until
        self._place: dict[tuple[int, str], float] = {}
        self._quantiles = {name: _quantiles(DEFAULTS[signal]) for name, signal in _SIGNALS.items()}

    def of(self, cohorts: Iterable[Delta], domains: Iterable[DomainDelta] = ()) -> Iterator[Change]:
        """All changes of cohorts whose counts are what is known of them in the end, in the order of their times. Whole minutes:
        what is known in a minute is known at its end, and mail leaves at its begin. Both have to be in the order of their hours,
        so that not all of a month's changes are in memory at once."""
        later: list[tuple[int, bool, int, Change]] = []
        numbers = itertools.count()
        for one in heapq.merge(cohorts, domains, key=lambda one: one.minute // 60):
            begins = one.minute // 60 * 60 * MINUTE
            while later and later[0][0] < begins:
                yield heapq.heappop(later)[3]
            is_domain = isinstance(one, DomainDelta)
            for change in (Change((one.minute + 1) * MINUTE, one),) if is_domain else self.changes(one):
                heapq.heappush(later, (change.at, is_domain, next(numbers), change))
        while later:
            yield heapq.heappop(later)[3]

    def changes(self, cohort: Delta) -> Iterator[Change]:
        start = cohort.minute * MINUTE
        none = cohort._replace(sent=0, delivered=0, hard_bounces=0, complaints=0, blocks=0, delays=0, opens=0)
        if cohort.sent:
            yield Change(start, none._replace(sent=cohort.sent))
        at_once = {name: getattr(cohort, name) for name in _PROMPT}
        if any(at_once.values()):
            yield Change(start + MINUTE, none._replace(**at_once))
        for name, quantiles in self._quantiles.items():
            count: int = getattr(cohort, name)
            known: dict[int, int] = {}
            for _ in range(max(0, count)):
                after = quantiles[self._next(cohort.lane, name)]
                at = start + math.ceil((after + 1) / MINUTE) * MINUTE
                known[at] = known.get(at, 0) + 1
            for at, events in known.items():
                if at < self._until:
                    yield Change(at, none._replace(**{name: events}))

    def _next(self, lane: int, name: str) -> int:
        place = (self._place.get((lane, name), 0.5 - _GOLDEN) + _GOLDEN) % 1.0
        self._place[lane, name] = place
        return int(place * _STEPS)


def by_minute(hours: Iterable[Delta]) -> Iterator[Delta]:
    """Cohorts of hours (`minute` is the first of the hour) as cohorts of minutes: mail is spread over the hour evenly, and what
    became of it with it. When in the hour it left is not known any more."""
    for hour in hours:
        parts = max(1, min(60, hour.sent))
        names = [
            name for name in Delta._fields if name not in ("minute", "lane", "campaign", "list", "provider")
        ]
        for part in range(parts):
            counts = {name: _share(getattr(hour, name), part, parts) for name in names}
            if any(counts.values()):
                yield hour._replace(minute=hour.minute + part * 60 // parts, **counts)


def _share(count: int, part: int, parts: int) -> int:
    return count * (part + 1) // parts - count * part // parts


def _quantiles(law: Delay) -> list[float]:
    """Seconds after the call by which each thousandth of the feedback has come, rounded up to half a minute and more."""
    ages = [30.0 * 1.05**step for step in range(400)]
    found: list[float] = []
    place = 0
    for step in range(_STEPS):
        share = min(_LAST, (step + 0.5) / _STEPS)
        while place < len(ages) - 1 and law.seen(ages[place]) < share:
            place += 1
        found.append(ages[place])
    return found
