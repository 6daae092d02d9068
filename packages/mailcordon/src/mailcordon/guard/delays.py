"""How long after a mail's call its feedback comes: the share seen by an age, for each signal.

A count of feedback is only fair against the mail whose feedback can have come by now. The defaults follow from how SMTP and
feedback loops work: a refusal in the SMTP dialogue comes in seconds, one after retries or forwarding in hours; a person complains
hours after the mail arrived.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

_MINUTE = 60.0
_HOUR = 3600.0


class Signal(StrEnum):
    """What is measured as a rate of the mail sent."""

    BOUNCES = "bounces"  #: hard bounces
    COMPLAINTS = "complaints"
    BLOCKS = "blocks"  #: bounces, hard or soft, that a receiver gave for spam, reputation or policy
    DELAYS = "delays"


@dataclass(frozen=True, slots=True)
class Exponential:
    mean: float  #: seconds

    def seen(self, age: float) -> float:
        return 1.0 - math.exp(-age / self.mean)

    def area(self, age: float) -> float:
        """The integral of `seen` from 0 to `age`."""
        return age - self.mean * self.seen(age)


@dataclass(frozen=True, slots=True)
class Lognormal:
    median: float  #: seconds
    sigma: float  #: of the logarithm

    def seen(self, age: float) -> float:
        return _normal(self._score(age)) if age > 0 else 0.0

    def area(self, age: float) -> float:
        """The integral of `seen` from 0 to `age`."""
        if age <= 0:
            return 0.0
        mean = self.median * math.exp(self.sigma**2 / 2)
        return age * self.seen(age) - mean * _normal(self._score(age) - self.sigma)

    def _score(self, age: float) -> float:
        return (math.log(age) - math.log(self.median)) / self.sigma


@dataclass(frozen=True, slots=True)
class Delay:
    """A mixture of laws: `parts` are shares, whose sum is 1, with their laws."""

    parts: tuple[tuple[float, Exponential | Lognormal], ...]
    mature: float  #: seconds; practically all feedback has come by this age

    def seen(self, age: float) -> float:
        """The share of feedback that has come `age` seconds after the call. 0 for an age that is not positive."""
        if age <= 0:
            return 0.0
        return sum(share * law.seen(age) for share, law in self.parts)

    def mean(self, youngest: float, oldest: float) -> float:
        """The same for mail sent evenly over a time: its ages are `youngest` to `oldest` seconds."""
        youngest, oldest = max(0.0, youngest), max(0.0, oldest)
        if oldest - youngest < 1e-3:
            return self.seen(oldest)
        area = sum(share * (law.area(oldest) - law.area(youngest)) for share, law in self.parts)
        return min(1.0, max(0.0, area / (oldest - youngest)))


#: Until the fleet's own are learned. Upper bounds: a law that is too fast makes a rate too low and late, never too high.
DEFAULTS = {
    Signal.BOUNCES: Delay(
        ((0.85, Exponential(20)), (0.10, Lognormal(15 * _MINUTE, 1.0)), (0.05, Lognormal(6 * _HOUR, 1.0))),
        mature=48 * _HOUR,
    ),
    Signal.COMPLAINTS: Delay(((1.0, Lognormal(6 * _HOUR, 1.2)),), mature=96 * _HOUR),
    Signal.BLOCKS: Delay(((0.90, Exponential(20)), (0.10, Lognormal(30 * _MINUTE, 1.0))), mature=24 * _HOUR),
    Signal.DELAYS: Delay(((1.0, Lognormal(12 * _MINUTE, 0.8)),), mature=24 * _HOUR),
}


def _normal(score: float) -> float:
    return 0.5 * math.erfc(-score / math.sqrt(2))
