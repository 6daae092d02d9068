"""A token bucket."""

from __future__ import annotations


class TokenBucket:
    """Checked with `has` first, then taken from with `take`, so that a rejected call takes nothing."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate  #: tokens per second
        self.burst = burst  #: maximum number of tokens
        self._tokens = burst
        self._filled_at: float | None = None

    def set(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens = min(self._tokens, burst)

    def has(self, count: float, now: float) -> bool:
        """Whether there are this many tokens. More than a burst is allowed if the bucket is full."""
        if self._filled_at is not None:
            self._tokens = min(self.burst, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = now
        return self._tokens >= min(count, self.burst)

    def take(self, count: float) -> None:
        self._tokens -= count
