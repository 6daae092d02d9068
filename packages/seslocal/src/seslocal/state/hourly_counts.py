"""Counts by metric, dimensions and hour, as CloudWatch keeps what SES tells it. Bounded: at the limit the oldest hour is dropped;
if only one hour is left, what would start another count is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

HOUR: Final = 3600
MOST: Final = 200_000  # number of counts

Dimensions = tuple[tuple[str, str], ...]  #: sorted by name
Series = tuple[str, Dimensions]  #: metric and dimensions


class HourlyCounts:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._hours: dict[int, dict[Series, int]] = {}
        self._size = 0
        self.dropped = 0  #: samples that were not counted

    def add(self, series: Series, at: float, number: int = 1) -> None:
        hour = int(at // HOUR)
        counts = self._hours.get(hour)
        if counts is None:
            counts = self._hours[hour] = {}
        if series in counts:
            counts[series] += number
        elif self._has_room():
            counts[series] = number
            self._size += 1
        else:
            self.dropped += number

    def sums(self, series: Series, start: float, end: float, period: float) -> dict[float, int]:
        """Returns the start of each period with a count -> its sum, in order. `end` is excluded."""
        found: dict[float, int] = {}
        for hour in sorted(self._hours):
            at = float(hour * HOUR)
            if start <= at < end and (count := self._hours[hour].get(series)) is not None:
                begun = at // period * period
                found[begun] = found.get(begun, 0) + count
        return found

    def series(self) -> Iterator[Series]:
        """Each one once, in the order in which they began."""
        return iter(dict.fromkeys(one for hour in sorted(self._hours) for one in self._hours[hour]))

    def _has_room(self) -> bool:
        if self._size < self._most:
            return True
        if len(self._hours) > 1:
            self._size -= len(self._hours.pop(min(self._hours)))
        return self._size < self._most
