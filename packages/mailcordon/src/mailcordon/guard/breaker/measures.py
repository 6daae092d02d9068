"""What each signal may do, what is normal of it, and how sure the breaker must be (detection.md, sections 3, 4, 6 and 7)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.delays import Signal

#: The order of signals in arrays.
SIGNALS = (Signal.BOUNCES, Signal.COMPLAINTS, Signal.BLOCKS, Signal.DELAYS)
BOUNCES, COMPLAINTS, BLOCKS, DELAYS = range(4)
#: Signals whose evidence may hold a whole lane. The others touch the lane's mail to one provider.
LANE_SIGNALS = (BOUNCES, COMPLAINTS)
PROVIDER_SIGNALS = (BLOCKS, DELAYS)

DAY = 1440  #: minutes
HOUR = 60

#: Multiples of the usual rate, and of the ceiling, that are looked for.
RELATIVE = (1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 25.0)
ABSOLUTE = (1.4, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Rates are shares of the mail sent."""

    floor: float  #: a better usual rate counts as this
    ceiling: float  #: the highest rate that is accepted as healthy
    prior: float  #: of a lane that nothing is known of
    prior_variation: float  #: between lanes, as a coefficient of variation
    share: float  #: of its scope's budget
    most: Level
    cool_minutes: int  #: from a stop to the first probe
    probe_mails: int  #: that a probe may let leave


MEASURES: Mapping[Signal, Measure] = {
    Signal.BOUNCES: Measure(
        floor=0.004,
        ceiling=0.03,
        prior=0.008,
        prior_variation=0.9,
        share=0.56,
        most=Level.CORDON,
        cool_minutes=6 * HOUR,
        probe_mails=400,
    ),
    Signal.COMPLAINTS: Measure(
        floor=0.00015,
        ceiling=0.001,
        prior=0.0003,
        prior_variation=1.0,
        share=0.44,
        most=Level.CORDON,
        cool_minutes=24 * HOUR,
        probe_mails=6000,
    ),
    # Ceilings of blocks and delays are ours: there is no line of AWS or of a provider.
    Signal.BLOCKS: Measure(
        floor=0.0004,
        ceiling=0.01,
        prior=0.0008,
        prior_variation=0.9,
        share=0.15 * 0.75,
        most=Level.CORDON,
        cool_minutes=6 * HOUR,
        probe_mails=400,
    ),
    Signal.DELAYS: Measure(
        floor=0.004,
        ceiling=0.08,
        prior=0.008,
        prior_variation=0.9,
        share=0.15 * 0.25,
        most=Level.THROTTLE,
        cool_minutes=6 * HOUR,
        probe_mails=400,
    ),
}
#: Of lists that people asked for the ceiling for bounces is lower.
_MARKETING_BOUNCES = 0.025

#: Shares of a signal's budget: all mail of the lane, its providers apart, and its new campaigns and lists.
WHOLE, PROVIDERS, FRESH = 0.30, 0.25, 0.25
FRESH_A_DAY = 7  #: new campaigns and lists with a share of the budget
FRESH_MINUTES = 10 * DAY

#: Days between two false actions of a healthy lane, by class.
DAYS_BETWEEN: Mapping[Class, Mapping[Level, float]] = {
    Class.URGENT: {Level.WARN: 3_650.0, Level.THROTTLE: 36_500.0, Level.CORDON: 3_650_000.0},
    Class.TRANSACTIONAL: {Level.WARN: 3_650.0, Level.THROTTLE: 36_500.0, Level.CORDON: 365_000.0},
    Class.MARKETING: {Level.WARN: 365.0, Level.THROTTLE: 3_650.0, Level.CORDON: 36_500.0},
}
#: Of pooled keys, whatever the class of their members.
POOL_DAYS = 36_500.0


def ceiling(signal: Signal, class_: Class) -> float:
    if signal is Signal.BOUNCES and class_ is Class.MARKETING:
        return _MARKETING_BOUNCES
    return MEASURES[signal].ceiling


def odds(rate: float) -> float:
    """The intensity that bounds a Bernoulli outcome's hazard (detection.md, section 4: why the promise holds)."""
    return rate / (1.0 - rate)


_LEVELS = 13  #: dyadic levels that share a day's weight
_PERIOD = 1 << (_LEVELS - 1)


def _weights() -> list[float]:
    total = 0.0
    found = [0.0]
    for minute in range(1, _PERIOD + 1):
        zeros = (minute & -minute).bit_length() - 1
        total += (2.0 ** (zeros + 1) if zeros < _LEVELS - 1 else 2.0 ** (_LEVELS - 1)) / (DAY * _LEVELS)
        found.append(total)
    return found


_BEFORE = _weights()


def weight_until(minute: int) -> float:
    """The sum of the start weights of a key's minutes 1 to `minute`, counted from its birth. About 1 a day."""
    periods, rest = divmod(minute, _PERIOD)
    return periods * _BEFORE[_PERIOD] + _BEFORE[rest]


LOG_RELATIVE = tuple(math.log(each) for each in RELATIVE)
LOG_ABSOLUTE = tuple(math.log(each) for each in ABSOLUTE)
