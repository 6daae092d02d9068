"""Virtual Deliverability Manager's counts, by day and dimensions (ses.md 8.3). Bounded: at the limit the oldest day is
dropped; if only one day is left, events that would start another series are dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

DAY: Final = 86400
MOST: Final = 100_000  # number of counts
Wanted = Mapping[str, Collection[str]]  # dimension -> its values; `*` is each


class Series(NamedTuple):
    """The dimensions of a mail. None: the mail has none."""

    EMAIL_IDENTITY: str
    CONFIGURATION_SET: str | None
    ISP: str
    TENANT_NAME: str | None

    def fits(self, wanted: Wanted) -> bool:
        return all(_fits(name, getattr(self, name), values) for name, values in wanted.items())


class Metrics:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._days: dict[int, dict[tuple[str, Series], int]] = {}
        self._size = 0
        self.dropped = 0  #: events that were not counted

    def count(self, metric: str, series: Series, at: float) -> None:
        day = self._days.setdefault(int(at // DAY), {})
        key = (metric, series)
        if key in day:
            day[key] += 1
        elif self._has_room():
            day[key] = 1
            self._size += 1
        else:
            self.dropped += 1

    def by_day(self, metric: str, wanted: Wanted, start: float, end: float) -> dict[float, int]:
        """Returns midnight -> count of the days with a count, in order. `end` is excluded."""
        sums: dict[float, int] = {}
        for day in self._between(start, end):
            counts = self._days[day]
            total = sum(n for (name, series), n in counts.items() if name == metric and series.fits(wanted))
            if total:
                sums[float(day * DAY)] = total
        return sums

    def by_series(
        self, names: Collection[str], wanted: Wanted, start: float, end: float
    ) -> dict[tuple[str, ...], dict[str, int]]:
        """Returns the sum of each metric over the whole time, by the values of the named dimensions."""
        found: dict[tuple[str, ...], dict[str, int]] = {}
        for day in self._between(start, end):
            for (metric, series), count in self._days[day].items():
                values = tuple(getattr(series, name) for name in names)
                if None in values or not series.fits(wanted):
                    continue
                sums = found.setdefault(values, {})
                sums[metric] = sums.get(metric, 0) + count
        return found

    def _between(self, start: float, end: float) -> Iterator[int]:
        return (day for day in sorted(self._days) if day * DAY < end and (day + 1) * DAY > start)

    def _has_room(self) -> bool:
        if self._size < self._most:
            return True
        if len(self._days) > 1:
            self._size -= len(self._days.pop(min(self._days)))
        return self._size < self._most


def _fits(name: str, own: str | None, values: Collection[str]) -> bool:
    if own is None:
        return False
    if own in values or "*" in values:
        return True
    # A domain includes the addresses in it that are identities.
    return name == "EMAIL_IDENTITY" and "@" in own and own.rpartition("@")[2] in values
