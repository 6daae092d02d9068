"""The rate limit of management calls: SES allows about one call per second of each operation that does not send (ses.md 2.4,
3.5). Whether it counts each operation or all together is not documented, so both are available. Off by default."""

from __future__ import annotations

from typing import Final

from seslocal.errors import ApiError
from seslocal.state.token_bucket import TokenBucket

#: operations with a higher documented rate, in calls per second
_DOCUMENTED: Final = {"BatchGetMetricData": 16.0, "GetEmailTemplate": 50.0}
_SENDS: Final = frozenset(
    {"SendEmail", "SendBulkEmail", "SendRawEmail", "SendTemplatedEmail", "SendBulkTemplatedEmail"}
)
BURST: Final = 2.0  # seconds' worth of calls allowed at once


class ManagementRate:
    def __init__(self, rate: float, *, together: bool) -> None:
        self.rate = rate  #: calls per second; 0: no limit
        self.together = together  #: one limit for all operations, not one for each
        self._buckets: dict[str, TokenBucket] = {}

    def set(self, rate: float, *, together: bool) -> None:
        self.rate, self.together = rate, together
        self._buckets.clear()

    def spend(self, operation: str, now: float) -> None:
        """Counts a call. Raises ApiError if it exceeds the rate."""
        if operation in _SENDS:
            return
        rate = self.rate
        name = "" if self.together else operation
        if not self.together and (documented := _DOCUMENTED.get(operation)):
            rate = max(rate, documented)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(rate, max(1.0, rate * BURST))
        if not bucket.has(1, now):
            raise ApiError(
                "TooManyRequestsException",
                "Too many requests have been made to the operation.",
                429,
                kind="too_many_calls",
            )
        bucket.take(1)
