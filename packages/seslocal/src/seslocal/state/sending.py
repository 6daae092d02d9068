"""How much may leave: a rate that tolerates short bursts, and a rolling 24-hour quota (ses.md 3.5)."""

from __future__ import annotations

from collections import deque
from typing import Final

SANDBOX_RATE: Final = 1.0  # recipients a second
SANDBOX_QUOTA: Final = 200.0  # recipients in 24 hours


class Bucket:
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


class Allowance:
    """The account's send rate and quota, in recipients. A failed call takes nothing from either."""

    def __init__(self, rate: float, quota: float) -> None:
        self.quota = quota  #: in 24 hours; -1: no limit
        self.exhausted = False  #: a fault says that the quota is used up
        self._bucket = Bucket(rate, max(rate, 1.0))  # a second's worth may leave at once
        self._minutes: deque[list[float]] = deque()  # [minute, recipients]
        self._sent = 0.0

    @property
    def rate(self) -> float:
        return self._bucket.rate

    def set_rate(self, rate: float) -> None:
        self._bucket.set(rate, max(rate, 1.0))

    def has_tokens(self, recipients: int, now: float) -> bool:
        return self._bucket.has(recipients, now)

    def has_quota(self, recipients: int, now: float) -> bool:
        if self.exhausted:
            return False
        return self.quota < 0 or self.sent(now) + recipients <= self.quota

    def take(self, rated: int, counted: int, now: float) -> None:
        self._bucket.take(rated)
        minute = now // 60
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0.0])
        self._minutes[-1][1] += counted
        self._sent += counted

    def sent(self, now: float) -> float:
        """Recipients of the last 24 hours."""
        while self._minutes and self._minutes[0][0] <= now // 60 - 1440:
            self._sent -= self._minutes.popleft()[1]
        return max(self._sent, self.quota) if self.exhausted else self._sent
