"""When the account's quota of 24 hours is used up, if mail goes on leaving as it does now (ses.md 2).

The window rolls: what left 24 hours ago comes back minute by minute. So a quota that is nearly used may last, and one that is
half used may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailcordon.messages import policies as words

MINUTE_MS = 60_000
HOURS = 24


@dataclass(frozen=True, slots=True)
class Forecast:
    pace: int  #: recipients an hour, as mail leaves now
    ends_at: int | None  #: milliseconds since 1970; None: the quota lasts

    @property
    def sentence(self) -> str:
        if self.ends_at is None:
            return words.quota_lasts(self.pace)
        return words.quota_ends(datetime.fromtimestamp(self.ends_at / 1000, UTC), self.pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    quota: float  #: recipients in 24 hours; negative: unlimited
    used: float
    hours: Sequence[int]  #: recipients of each of the last 24 hours, the newest last
    pace: float  #: recipients an hour, as mail leaves now


def of(usage: Usage, now: int) -> Forecast:
    """`now`: milliseconds since 1970."""
    minutes = ends_in_minutes(usage)
    return Forecast(round(usage.pace), None if minutes is None else now + minutes * MINUTE_MS)


def ends_in_minutes(usage: Usage) -> int | None:
    """None: within 24 hours it does not end. 0: it is used up."""
    if usage.quota < 0 or usage.pace <= 0:
        return None
    left = usage.quota - usage.used
    if left <= 0:
        return 0
    # Hours of which nothing is known give nothing back: the safe side.
    back = [0] * (HOURS - len(usage.hours)) + list(usage.hours[-HOURS:])
    for minute in range(1, HOURS * 60 + 1):
        left += back[(minute - 1) // 60] / 60 - usage.pace / 60
        if left < 0.5:  # half a mail: sums of fractions are not exact
            return minute
    return None
