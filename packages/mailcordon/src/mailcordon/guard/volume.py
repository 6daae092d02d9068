"""Does a lane send far more than it usually does at this hour of the week? Finds a loop that mails without end and bounces
nowhere.

The same comparison as the breaker's (detection.md, sections 4 and 8), with mails as the events and hours as the epochs: an hour
varies by nature, so one unusual hour says little, and several say more. Twice the usual is never a runaway, nor are 500 mails a
day (detection.md, section 8: the cap of a lane's day). Mail does not come evenly: the allowance of an hour may be used at once.

A lane that mails now and then and much at once has no usual hours, and a new lane none yet: they are judged by their last 24
hours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WEEK_HOURS = 168
LOOK_BACK = 48  #: hours of mail that a judgement needs, the running one included
HISTORY = 8 * WEEK_HOURS  #: hours that are learned from
#: Nats that a throttle takes: a healthy lane shows such evidence once in 36,500 days, or less often (detection.md, section 7).
THROTTLE = math.log(36_500)
FLOOR = 500  #: mails a day that no lane is stopped for
MARGIN = 2.0  #: times the usual that is no runaway
_HALF_LIFE = 14 * 24  #: hours
_MULTIPLES = (1.5, 3.0, 5.0, 8.0, 13.0, 25.0, 60.0)  #: of what is no runaway; evidence is the mean over them
_FLAT = 1.0  #: weeks of mail spread evenly over the week, that a lane's own weeks are weighed against
_HOURS_VARY, _OF_HOURS = (
    0.35,
    10.0,
)  #: coefficient of variation of hours, and of how many hours this opinion is worth
_DAYS_VARY, _OF_DAYS = 0.6, 5.0  #: the same of the days of a lane that mails now and then
_LEAST = 0.2
_BURSTY_VARIATION = 1.4
_BURSTY_SHARE = 0.08  #: of the hours, that hold half of a bursty lane's mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """What a lane usually sends: mails of each hour of the week, from hour 0 of 1970 on, or of a day with mail."""

    hours: tuple[float, ...] | None  #: WEEK_HOURS of them; None: only days can be judged
    day: float
    spread: float  #: of hours, or days, around it: 1 / the square of the coefficient of variation
    learned: bool  #: False: the lane is younger than a week


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    nats: float  #: evidence that the lane runs away
    since: int  #: the likeliest first hour, in hours since 1970
    mails: int  #: from then on
    usual: float  #: mails that the lane usually sends in this time

    @property
    def runaway(self) -> bool:
        return self.nats >= THROTTLE


def learn(counts: Sequence[int], end: int, *, planned: float | None = None) -> Normal:
    """`counts`: mails of the lane's hours, all of them from its first one on or of the last eight weeks, oldest first, also the
    hours without mail. `end`: the hour after the last, in hours since 1970. `planned`: mails a day, as the tenant said."""
    if len(counts) < WEEK_HOURS:
        day = max(planned or 0.0, max(_days(counts), default=0))
        return Normal(hours=None, day=day, spread=1.0, learned=False)
    counts = counts[-HISTORY:]
    if not any(counts):
        return Normal(hours=None, day=planned or 0.0, spread=1.0, learned=True)
    if _half_in(counts) <= _BURSTY_SHARE:
        return _bursty(counts, planned)
    first = end - len(counts)
    weights = [0.5 ** ((len(counts) - 1 - place) / _HALF_LIFE) for place in range(len(counts))]
    level = sum(weight * count for weight, count in zip(weights, counts, strict=True)) / sum(weights)
    mails, weeks = [0.0] * WEEK_HOURS, [0.0] * WEEK_HOURS
    for place, (weight, count) in enumerate(zip(weights, counts, strict=True)):
        # An hour earlier or later counts by half: nobody sends by the minute, and clocks change twice a year.
        for beside, share in ((-1, 0.5), (0, 1.0), (1, 0.5)):
            hour = (first + place + beside) % WEEK_HOURS
            mails[hour] += weight * share * count
            weeks[hour] += weight * share
    usual = [(mail + _FLAT * level) / (week + _FLAT) for mail, week in zip(mails, weeks, strict=True)]
    vary = _variation(counts, [usual[(first + place) % WEEK_HOURS] for place in range(len(counts))], weights)
    if vary > _BURSTY_VARIATION:
        return _bursty(counts, planned)
    upper = [mean * (1 + vary / math.sqrt(week + _FLAT)) for mean, week in zip(usual, weeks, strict=True)]
    return Normal(hours=tuple(upper), day=24 * level, spread=1 / vary**2, learned=True)


def judge(normal: Normal, recent: Sequence[int], hour: int) -> Verdict | None:
    """`recent`: mails of the lane's last hours, oldest first, LOOK_BACK of them or all there are; the last is `hour`, the running
    one, in hours since 1970. None if nothing is unusual enough to be worth the arithmetic."""
    recent = recent[-LOOK_BACK:]
    if normal.hours is None:
        return _of_day(normal, recent[-24:], hour)
    first = hour - len(recent) + 1
    allowed = [
        max(FLOOR / 24, MARGIN * normal.hours[(first + place) % WEEK_HOURS]) for place in range(len(recent))
    ]
    if not any(mails > most for mails, most in zip(recent[-2:], allowed[-2:], strict=True)):
        return None
    # Every hour may be the first, and a day of them weighs 1.
    ratios = [
        -math.log(24) + _ratio(normal.spread, list(zip(recent[start:], allowed[start:], strict=True)))
        for start in range(len(recent))
    ]
    top = max(ratios)
    start = ratios.index(top)
    return Verdict(
        nats=top + math.log(sum(math.exp(one - top) for one in ratios)),
        since=first + start,
        mails=sum(recent[start:]),
        usual=sum(normal.hours[(first + place) % WEEK_HOURS] for place in range(start, len(recent))),
    )


def _of_day(normal: Normal, recent: Sequence[int], hour: int) -> Verdict | None:
    mails, allowed = sum(recent), max(FLOOR, MARGIN * normal.day)
    if mails <= allowed:
        return None
    start = next(place for place, count in enumerate(recent) if count)
    return Verdict(
        nats=_ratio(normal.spread, [(mails, allowed)]),
        since=hour - len(recent) + 1 + start,
        mails=mails,
        usual=normal.day,
    )


def _ratio(spread: float, epochs: Sequence[tuple[int, float]]) -> float:
    """The logarithm of the mean likelihood ratio, of many times what is allowed against what is allowed. `epochs`: mails, and
    mails that are no runaway."""
    logs = [
        math.fsum(
            mails * math.log(multiple)
            - (spread + mails) * math.log1p((multiple - 1) * allowed / (spread + allowed))
            for mails, allowed in epochs
        )
        for multiple in _MULTIPLES
    ]
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))


def _variation(counts: Sequence[int], usual: Sequence[float], weights: Sequence[float]) -> float:
    """The coefficient of variation of hours around what is usual, beyond chance (detection.md, section 6.2)."""
    above, below = _OF_HOURS * _HOURS_VARY**2, _OF_HOURS
    for count, mean, weight in zip(counts, usual, weights, strict=True):
        told = weight * (mean / (1 + mean)) ** 2
        above += told * ((count / mean - 1) ** 2 - 1 / mean)
        below += told
    return math.sqrt(max(_LEAST**2, above / below))


def _half_in(counts: Sequence[int]) -> float:
    """The share of the hours, the busiest first, that hold half of the mail."""
    left, hours = sum(counts) / 2, 0
    for count in sorted(counts, reverse=True):
        left -= count
        hours += 1
        if left <= 0:
            break
    return hours / len(counts)


def _bursty(counts: Sequence[int], planned: float | None) -> Normal:
    busy = sorted(day for day in _days(counts) if day)
    mean = sum(busy) / len(busy)
    variance = sum((day - mean) ** 2 for day in busy) / len(busy) / mean**2
    # Of few days neither how much they vary nor how large they are is known well.
    cv_squared = (_OF_DAYS * _DAYS_VARY**2 + len(busy) * variance) / (_OF_DAYS + len(busy)) + 1 / (
        1 + len(busy)
    )
    most = busy[min(len(busy) - 1, int(0.9 * len(busy)))]
    return Normal(hours=None, day=max(planned or 0.0, float(most)), spread=1 / cv_squared, learned=True)


def _days(counts: Sequence[int]) -> list[int]:
    """Sums of 24 hours, back from the end, which is now."""
    return [sum(counts[max(0, end - 24) : end]) for end in range(len(counts), 0, -24)]
