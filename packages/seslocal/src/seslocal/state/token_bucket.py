"""A token bucket."""

from __future__ import annotations


class TokenBucket:
    """A token bucket. It is asked first and taken from later, so that what is refused takes nothing."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate  #: tokens a second
        self.burst = burst  #: tokens that may be taken at once after a quiet spell
        self._tokens = burst
        self._filled_at: float | None = None

    def set(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens = min(self._tokens, burst)

    def has(self, count: float, now: float) -> bool:
        """More than a burst is let through when the bucket is full: it could never be."""
        if self._filled_at is not None:
            self._tokens = min(self.burst, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = now
        return self._tokens >= min(count, self.burst)

    def take(self, count: float) -> None:
        self._tokens -= count
