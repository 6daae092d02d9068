"""What lanes know of each other: how the rates of providers differ (detection.md, section 6)."""

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.measures import SIGNALS

Floats = NDArray[np.float64]

_PRIOR_EVENTS = 20.0  #: that a ratio of 1 is worth


class Fleet:
    """Each lane reports its mature events and what its own usual rate would have shown, by provider; a new report replaces the
    last."""

    def __init__(self) -> None:
        self._sums: dict[int, Floats] = {}
        self._reports: dict[int, dict[int, Floats]] = {}

    def report(self, lane: int, by_provider: dict[int, Floats]) -> None:
        """Arrays of (events or expected, signals)."""
        for provider, counts in self._reports.get(lane, {}).items():
            self._sums[provider] -= counts
        self._reports[lane] = by_provider
        for provider, counts in by_provider.items():
            known = self._sums.get(provider)
            self._sums[provider] = counts.copy() if known is None else known + counts

    def forget(self, lane: int) -> None:
        self.report(lane, {})

    def ratios(self, provider: int) -> Floats:
        """By signal: the provider's rate over that of all mail."""
        sums = self._sums.get(provider)
        if sums is None:
            return np.ones(len(SIGNALS))
        return (np.maximum(0, sums[0]) + _PRIOR_EVENTS) / (np.maximum(0, sums[1]) + _PRIOR_EVENTS)
