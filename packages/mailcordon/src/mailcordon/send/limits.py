"""Token buckets and ramps. Pure: state and time in, grant and new state out. Times are milliseconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor, log

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRate:
    """The account's send rate: one row per cell, shared by all dispatchers."""

    ceiling: float  #: GetAccount's MaxSendRate
    rate: float
    tokens: float
    at: int
    remaining_24h: float | None  #: None: unlimited
    sending_enabled: bool

    def take(self, want: int, *, urgent: bool, now: int) -> tuple[int, "AccountRate"]:
        """Returns how many calls may start, and the new row. Urgent mail may empty the bucket; other mail leaves the reserve."""
        elapsed = max(0, now - self.at)
        rate = min(self.ceiling, self.rate + self.ceiling * _CLIMB * elapsed / 1000)
        tokens = min(max(1.0, rate), self.tokens + rate * elapsed / 1000)
        # Below 5/s a reserve is less than one mail and would only starve other mail.
        reserve = 0.0 if urgent or rate < 5 else rate * URGENT_RESERVE
        granted = max(0, min(want, floor(tokens - reserve + 1e-6))) if self.sending_enabled else 0
        if self.remaining_24h is not None:
            granted = max(0, min(granted, floor(self.remaining_24h)))
        return granted, replace(self, rate=rate, tokens=tokens - granted, at=not_ahead(self.at, now))

    def throttled(self, now: int) -> "AccountRate":
        """The row after a 429 from SES: an empty bucket and a lower rate."""
        return replace(
            self,
            rate=max(min(1.0, self.ceiling), self.rate * _CUT),
            tokens=0.0,
            at=not_ahead(self.at, now),
        )


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
