"""A problem: what a person should look at, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from mailcordon.core.incident import Action, Scope, Severity

Check = Literal[
    "roles",
    "waiting mail",
    "stops",
    "set-aside mail",
    "account",
    "feedback",
    "unknown outcomes",
    "resources at SES",
    "findings of SES",
    "backlogs",
    "domains",
    "IP pools",
    "rollouts",
    "partitions",
    "default partitions",
    "quarantine",
    "incidents",
    "snapshots",
    "clocks",
]
CHECKS: tuple[Check, ...] = get_args(Check)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a problem is about, for the incident that it belongs to (core/incident.py)."""

    scope: Scope
    cause: str  #: as in `Alarm`: problems with the same cause are one incident
    key: str = ""  #: tells it from others with the same code and cause, e.g. the number of a row
    culprit: str | None = None  #: None: not known yet
    severity: Severity | None = None  #: None: that of the code (control/alarms.py)
    command: str | None = None  #: one to paste
    lane: int | None = None
    explained_by: tuple[str, ...] = ()
    contained: bool = False
    sentence: str | None = None  #: one that does not change from second to second; None: the problem's
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    code: str
    check: Check
    sentence: str
    next: str  #: what to do, or what happens by itself
    whose: str | None = None  #: the tenant's slug; None: the platform's
    since: int | None = None  #: milliseconds since 1970
    about: About | None = None  #: None: it opens no incident
