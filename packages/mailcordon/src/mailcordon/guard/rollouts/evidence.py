"""Evidence that one path is worse than another by more than a margin, or is not: e-values of two rates.

In one stratum both paths have the same recipients, campaign and hours but for luck, so the stratum's own rate does not
matter: it may be anything. Let the new path have rate `n`, the old one `o`. That the new path is not worse is the
half-plane `n <= ratio o + points`; that it is worse is the rest. Against a convex set of rates, the likelihood ratio of any
alternative to the point of the set that is closest to it (by Kullback-Leibler, weighted by the exposures) has a mean of at
most 1 under every point of the set: safe tests of 2 x 2 tables (Turner, Ly, Gruenwald, "Generic E-variables for exact
sequential k-sample tests", 2024). So strata multiply, evidence may be looked at as often as one likes (Ville's inequality),
and no rate has to be known: a reference that is wrong only makes a test slower.

Counts are compared with exposures: the mails whose feedback can have come by now (detection.md 4). The likelihood is
Poisson's. That is the safe side for mails that each count at most once: the factor of one mail is 1 + x where Poisson's is
e^x.

Late feedback never favours the new path. Where it is accused, its feedback counts as if it came early and the old one's as
it comes. Where it is acquitted, its feedback is assumed to take twice its time, and the old one's to come early. Opens are the
other way round, since of them fewer are worse.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailcordon.guard.delays import DEFAULTS, Delay, Exponential, Lognormal, Signal
from mailcordon.guard.rollouts.nouns import Margin, Measure, Side

#: When the events of a measure come. A Send event comes within seconds; one that is not there after ten minutes is missing.
_PROMPT = DEFAULTS[Signal.BLOCKS]
_OPENS = Delay(((1.0, Lognormal(2 * 3600.0, 1.5)),), mature=96 * 3600.0)
LAWS: dict[Measure, Delay] = {
    Measure.UNREPORTED: Delay(((1.0, Exponential(1)),), mature=600.0),
    Measure.UNDELIVERED: _PROMPT,
    Measure.REFUSED: _PROMPT,
    Measure.SUPPRESSED: _PROMPT,
    Measure.BOUNCED: DEFAULTS[Signal.BOUNCES],
    Measure.DELAYED: DEFAULTS[Signal.DELAYS],
    Measure.LATE: DEFAULTS[Signal.DELAYS],
    Measure.COMPLAINED: DEFAULTS[Signal.COMPLAINTS],
    Measure.OPENED: _OPENS,
}
_PLACES = {
    measure: Side._fields.index(measure.value) for measure in Measure if measure is not Measure.UNREPORTED
}
#: That the events are a share of.
_MAILS = {
    measure: Side._fields.index("heard" if measure is Measure.COMPLAINED else "sent") for measure in _PLACES
}
#: Minutes. A mail whose Send event is missing is not counted before.
MISSING_AFTER = 10
#: Acquittal assumes that feedback of the new path takes so many times as long as the law says.
SLOW = 2.0
_AT_ONCE = 0.0

#: Rates of the alternatives. Worse: so many times what the margin allows. Opened: so many times the least that it allows.
WORSE = (1.5, 3.0, 6.0, 15.0, 50.0)
FEWER = (0.7, 0.4, 0.1)
#: Not worse: both paths have so many times the reference.
ALIKE = (0.5, 1.0, 2.0)


class Seen(NamedTuple):
    """Events, and the mails whose feedback can have come, of both paths."""

    new: int
    new_of: float
    old: int
    old_of: float


def accused(measure: Measure, new: Iterable[Side], old: Iterable[Side], now: int) -> Seen:
    """Both paths of strata that are added up, with exposures for showing that the new one is worse. `now`: minutes since 1970."""
    if measure is Measure.OPENED:
        return Seen(*_one_path(measure, new, now, 1.0), *_one_path(measure, old, now, None))
    return Seen(*_one_path(measure, new, now, None), *_one_path(measure, old, now, 1.0))


def acquitted(measure: Measure, new: Iterable[Side], old: Iterable[Side], now: int) -> Seen:
    """With exposures for showing that the new path is not worse."""
    if measure is Measure.OPENED:
        return Seen(*_one_path(measure, new, now, None), *_one_path(measure, old, now, SLOW))
    return Seen(*_one_path(measure, new, now, SLOW), *_one_path(measure, old, now, None))


def against_all(measure: Measure, new: Iterable[Side], old: Iterable[Side], now: int) -> Seen:
    """Set against all mail, however young. Where no other path has the same feedback, feedback that comes faster than the law
    says would read as a high rate: seven mails that are deferred in their first minute are not seven of seven."""
    return Seen(*_one_path(measure, new, now, _AT_ONCE), *_one_path(measure, old, now, _AT_ONCE))


def _one_path(measure: Measure, sides: Iterable[Side], now: int, slow: float | None) -> tuple[int, float]:
    """Events, and the mails that can have had theirs. `slow`: feedback takes so many times as long as usual; None: all mail is as
    old as the oldest of it; _AT_ONCE: all of it has come. A count below 0 (an outcome moved to another minute, and the feed is
    not there yet) is 0, and feedback that is faster than assumed does not read as a rate above 1."""
    if measure is Measure.UNREPORTED:
        # Counted at an age at which nothing more is to come, so no law is needed.
        found = [side for side in sides if now - side.last >= MISSING_AFTER]
        return sum(max(0, side.sent - side.reported) for side in found), float(
            sum(side.sent for side in found)
        )
    if measure is Measure.LATE:
        # A mail's time is known when it is delivered.
        return sum(max(0, side.late) for side in sides), float(
            sum(max(side.timed, side.late) for side in sides)
        )
    place, mails_place = _PLACES[measure], _MAILS[measure]
    events, exposure = 0, 0.0
    for side in sides:
        count, mails = side[place], float(side[mails_place])
        if count < 0:
            count = 0
        if mails and slow != _AT_ONCE:
            if slow is None:
                mails *= _early(measure, now - side[0])
            else:
                mails *= _mean(measure, now - side[1], now - side[0], slow)
        events += count
        exposure += mails if mails > count else count
    return events, exposure


def added(seen: Iterable[Seen]) -> Seen:
    """Of hours in which the split was the same: their own rates may differ."""
    new = old = 0
    new_of = old_of = 0.0
    for one in seen:
        new, new_of, old, old_of = new + one.new, new_of + one.new_of, old + one.old, old_of + one.old_of
    return Seen(new, new_of, old, old_of)


@functools.lru_cache(maxsize=16384)
def _early(measure: Measure, age: int) -> float:
    """As if all mail were as old as the oldest of it."""
    return LAWS[measure].seen(60.0 * (age + 1))


@functools.lru_cache(maxsize=16384)
def _mean(measure: Measure, youngest: int, oldest: int, slow: float) -> float:
    return LAWS[measure].mean(60.0 * max(0, youngest) / slow, 60.0 * max(0, oldest + 1) / slow)


# Two rates ---------------------------------------------------------------------------------------------------------------


def closest(margin: Margin, new: float, old: float, new_of: float, old_of: float) -> tuple[float, float]:
    """The rates on the margin's line (new, old) that are closest to the given ones, by Kullback-Leibler with these exposures."""
    part = new_of / (new_of + old_of)
    ratio, points = margin.ratio, margin.points
    # The derivative along the line is 0: part ratio (1 - new/(ratio o + points)) + (1 - part)(1 - old/o) = 0, a quadratic in o.
    a = ratio * (part * ratio + 1 - part)
    b = part * ratio * (points - new) + (1 - part) * (points - ratio * old)
    c = -(1 - part) * old * points
    root = (-b + math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)
    root = max(root, 1e-12)
    return ratio * root + points, root


def nats(seen: Seen, margin: Margin, new: float, old: float) -> float:
    """The logarithm of the e-value of one stratum, for the alternative that the rates are `new` and `old`, against the other side
    of the margin's line. 0 if one path has no exposure: then nothing can be said of a difference."""
    if seen.new_of <= 0 or seen.old_of <= 0:
        return 0.0
    null_new, null_old = closest(margin, new, old, seen.new_of, seen.old_of)
    return (
        _terms(seen.new, seen.new_of, new, null_new)
        + _terms(seen.old, seen.old_of, old, null_old)
    )  # fmt: skip


def _terms(count: int, of: float, rate: float, null: float) -> float:
    return (count * math.log(rate / null) if count else 0.0) - of * (rate - null)


def above(count: int, of: float, ceiling: float, rate: float) -> float:
    """Nats for a rate above a ceiling: of one path by itself."""
    return _terms(count, of, rate, ceiling)


# Alternatives ------------------------------------------------------------------------------------------------------------


def worse(measure: Measure, margin: Margin, reference: float) -> tuple[tuple[float, float], ...]:
    """Rates (new, old) of a path that is worse by more than the margin, beside an old path at the reference."""
    if measure is Measure.OPENED:
        return tuple((times * margin.of(reference), reference) for times in FEWER)
    return tuple((min(1.0, times * margin.of(reference)), reference) for times in WORSE)


def alike(reference: float) -> tuple[tuple[float, float], ...]:
    """Rates of two paths that do not differ."""
    return tuple((times * reference, times * reference) for times in ALIKE)


# Mixtures ----------------------------------------------------------------------------------------------------------------


def log_mean(logs: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The logarithm of the mean of e-values, which is an e-value. Weights sum to 1 at most; None: equal ones."""
    if not logs:
        return -math.inf
    most = max(logs)
    if most == -math.inf:
        return most
    each = weights or [1 / len(logs)] * len(logs)
    return most + math.log(sum(weight * math.exp(log - most) for log, weight in zip(logs, each, strict=True)))


def since_any_day(by_day: Iterable[tuple[int, float]]) -> float:
    """Evidence since a day that nobody knows: the mixture of all starts. Days are counted from 1 on; a start on day j has the
    weight 1 / (j (j + 1)), and all of them sum to 1. Health before a change does not hide it (detection.md 4)."""
    days: dict[int, float] = {}
    for day, log in by_day:
        days[day] = days.get(day, 0.0) + log
    logs: list[float] = []
    weights: list[float] = []
    total = 0.0
    for day in sorted(days, reverse=True):
        total += days[day]
        logs.append(total)
        weights.append(1 / (day * (day + 1)))
    return log_mean(logs, weights)
