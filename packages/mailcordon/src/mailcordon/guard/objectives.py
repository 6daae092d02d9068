"""Service level objectives of a lane: what its mail must reach, how much of the error budget is left, and how fast it goes.

An objective allows a share of the mail to be bad over some weeks: not delivered, delivered late, bounced or complained about.
That share of the mail of the last weeks is the error budget. A burn rate is how many times the allowed share a window has.

E-mail comes in bursts, so a rate alone says little: 3 bad mails of 5 at night burn 30 times the allowed share and cost nothing.
An alarm therefore also wants the window to have spent a part of the budget of weeks, and evidence that luck does not explain.
"""

import bisect
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.guard.delays import DEFAULTS, Signal
from mailcordon.guard.policy.effective import ObjectivePolicy

DAY = 1440  #: minutes


class Goal(StrEnum):
    """What an objective is about."""

    DELIVERED = "delivered"  #: the share that is delivered
    DELIVERY_TIME = "delivery-time"  #: from accept to delivered
    BOUNCES = "bounces"
    COMPLAINTS = "complaints"


#: Of 95 % of the mail: one in twenty may be later.
MAY_BE_LATE = 0.05

#: Upper ends in seconds of the classes of time from accept to delivered that are counted. A last class has the rest.
TIME_BOUNDS = (
    *(1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800),
    *(3600, 7200, 14400, 28800, 86400),
)
TIME_CLASSES = len(TIME_BOUNDS) + 1


def time_class(seconds: float) -> int:
    """The class that a time from accept to delivered is counted in. A clock that is behind makes no negative time."""
    return bisect.bisect_left(TIME_BOUNDS, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    goal: Goal
    may_be_bad: float  #: share of the mail, above 0 and below 1
    days: int  #: of the error budget
    seconds: float | None = None  #: of the goal `delivery-time`
    provider: str | None = (
        None  #: word of the mailbox provider whose mail is counted; None: all mail of the lane
    )


def objectives(policy: ObjectivePolicy) -> tuple[Objective, ...]:
    """What a policy asks of a lane: all of its mail, and that of each named mailbox provider by itself."""
    asked: list[tuple[Goal, float | None, float | None]] = [
        (Goal.DELIVERED, None if policy.delivered is None else 1 - policy.delivered, None),
        (
            Goal.DELIVERY_TIME,
            None if policy.delivered_seconds is None else MAY_BE_LATE,
            policy.delivered_seconds,
        ),
        (Goal.BOUNCES, policy.bounces, None),
        (Goal.COMPLAINTS, policy.complaints, None),
    ]
    return tuple(
        Objective(goal=goal, may_be_bad=max(bad, 1e-6), days=policy.days, seconds=seconds, provider=provider)
        for provider in (None, *policy.providers)
        for goal, bad, seconds in asked
        if bad is not None
    )


# What was counted ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Counts of a lane's mail, or of it to one provider, sent in `span` minutes from `start` on (minutes since 1970)."""

    start: int
    span: int
    sent: int = 0
    heard: int = 0  #: of it, to providers that report complaints
    delivered: int = 0
    hard_bounced: int = 0
    bounced: int = 0  #: hard and soft
    gone: int = 0  #: bounced, since the recipient is gone
    complained: int = 0  #: at providers that report complaints
    rejected: int = 0
    #: Ended without a call, or without any report, since then: expired, given up, no outcome.
    not_sent: int = 0
    times: Sequence[int] = ()  #: deliveries by `time_class`, in the time of their delivery
    overdue: int = 0  #: still waits and is later than the objective


@dataclass(frozen=True, slots=True)
class Tally:
    """Bad mail, and the mail that it is a share of: what feedback can have come of by now."""

    bad: int
    of: float

    @property
    def share(self) -> float | None:
        return min(1.0, self.bad / self.of) if self.of > 0 else None


def tally(cells: Iterable[Cell], objective: Objective, since: int, now: int) -> Tally:
    """Of mail since a minute; a cell counts whole if a part of it is later. `now`: minutes since 1970."""
    bad, of = 0, 0.0
    for cell in cells:
        if cell.start + cell.span > since:
            more, mails = _of_cell(cell, objective, now)
            bad += more
            of += mails
    bad = max(0, bad)
    # Feedback that is faster than assumed must not read as a share above 1.
    return Tally(bad, max(of, float(bad)))


def _of_cell(cell: Cell, objective: Objective, now: int) -> tuple[int, float]:
    match objective.goal:
        case Goal.DELIVERED:
            # Mail that nothing is reported of yet is neither: it may be on its way.
            bad = max(0, cell.bounced - cell.gone) + cell.rejected + cell.not_sent
            return bad, float(max(0, cell.delivered) + bad)
        case Goal.DELIVERY_TIME:
            late = sum(cell.times[first_late(objective.seconds or 0.0) :]) + cell.overdue
            return late, float(sum(cell.times) + cell.overdue)
        case Goal.BOUNCES:
            return cell.hard_bounced, cell.sent * _seen(Signal.BOUNCES, cell, now)
        case Goal.COMPLAINTS:
            return cell.complained, cell.heard * _seen(Signal.COMPLAINTS, cell, now)


#: Mail counts as if it were at least so many minutes old: too much exposure only makes an alarm later.
_LEAST_AGE = {Signal.BOUNCES: 1, Signal.COMPLAINTS: 60}


def _seen(signal: Signal, cell: Cell, now: int) -> float:
    """Of the oldest mail of the cell: to credit feedback early is the safe side (detection.md 4)."""
    return _seen_by(signal, max(_LEAST_AGE[signal], now - cell.start + 1))


@functools.lru_cache(maxsize=4096)  # the cells of all lanes have the same ages
def _seen_by(signal: Signal, minutes: int) -> float:
    return DEFAULTS[signal].seen(60.0 * minutes)


def first_late(seconds: float) -> int:
    """The first class all of whose deliveries took longer. An objective between two bounds counts as the higher one."""
    return bisect.bisect_left(TIME_BOUNDS, seconds) + 1


def percentile(times: Sequence[int], share: float) -> float | None:
    """The time from accept to delivered, in seconds, that this share of deliveries did not exceed: the upper end of its class.

    None without deliveries; infinity beyond the last bound."""
    total = sum(times)
    if total <= 0:
        return None
    reached = 0
    for place, count in enumerate(times):
        reached += count
        if reached >= share * total:
            return float(TIME_BOUNDS[place]) if place < len(TIME_BOUNDS) else math.inf
    return math.inf


# Judging ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Two windows that must both burn: the long one is enough mail to judge by, the short one says that it still goes on."""

    name: str
    long: int  #: minutes
    short: int
    burns: float  #: times the allowed share, in both windows
    spends: float  #: share of the whole budget that the long window must have spent


#: The three pairs of Google's SRE workbook (chapter 5): 2 % of the budget in an hour, 5 % in six, 10 % in three days. Short
#: windows are as long as counts of ten minutes and of an hour allow.
PACES = (
    Pace(name="fast", long=60, short=10, burns=14.4, spends=0.02),
    Pace(name="slow", long=360, short=60, burns=6.0, spends=0.05),
    Pace(name="steady", long=3 * DAY, short=360, burns=1.0, spends=0.10),
)
WINDOWS = tuple(sorted({minutes for pace in PACES for minutes in (pace.long, pace.short)}))

LEAST_BAD = 5
#: Nats of the long window against the allowed share: the same as alarms about rates (docs/decisions/043-rate-alarms.md).
THRESHOLD = 10.0
#: An alarm lasts while the evidence is above this and the budget still burns, so that it does not come and go.
ENDS_BELOW = 5.0


class Standing(StrEnum):
    UNKNOWN = "unknown"  #: no mail
    MET = "met"
    BURNING = "burning"  #: an alarm: the budget goes fast
    SPENT = "spent"  #: more bad mail in the time of the budget than it allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the budget goes in the windows of one pace. Rates are times the allowed share."""

    pace: Pace
    long: Tally
    long_rate: float
    short_rate: float
    spent: float  #: share of the whole budget, in the long window
    nats: float
    alarms: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    objective: Objective
    whole: Tally  #: of the time of the budget
    allowed: float  #: bad mails that the budget is
    spent: float  #: share of the budget; above 1: more than there is
    burns: tuple[Burn, ...]
    standing: Standing
    p95_seconds: float | None = None  #: of the time of the budget; of the goal `delivery-time`

    @property
    def left(self) -> float:
        """Share of the budget that is left, 0 to 1."""
        return max(0.0, 1.0 - self.spent)

    @property
    def burning(self) -> Burn | None:
        """The most urgent pace that is an alarm."""
        return next((burn for burn in self.burns if burn.alarms), None)


def judge(
    objective: Objective,
    whole: Tally,
    windows: Mapping[int, Tally],
    *,
    open: bool = False,
    p95_seconds: float | None = None,
) -> Judged:
    """`windows`: by their minutes, all of WINDOWS. `open`: it was an alarm when it was judged last."""
    allowed = whole.of * objective.may_be_bad
    burns = tuple(_burn(pace, objective, allowed, windows, open=open) for pace in PACES)
    spent = whole.bad / allowed if allowed > 0 else 0.0
    if whole.of <= 0:
        standing = Standing.UNKNOWN
    elif any(burn.alarms for burn in burns):
        standing = Standing.BURNING
    else:
        standing = Standing.SPENT if spent > 1 else Standing.MET
    return Judged(
        objective=objective,
        whole=whole,
        allowed=allowed,
        spent=spent,
        burns=burns,
        standing=standing,
        p95_seconds=p95_seconds,
    )


def _burn(
    pace: Pace, objective: Objective, allowed: float, windows: Mapping[int, Tally], *, open: bool
) -> Burn:
    long, short = windows[pace.long], windows[pace.short]
    rates = [0.0 if one.share is None else one.share / objective.may_be_bad for one in (long, short)]
    spent = long.bad / allowed if allowed > 0 else 0.0
    nats = evidence(long, objective.may_be_bad)
    burning = rates[0] >= pace.burns and rates[1] >= pace.burns
    return Burn(
        pace=pace,
        long=long,
        long_rate=rates[0],
        short_rate=rates[1],
        spent=spent,
        nats=nats,
        alarms=burning
        and long.bad >= LEAST_BAD
        and spent >= pace.spends
        and nats >= (ENDS_BELOW if open else THRESHOLD),
    )


def evidence(found: Tally, allowed: float) -> float:
    """How strongly a count speaks for a share above the allowed one, in nats; 0 if it does not."""
    expected = found.of * allowed
    if found.bad <= expected or expected <= 0:
        return 0.0
    return found.bad * math.log(found.bad / expected) - (found.bad - expected)
