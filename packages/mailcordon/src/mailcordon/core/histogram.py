"""A count of durations by size: what a process knows of its own latency."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts values up to each of `bounds`, in ascending order, and beyond the last. Adding one costs a binary search."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """A value equal to a bound counts below it. Negative ones, of clocks that disagree, count as 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[float, int]]:
        """How many values are at most each bound; the last bound is infinite."""
        found: list[tuple[float, int]] = []
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found
