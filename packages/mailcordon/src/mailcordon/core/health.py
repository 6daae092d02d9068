"""When a process counts as running, and what keeps all queued mail from leaving.

Each process writes a row every two seconds. Without a dispatcher, and while the account may not send, no mail leaves, whatever
the state of its lane.
"""

from dataclasses import dataclass
from math import floor
from typing import Literal, NamedTuple, get_args

from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.messages import reasons, times

Role = Literal["api", "dispatch", "observe", "control", "smtp", "dashboard"]
ROLES: tuple[Role, ...] = get_args(Role)
#: Roles that an installation may do without: one that never reported is no problem.
OPTIONAL_ROLES: frozenset[Role] = frozenset({"smtp", "dashboard"})

BEAT_EVERY = 2.0  #: seconds between two reports of a process
#: Four reports missed: a garbage collection or a slow commit is no silence. Milliseconds.
SILENT_AFTER_MS = 10_000
FORGET_AFTER_MS = 3_600_000  #: the row of a process that ended is kept this long, to be seen

#: Share of the day's quota that is kept for urgent mail.
QUOTA_RESERVE = 0.1


def silent(beat: int | None, now: int) -> bool:
    """Whether a process whose last report is this old counts as not running. Times are milliseconds since 1970.

    A report from the future says nothing of now: the database's clock was set back after it.
    """
    return beat is None or abs(now - beat) > SILENT_AFTER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outflow:
    """What is known of the way out, as of one time."""

    now: int
    dispatch_beat: int | None  #: the last report of any dispatcher
    account_known: bool  #: GetAccount has answered
    enabled: bool = True  #: sending is switched on for the account
    quota: float | None = None  #: of 24 hours; None: unlimited
    quota_left: float = 0.0


class Halt(NamedTuple):
    reason: Reason
    sentence: str


def halt(outflow: Outflow, class_: Class) -> Halt | None:
    """Why no queued mail of this class leaves now, or None."""
    if silent(outflow.dispatch_beat, outflow.now):
        since = None if outflow.dispatch_beat is None else times.minute(outflow.dispatch_beat)
        return Halt(Reason.NO_DISPATCHER, reasons.no_dispatcher(since))
    if not outflow.account_known:
        return Halt(Reason.RATE_UNKNOWN, reasons.rate_unknown())
    if not outflow.enabled:
        return Halt(Reason.ACCOUNT_PAUSED, reasons.account_paused())
    if outflow.quota is not None:
        if outflow.quota_left < 1:
            return Halt(Reason.DAILY_QUOTA, reasons.quota_used_up())
        if class_ is not Class.URGENT and only_reserve(outflow.quota, outflow.quota_left):
            return Halt(Reason.DAILY_QUOTA, reasons.quota_reserved())
    return None


def only_reserve(quota: float, left: float) -> bool:
    """Whether what is left of the day's quota is kept for urgent mail. As send/limits.py divides it."""
    return floor(left) <= floor(quota * QUOTA_RESERVE)
