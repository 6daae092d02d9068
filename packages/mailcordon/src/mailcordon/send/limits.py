"""Token buckets and ramps. Pure: state and time in, grant and new state out. Times are milliseconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor, log
from typing import NamedTuple

from mailcordon.core.health import QUOTA_RESERVE

CLOCK_SLACK_MS = (
    1_000  #: a stamp that is farther ahead is from a clock that was set back since; it counts as now
)

RAMP_MS = 60_000  #: what was released has its full rate again after this time
_RAMP_START = 20.0  #: deliveries per second at the start: enough for a person to see mail move
_RAMP_DOUBLINGS = 12  #: 20/s, and after each twelfth of the time twice as much: 80,000/s at the end

UNLIMITED = 1 << 62

URGENT_RESERVE = 0.2  #: share of the account's rate reserved for urgent mail
_CUT = 0.7  #: factor on the rate after a throttling answer
_CLIMB = 0.02  #: share of the ceiling per second: recovers from a cut in about 15 s


def not_ahead(stamp: int, now: int) -> int:
    """When a bucket that was last filled at `stamp` counts as filled. A stamp from the future must not stop it until then."""
    return now if stamp > now + CLOCK_SLACK_MS else max(now, stamp)


def ramp(released_at: int | None, now: int, ramp_ms: int = RAMP_MS) -> float | None:
    """The rate of a lane (deliveries per second) after its release; None if the ramp is over or there was none."""
    if released_at is None or now - released_at >= ramp_ms:
        return None
    # A clock that stepped back must not read as "released long ago".
    return _RAMP_START * 2 ** (max(0, now - released_at) / ramp_ms * _RAMP_DOUBLINGS)


def released(elapsed_ms: int, ramp_ms: int = RAMP_MS) -> int:
    """How many deliveries a ramp has let go after this time: the sum of its rates. After its end there is no limit."""
    if elapsed_ms >= ramp_ms:
        return UNLIMITED
    doubles_s = ramp_ms / 1000 / _RAMP_DOUBLINGS
    doublings = max(0, elapsed_ms) / 1000 / doubles_s
    return floor(_RAMP_START * doubles_s / log(2) * (2**doublings - 1))


@dataclass(frozen=True, slots=True)
class Bucket:
    """A lane's own limit. It holds at most a second of work, so that a quiet lane cannot burst later."""

    rate: float
    tokens: float
    at: int

    def refilled(self, now: int) -> "Bucket":
        burst = max(1.0, self.rate)
        gained = max(0, now - self.at) * self.rate / 1000
        return replace(self, tokens=min(burst, self.tokens + gained), at=not_ahead(self.at, now))

    @property
    def whole(self) -> int:
        # A rate of 0 stops the lane, including tokens saved up before.
        return max(0, floor(self.tokens + 1e-6)) if self.rate > 0 else 0

    def spent(self, n: int) -> "Bucket":
        return replace(self, tokens=self.tokens - n)

    def next_at(self) -> int | None:
        """When the next whole token is available; None if the rate is 0."""
        if self.rate <= 0:
            return None
        return self.at + max(1, floor((1 - self.tokens) / self.rate * 1000) + 1)


def effective_rate(
    rate: float | None, released_at: int | None, now: int, ramp_ms: int = RAMP_MS
) -> float | None:
    """A lane's rate now: the lower of its own and its ramp's, or None if neither limits it."""
    rates = [r for r in (rate, ramp(released_at, now, ramp_ms)) if r is not None]
    return min(rates) if rates else None


class Grant(NamedTuple):
    """Calls that may start."""

    calls: int
    limited: bool = False  #: the account has a quota: what is not used has to be returned
    reserve_left: int | None = (
        None  #: what was left of the quota's reserve for urgent mail, if the calls are taken from it
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRate:
    """The account's send rate and quota: one row per cell, shared by all dispatchers."""

    ceiling: float  #: GetAccount's MaxSendRate
    rate: float
    tokens: float
    at: int
    quota: float | None  #: of 24 hours; None: unlimited
    remaining: float  #: of the quota, if there is one
    sending_enabled: bool

    def take(self, want: int, *, urgent: bool, now: int, most: int = 0) -> tuple[Grant, "AccountRate"]:
        """Returns how many calls may start, and the new row. `most`: may be granted in advance; else `want`.

        Urgent mail may empty the bucket and use up the quota; other mail leaves a reserve of both. Nothing is granted in advance
        from the reserve of the quota, because the tenants must share what is left of it.
        """
        elapsed = max(0, now - self.at)
        rate = min(self.ceiling, self.rate + self.ceiling * _CLIMB * elapsed / 1000)
        tokens = min(max(1.0, rate), self.tokens + rate * elapsed / 1000)
        # Below 5/s a reserve is less than one mail and would only starve other mail.
        kept = 0.0 if urgent or rate < 5 else rate * URGENT_RESERVE
        may = max(0, floor(tokens - kept + 1e-6)) if self.sending_enabled else 0
        grant = self._within_quota(min(may, max(want, most)), min(may, want), urgent=urgent)
        return grant, replace(self, rate=rate, tokens=tokens - grant.calls, at=not_ahead(self.at, now))

    def _within_quota(self, most: int, want: int, *, urgent: bool) -> Grant:
        if self.quota is None:
            return Grant(most)
        reserve = floor(self.quota * QUOTA_RESERVE)
        free = max(0, floor(self.remaining) - reserve)
        if most <= free:
            return Grant(most, limited=True)
        if want <= free or not urgent:
            return Grant(min(want, free), limited=True)
        left = max(0, floor(self.remaining))
        return Grant(min(want, left), limited=True, reserve_left=min(left, reserve))

    def throttled(self, now: int) -> "AccountRate":
        """The row after a 429 from SES: an empty bucket and a lower rate."""
        return replace(
            self,
            rate=max(min(1.0, self.ceiling), self.rate * _CUT),
            tokens=0.0,
            at=not_ahead(self.at, now),
        )


def of_reserve(left: int, used: int) -> int:
    """How many calls a tenant may take from what is left of the reserve: never more than it leaves to the others.

    `used`: what it took from the reserve before. So one tenant gets at most half of the reserve, however often it asks.
    """
    return max(0, (left - used + 1) // 2)


def shares(
    slots: int, waiting: Mapping[int, int], weights: Mapping[int, int], chance: float
) -> dict[int, int]:
    """Divides free slots among classes by weight. Classes without due turns get none, and their share goes to the others.

    `waiting` is the number of due turns by class. `chance` (0 to below 1) decides how fractions are rounded: with a new random
    value for each call, a class whose share is below one slot is served too.
    """
    due = [class_ for class_ in sorted(waiting) if waiting[class_] > 0]
    total = sum(weights[class_] for class_ in due)
    out, weight, given = dict.fromkeys(waiting, 0), 0, 0
    for class_ in due:
        weight += weights[class_]
        so_far = min(slots, floor(slots * weight / total + chance))
        out[class_], given = so_far - given, so_far
    return out
