"""The account's sending: whether it is paused, SES's review, sandbox or production, rate and quota (ses.md 2.4, 3.5, 8.1)."""

from __future__ import annotations

from collections import deque
from typing import Final

from seslocal.clock import Clock
from seslocal.state.account_review import AccountReview
from seslocal.state.settings import Settings
from seslocal.state.suppression import SuppressionList
from seslocal.state.token_bucket import TokenBucket

SANDBOX_RATE: Final = 1.0  # recipients a second
SANDBOX_QUOTA: Final = 200.0  # recipients in 24 hours
ABANDONED: Final = 90 * 86400.0  # seconds of pause after which an account's suppression list is deleted


class SendLimits:
    """The account's send rate and quota, in recipients. A failed call counts for neither."""

    def __init__(self, rate: float, quota: float) -> None:
        self.quota = quota  #: in 24 hours; -1: no limit
        self.exhausted = False  #: set by a fault: the quota is used up
        self._bucket = TokenBucket(rate, max(rate, 1.0))  # a second's worth may be sent at once
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

    @property
    def minutes(self) -> list[list[float]]:
        """Minute and recipients, for `restore`."""
        return [list(minute) for minute in self._minutes]

    def restore(self, minutes: list[list[float]]) -> None:
        self._minutes = deque(list(minute) for minute in minutes)
        self._sent = sum(recipients for _, recipients in minutes)

    def sent(self, now: float) -> float:
        """Returns the recipients of the last 24 hours."""
        while self._minutes and self._minutes[0][0] <= now // 60 - 1440:
            self._sent -= self._minutes.popleft()[1]
        return max(self._sent, self.quota) if self.exhausted else self._sent


class Sending:
    def __init__(self, settings: Settings, clock: Clock, suppression: SuppressionList) -> None:
        self.enabled = True  #: changed by set_enabled
        self.production = not settings.sandbox  #: changed by set_production
        self.review = AccountReview()
        self.reviewed: bool | None = (
            None  #: its rates change the EnforcementStatus; None: if there is a world
        )
        self.limits = SendLimits(settings.rate, settings.quota)
        self._settings = settings
        self._clock = clock
        self._suppression = suppression
        self._paused_at: float | None = None
        self._check_is_due = False  #: a check of how long sending is paused is scheduled
        self._limit()

    @property
    def enforcement(self) -> str:
        """EnforcementStatus: HEALTHY, PROBATION or SHUTDOWN."""
        return self.review.status_at(self._clock.now())

    @enforcement.setter
    def enforcement(self, status: str) -> None:
        self.review.set_by_hand(self._clock.now(), status)

    def set_enabled(self, enabled: bool) -> None:
        """Pauses or resumes sending. The suppression list of an account that is paused for long is deleted (ses.md 2.4)."""
        if enabled != self.enabled:
            self.enabled = enabled
            self._paused_at = None if enabled else self._clock.now()
            self._check_pause()

    def set_production(self, production: bool) -> None:
        """Moves the account out of the sandbox, or into it with its small rate and quota."""
        if production != self.production:
            self.production = production
            self._limit()

    @property
    def paused_at(self) -> float | None:
        return self._paused_at

    def restore(self, *, enabled: bool, paused_at: float | None) -> None:
        self.enabled, self._paused_at = enabled, paused_at
        self._check_pause()

    def _check_pause(self) -> None:
        if self._paused_at is None:
            return
        if self._clock.now() >= self._paused_at + ABANDONED:
            self._suppression.clear()
        elif not self._check_is_due:  # one check at a time, however often it is paused
            self._check_is_due = True
            self._clock.call_at(self._paused_at + ABANDONED, self._check_again)

    def _check_again(self) -> None:
        self._check_is_due = False
        self._check_pause()

    def _limit(self) -> None:
        most = (float("inf"), float("inf")) if self.production else (SANDBOX_RATE, SANDBOX_QUOTA)
        self.limits.set_rate(min(self._settings.rate, most[0]))
        quota = self._settings.quota
        self.limits.quota = min(quota, most[1]) if quota >= 0 or self.production else most[1]
