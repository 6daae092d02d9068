"""How much of the feedback can have come by an age: tables for each signal and provider, learned from mail that is old enough.

Events that come earlier than the curve says look like more events, so the upper side of what was learned is used: too fast costs
speed, too slow would be wrong (detection.md, section 5).
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.measures import DAY, SIGNALS
from mailcordon.guard.delays import DEFAULTS, Delay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AGES = 14 * DAY  #: minutes that a table tells apart
_LEAST_EVENTS = 15  #: until a curve is learned; of one provider ten times as many
_HALF_LIFE = 30  #: days
_KEEP_DAYS = 90
_SURE = 2.5  #: standard errors by which a curve must differ to be replaced
_UPPER = 1.2816  #: of the normal distribution: 90 %
_DAY_EVENTS = 30  #: of a day whose own curve counts
_DAYS = 5  #: with so many events, until their spread counts


def _edges() -> Ints:
    """Ages, in minutes, at which a learned curve is known: all small ones, then each 8 % more."""
    found = [0]
    while found[-1] < AGES - 1:
        found.append(min(AGES - 1, max(found[-1] + 1, int(found[-1] * 1.08))))
    return np.array(found, dtype=np.int64)


_EDGES = _edges()
_MINUTES: Ints = np.arange(AGES)
#: The first edge that is not below an age.
_BIN: list[int] = np.searchsorted(_EDGES, _MINUTES).tolist()


def _at_edges(delay: Delay) -> Floats:
    return np.array([delay.mean(60.0 * age, 60.0 * (age + 1)) for age in _EDGES.tolist()])


@functools.cache
def _defaults() -> tuple[Floats, ...]:
    return tuple(_at_edges(DEFAULTS[signal]) for signal in SIGNALS)


def _table(at_edges: Floats) -> Floats:
    return np.interp(_MINUTES, _EDGES, at_edges)


@functools.cache
def _default_tables() -> Floats:
    tables: Floats = np.array([_table(each) for each in _defaults()])
    return tables


class DayCounts(NamedTuple):
    """Feedback of the mail of a day (since 1970) to a provider, by its age. `signal`: its place in SIGNALS."""

    signal: int
    provider: int
    day: int
    counts: Sequence[float]


class DelayCurves:
    """Ages are whole minutes between the minute of the call and the minute in which the event became known."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], dict[int, list[float]]] = {}
        self._changed: set[tuple[int, int, int]] = set()  #: signals, providers and days
        self._day = -1
        #: By signal: a table in each row. The first is that of all providers.
        self._upper: list[Floats] = [_default_tables()[signal][None, :] for signal in range(len(SIGNALS))]
        self._lower: list[Floats] = [_default_tables()[signal] for signal in range(len(SIGNALS))]
        self._rows: list[dict[int, int]] = [{} for _ in SIGNALS]
        self.changes = 0  #: grows whenever rows change

    def saw(self, signal: int, provider: int, sent: int, minute: int, events: int) -> None:
        """Events that became known in a minute, of mail that was sent in another."""
        days = self._counts.get((signal, provider))
        if days is None:
            days = self._counts[signal, provider] = {}
        counts = days.get(sent // DAY)
        if counts is None:
            counts = days[sent // DAY] = [0.0] * len(_EDGES)
        age = minute - sent
        counts[_BIN[age] if 0 <= age < AGES else -1 if age > 0 else 0] += events
        self._changed.add((signal, provider, sent // DAY))

    def row(self, signal: int, provider: int) -> int:
        """The provider's row of `upper`."""
        return self._rows[signal].get(provider, 0)

    def upper(self, signal: int, rows: Ints, ages: Ints) -> Floats:
        """(rows, ages): the share of feedback that can have come, rather too much than too little."""
        return self._upper[signal][rows[:, None], np.minimum(np.maximum(ages, 0), AGES - 1)]

    def upper_of_all(self, signal: int, ages: Ints) -> Floats:
        return self._upper[signal][0][np.minimum(np.maximum(ages, 0), AGES - 1)]

    def upper_of_one(self, signal: int, age: int) -> float:
        return float(self._upper[signal][0, min(max(age, 0), AGES - 1)])

    def lower_of_all(self, signal: int, ages: Ints) -> Floats:
        """Rather too little than too much: what has come of half the age."""
        return self._lower[signal][np.minimum(np.maximum(ages // 2, 0), AGES - 1)] * 0.95

    def learn(self, minute: int) -> None:
        """Once a day, from mail whose feedback has all come."""
        today = minute // DAY
        if today == self._day:
            return
        self._day = today
        for signal in range(len(SIGNALS)):
            mature = today - 1 - math.ceil(DEFAULTS[SIGNALS[signal]].mature / 86_400)
            by_provider = [days for key, days in self._counts.items() if key[0] == signal]
            parent = _learned(by_provider, mature, _defaults()[signal], _LEAST_EVENTS)
            # Of a provider that is not known well: other providers' late feedback must not make its own look like more.
            base = _defaults()[signal] if parent is None else np.maximum(parent, _defaults()[signal])
            tables = [_table(base)]
            if parent is not None:
                self._lower[signal] = _table(np.minimum(parent, _defaults()[signal]))
            rows: dict[int, int] = {}
            for provider in [key[1] for key in self._counts if key[0] == signal]:
                own = _learned([self._counts[signal, provider]], mature, base, 10 * _LEAST_EVENTS)
                # Never slower than that: a provider that reports once a day reports some campaigns at once.
                if own is not None and bool((own > base).any()):
                    rows[provider] = len(tables)
                    tables.append(_table(np.maximum(own, base)))
            if rows != self._rows[signal] or parent is not None or rows:
                self._upper[signal], self._rows[signal] = np.array(tables), rows
                self.changes += 1
        for days in self._counts.values():
            for day in [day for day in days if day < today - _KEEP_DAYS]:
                del days[day]

    def document(self) -> dict[str, dict[str, list[float]]]:
        """What was learned, to be stored: counters alone do not tell when events came."""
        return {
            f"{signal}/{provider}": {str(day): counts for day, counts in days.items()}
            for (signal, provider), days in self._counts.items()
        }

    def take_changed(self) -> list[DayCounts]:
        """What was counted since the last call."""
        found = [
            DayCounts(signal, provider, day, counts)
            for signal, provider, day in sorted(self._changed)
            if (counts := self._counts[signal, provider].get(day)) is not None
        ]
        self._changed.clear()
        return found

    def load(self, document: Mapping[str, Mapping[str, list[float]]]) -> None:
        for key, days in document.items():
            signal, _, provider = key.partition("/")
            self._counts[int(signal), int(provider)] = {
                int(day): list(counts) for day, counts in days.items() if len(counts) == len(_EDGES)
            }
        self._day = -1


def _learned(
    by_provider: Sequence[Mapping[int, list[float]]], mature: int, base: Floats, least: int
) -> Floats | None:
    """A curve, at the edges. None: what was seen fits `base`, or is too little to say."""
    sums: dict[int, Floats] = {}
    for days in by_provider:
        for day, counts in days.items():
            if day <= mature:
                sums[day] = sums.get(day, 0.0) + np.array(counts)
    if not sums:
        return None
    seen: Floats = np.array(list(sums.values())).cumsum(axis=1)
    totals = seen[:, -1]
    if totals.sum() < least:
        return None
    weights: Floats = np.array([0.5 ** ((mature - day) / _HALF_LIFE) for day in sums])
    many = (weights @ totals) ** 2 / float(weights**2 @ totals)
    mean: Floats = (weights @ seen) / float(weights @ totals)
    error = np.sqrt(np.maximum(mean * (1 - mean), base * (1 - base)) / many)
    fits = np.abs(mean - base) <= _SURE * error + 0.005
    if bool(fits.all()):
        return None
    upper = mean + _UPPER * error
    full = totals >= _DAY_EVENTS
    if full.sum() >= _DAYS:
        upper = np.maximum(upper, np.quantile(seen[full] / seen[full, -1:], 0.9, axis=0))
    return np.minimum(1.0, np.maximum.accumulate(np.where(fits, base, upper)))
