"""Does a lane send far more than it usually does at this hour of the week? Finds a loop that mails without end and bounces
nowhere.

The same comparison as the breaker's (detection.md, sections 4 and 8), with mails as the events and hours as the epochs: an hour
varies by nature, so one unusual hour says little, and several say more. Twice the usual is never a runaway, nor are 500 mails a
day (detection.md, section 8: the cap of a lane's day).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WEEK_HOURS = 168
#: Nats that a throttle takes: a healthy lane shows such evidence once in 36,500 days, or less often (detection.md, section 7).
THROTTLE = math.log(36_500)
FLOOR = 500 / 24  #: mails an hour that no lane is stopped for, on average
MARGIN = 2.0  #: times the usual that is no runaway
LOOK_BACK = 48 * 60  #: minutes of mail that a judgement needs
_HISTORY = 8 * WEEK_HOURS  #: hours that are learned from
_HALF_LIFE = 14 * 24  #: hours
_MULTIPLES = (1.5, 3.0, 5.0, 8.0, 13.0, 25.0, 60.0)  #: of what is no runaway; evidence is the mean over them
_FLAT = 1.0  #: weeks of mail spread evenly over the week, that a lane's own weeks are weighed against
_USUAL_CV, _USUAL_HOURS = 0.35, 10.0  #: how much hours vary, and of how many hours this opinion is worth
_LEAST_CV, _BURSTY_CV = 0.2, 1.4
_STEP = 5  #: minutes between two possible starts within the last hours
_FINE_HOURS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """What a lane's hours usually hold."""

    hours: tuple[float, ...]  #: mails of each hour of the week, from hour 0 of 1970 on: WEEK_HOURS of them
    spread: float  #: of an hour around it: 1 / the square of the coefficient of variation
    #: False: the lane is younger than a week, so nothing is known of its hours. Only its days are judged, all together.
    learned: bool
    bursty: bool = False  #: it mails now and then and much at once: `hours` is its busy hour, whatever the hour of the week


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    nats: float  #: evidence that the lane runs away
    since: int  #: minute of the likeliest start
    mails: int  #: since then
    usual: float  #: mails that the lane usually sends in this time

    @property
    def runaway(self) -> bool:
        return self.nats >= THROTTLE


def learn(counts: Sequence[int], end: int, *, planned: float | None = None) -> Normal:
    """`counts`: mails of the lane's hours, all of them from its first one on or of the last eight weeks, oldest first, also the
    hours without mail. `end`: the hour after the last, in hours since 1970. `planned`: mails a day, as the tenant said."""
    if len(counts) < WEEK_HOURS:
        busiest = max((sum(counts[start : start + 24]) for start in range(0, len(counts), 24)), default=0)
        level = (
            max(planned or 0.0, 1.5 * busiest) / 24
        )  # a new lane grows by half a day (detection.md, section 8)
        return Normal(hours=(level,) * WEEK_HOURS, spread=1.0, learned=False)
    counts = counts[-_HISTORY:]
    first = end - len(counts)
    weights = [0.5 ** ((len(counts) - 1 - place) / _HALF_LIFE) for place in range(len(counts))]
    level = sum(w * x for w, x in zip(weights, counts, strict=True)) / sum(weights)
    if level == 0:
        return Normal(hours=(0.0,) * WEEK_HOURS, spread=1 / _USUAL_CV**2, learned=True)
    mails, weeks = [0.0] * WEEK_HOURS, [0.0] * WEEK_HOURS
    for place, (weight, count) in enumerate(zip(weights, counts, strict=True)):
        # An hour earlier or later counts by half: nobody sends by the minute, and clocks change twice a year.
        for beside, share in ((-1, 0.5), (0, 1.0), (1, 0.5)):
            hour = (first + place + beside) % WEEK_HOURS
            mails[hour] += weight * share * count
            weeks[hour] += weight * share
    usual = [(mail + _FLAT * level) / (week + _FLAT) for mail, week in zip(mails, weeks, strict=True)]
    variation = _variation(
        counts, [usual[(first + place) % WEEK_HOURS] for place in range(len(counts))], weights
    )
    if variation > _BURSTY_CV:
        return _bursty(counts)
    upper = [
        mean * (1 + variation / math.sqrt(week + _FLAT)) for mean, week in zip(usual, weeks, strict=True)
    ]
    return Normal(hours=tuple(upper), spread=1 / variation**2, learned=True)


def _variation(counts: Sequence[int], usual: Sequence[float], weights: Sequence[float]) -> float:
    """The coefficient of variation of hours around what is usual, beyond chance (detection.md, section 6.2)."""
    above, below = _USUAL_HOURS * _USUAL_CV**2, _USUAL_HOURS
    for count, mean, weight in zip(counts, usual, weights, strict=True):
        if mean > 0:
            told = weight * (mean / (1 + mean)) ** 2
            above += told * ((count / mean - 1) ** 2 - 1 / mean)
            below += told
    return math.sqrt(max(_LEAST_CV**2, above / below))


def _bursty(counts: Sequence[int]) -> Normal:
    busy = sorted(count for count in counts if count)
    mean = sum(busy) / len(busy)
    variance = sum((count - mean) ** 2 for count in busy) / len(busy)
    cv = max(_USUAL_CV, math.sqrt(variance) / mean)
    most = float(busy[min(len(busy) - 1, int(0.9 * len(busy)))])
    return Normal(hours=(most,) * WEEK_HOURS, spread=1 / cv**2, learned=True, bursty=True)


def judge(normal: Normal, recent: Sequence[tuple[int, int]], minute: int) -> Verdict | None:
    """`recent`: (minute since 1970, mails) of the lane's last LOOK_BACK minutes with mail, in order, `minute` included.
    `minute`: now. None if nothing is unusual enough to be worth the arithmetic."""
    if not normal.learned:
        return _of_days(normal, recent, minute)
    first_hour = (minute - LOOK_BACK) // 60 + 1
    mails = [0] * (minute // 60 - first_hour + 1)
    fine: dict[int, int] = {}  # by the number of five minutes, in the last hours
    for at, count in recent:
        if at > minute or at // 60 < first_hour:
            continue
        mails[at // 60 - first_hour] += count
        if at // 60 > minute // 60 - _FINE_HOURS:
            fine[at // _STEP] = fine.get(at // _STEP, 0) + count
    allowed = [_allowed(normal, first_hour + place) for place in range(len(mails))]
    allowed[-1] *= (minute % 60 + 1) / 60
    if not any(
        count > most for count, most in zip(mails[-_FINE_HOURS:], allowed[-_FINE_HOURS:], strict=True)
    ):
        return None
    best: tuple[float, int] = (-math.inf, minute)
    found: list[float] = []
    for start, weight in _starts(first_hour, minute):
        sent, most = _from(start, first_hour, mails, allowed, fine, minute)
        ratio = math.log(weight) + _ratio(normal.spread, list(zip(sent, most, strict=True)))
        found.append(ratio)
        best = max(best, (ratio, start))
    top = max(found)
    since = best[1]
    sent, expected = _from(since, first_hour, mails, allowed, fine, minute)
    return Verdict(
        nats=top + math.log(sum(math.exp(one - top) for one in found)),
        since=since,
        mails=sum(sent),
        usual=sum(expected) / MARGIN,
    )


def _of_days(normal: Normal, recent: Sequence[tuple[int, int]], minute: int) -> Verdict | None:
    """One epoch from the first mail on, with the allowance of a whole day at once: a campaign leaves in minutes."""
    mine = [(at, count) for at, count in recent if minute - LOOK_BACK < at <= minute]
    if not mine:
        return None
    since, mails = mine[0][0], sum(count for _, count in mine)
    allowed = 24 * _allowed(normal, minute // 60) * max(1.0, (minute - since) / (24 * 60))
    if mails <= allowed:
        return None
    nats = _ratio(normal.spread, [(mails, allowed)])
    return Verdict(nats=nats, since=since, mails=mails, usual=allowed / MARGIN)


def _allowed(normal: Normal, hour: int) -> float:
    return max(FLOOR, MARGIN * normal.hours[hour % WEEK_HOURS])


def _starts(first_hour: int, minute: int) -> list[tuple[int, float]]:
    """Minutes at which it may have begun, with their weights: half of a day's weight of 1 on full hours, half on five minutes."""
    found = [(hour * 60, 0.5 / 24) for hour in range(first_hour, minute // 60 + 1)]
    fine = (minute // 60 - _FINE_HOURS + 1) * 60
    return found + [
        (start, 0.5 / (24 * 60 / _STEP)) for start in range(fine, minute + 1, _STEP) if start % 60
    ]


def _from(
    start: int,
    first_hour: int,
    mails: Sequence[int],
    allowed: Sequence[float],
    fine: dict[int, int],
    minute: int,
) -> tuple[list[int], list[float]]:
    """Mails, and mails that are no runaway, of each hour from a start on."""
    place = start // 60 - first_hour
    sent, most = list(mails[place:]), list(allowed[place:])
    if start % 60:
        hour_ends = min(minute + 1, (start // 60 + 1) * 60)
        sent[0] = sum(fine.get(step, 0) for step in range(start // _STEP, -(-hour_ends // _STEP)))
        most[0] *= (hour_ends - start) / (hour_ends - start // 60 * 60)
    return sent, most


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
