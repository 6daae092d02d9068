"""Rates that a person can believe: over the mail whose feedback can have come by now, with an interval.

A rate is `events / exposure`. The exposure is the sum of the mail sent, each weighed by the share of its feedback that has come
by its age (delays.py): never events of today over mail of today, which reads 93 % low an hour after a campaign. Complaints are
counted over the mailbox providers that report them, and what was left out is said.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.guard.delays import DEFAULTS, Signal

#: 95 % of intervals hold the true rate.
_Z = 1.959964
#: A rate is young while less than this share of the feedback has come.
MATURE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of mail with its 95 % interval. All of them 0 to 1."""

    events: int
    sent: int  #: what the events are a share of, whatever its age
    exposure: float  #: of it, what feedback can have come of by now
    rate: float | None  #: None: there is no exposure
    low: float
    high: float
    left_out: float = 0.0  #: share of the mail that went to providers that never report this

    @property
    def young(self) -> bool:
        """Much of the feedback has not come yet: the rate may still move a lot."""
        return self.sent > 0 and self.exposure < MATURE_SHARE * self.sent


def aged(events: int, sent: int, exposure: float, *, left_out: float = 0.0) -> Rate:
    """`exposure`: the sum of `sent` weighed by age. Counts may be negative for a moment while mail moves between cohorts: they
    count as 0."""
    events, sent, exposure = max(0, events), max(0, sent), max(0.0, exposure)
    low, high = wilson(events, exposure)
    rate = min(1.0, events / exposure) if exposure > 0 else None
    return Rate(events, sent, exposure, rate, low, high, left_out)


def complaints(
    complained: int, sent: int, exposure: float, *, silent_complained: int, silent_sent: int
) -> Rate:
    """Over the providers that report complaints. `exposure` is of their mail only; the rest is all of the mail."""
    left_out = max(0, silent_sent) / sent if sent > 0 else 0.0
    return aged(complained - silent_complained, sent - silent_sent, exposure, left_out=min(1.0, left_out))


def wilson(events: float, exposure: float) -> tuple[float, float]:
    """The 95 % score interval of `events` of `exposure` mails, which need not be whole. (0, 1) without exposure.

    Young mail can have more events than exposure; it then counts as if each exposed mail had one.
    """
    count = max(exposure, events)
    if count <= 0:
        return 0.0, 1.0
    share, spread = events / count, _Z * _Z / count
    centre = share + spread / 2
    # Written as a product: of a difference of nearly equal numbers little would be left for rates near 0 and 1.
    half = _Z * math.sqrt((share * (1 - share) + spread / 4) / count)
    low = (share * share) / (centre + half) if share > 0 else 0.0
    high = (centre + half) / (1 + spread)
    return low, min(1.0, high)


#: Rates that healthy mail has, as rankings measure evidence against: means over senders, not limits.
HEALTHY = {Signal.BOUNCES: 0.008, Signal.COMPLAINTS: 0.0003, Signal.BLOCKS: 0.0008}


def evidence(events: float, exposure: float, healthy: float) -> float:
    """How strongly a count speaks for a rate above `healthy`, in nats; below 0: for a lower one.

    Lanes of very different volume compare by it: a rate alone puts one bounce of two mails first, a count the largest lane.
    """
    expected = max(0.0, exposure) * healthy
    if events <= 0 or expected <= 0:
        return -expected
    nats = events * math.log(events / expected) - (events - expected)
    return nats if events >= expected else -nats


class Standing(StrEnum):
    """How a rate compares with another."""

    ABOVE = "above"
    BELOW = "below"
    LIKE = "like"  #: the difference may be chance
    UNKNOWN = "unknown"  #: one of the two has no mail


def standing(now: Rate, other: Rate | None) -> Standing:
    """Whether `now` differs from `other` by more than chance: their intervals are apart."""
    if other is None or now.rate is None or other.rate is None:
        return Standing.UNKNOWN
    if now.low > other.high:
        return Standing.ABOVE
    return Standing.BELOW if now.high < other.low else Standing.LIKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The share of feedback that has come of mail sent in one bucket of time, for each signal."""

    bounces: float
    complaints: float
    blocks: float
    delays: float


def weights(start_ms: int, end_ms: int, now_ms: int) -> Weights:
    """Of mail sent evenly from `start_ms` to `end_ms`, or until now where that is earlier."""
    end_ms = max(start_ms, min(end_ms, now_ms))
    youngest, oldest = (now_ms - end_ms) / 1000, (now_ms - start_ms) / 1000
    return Weights(**{str(signal): law.mean(youngest, oldest) for signal, law in DEFAULTS.items()})


def movement(parts: Iterable[tuple[int, float, int, float]]) -> list[float]:
    """What each part of the mail adds to the change of the whole rate, from (events, exposure) of now and of before.

    The sum is the change. A part whose rate is that of the whole before adds nothing, however much its volume grew: so growth of
    good mail is not blamed, and a part that is worse and grew is.
    """
    lines = list(parts)
    before_exposure = sum(line[3] for line in lines)
    exposure = sum(line[1] for line in lines)
    before = sum(line[2] for line in lines) / before_exposure if before_exposure > 0 else 0.0

    def excess(events: float, mail: float, whole: float) -> float:
        return (events - before * mail) / whole if whole > 0 else 0.0

    return [excess(line[0], line[1], exposure) - excess(line[2], line[3], before_exposure) for line in lines]
