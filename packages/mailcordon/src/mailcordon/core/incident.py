"""Incidents and the alarms that open them: nouns (docs/incidents.md).

An alarm says that something is wrong at present; each round of the incident loop reads all alarms anew. An incident is what
people work with: alarms with the same cause belong to one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


class Kind(StrEnum):
    FEEDBACK_LOST = "feedback-lost"  #: mail whose events do not come back
    UNGOVERNED = "ungoverned"  #: mail in our account that did not pass through us
    DRIFT = "drift"  #: SES has something else than desired
    INTEGRITY = "integrity"  #: events that contradict our records: a forged or unknown tag, a mail sent twice
    SES_STATUS = "ses-status"  #: SES stopped or throttles the account, a tenant or a set
    SES_FINDING = "ses-finding"  #: SES's own findings: bounces, complaints, FEEDBACK_3P, IP_LISTING
    STUCK = "stuck"  #: mail that may leave and does not
    BACKLOG = "backlog"  #: a lane or queue that refuses more
    DOMAIN_LAPSED = "domain-lapsed"
    BREAKER = "breaker"  #: what the breaker decided, or that it may not act on a lane
    RATES = "rates"  #: a lane's bounces or complaints
    OBJECTIVE = "objective"  #: a lane's error budget goes too fast
    ROLLOUT = "rollout"  #: a rollout went back by itself: the new path of its lanes harms mail
    SERVICE = "service"  #: a process, a partition, a clock: Mailcordon itself


def runbook(kind: str) -> str:
    """Its page in the docs: what it means, whom it touches, what to check and do, and how one knows that it is over."""
    return f"docs/runbooks/{kind}.md"


class ScopeKind(StrEnum):
    CELL = "cell"
    PROCESS = "process"
    SET = "set"
    IDENTITY = "identity"
    TENANT = "tenant"
    LANE = "lane"
    PROVIDER = "provider"
    CAMPAIGN = "campaign"
    LIST = "list"
    CALLER = "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is concerned, e.g. the lane `acme/newsletter`."""

    kind: ScopeKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What somebody, or a program, did about it, as its own record says."""

    key: str  #: identifies the record, e.g. `hold:12`: the same action is entered once
    at: int  #: milliseconds since 1970
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that is wrong at present. Times are milliseconds since 1970."""

    key: str  #: the same as long as the same thing is wrong, e.g. `loss:12`
    kind: Kind
    #: What it is due to, e.g. `set:mc-urgent`. Open alarms with the same cause are one incident.
    cause: str
    severity: Severity
    scope: Scope
    sentence: str  #: what is wrong and whose it is
    next: str  #: what to do, or what happens by itself
    command: str | None = None  #: one command to paste
    since: int  #: when it began, as far as can be told
    tenant: int | None = None  #: whose it is; None: the platform's
    lane: int | None = None
    culprit: str | None = None  #: who or what is at fault, in words; None: not known yet
    tenants: frozenset[int] = frozenset()  #: others who are concerned
    #: Causes that explain this alarm: while an incident of one of them is open, it belongs there.
    explained_by: tuple[str, ...] = ()
    contained: bool = False  #: it still shows, and does no more harm, e.g. since the lane is held
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])
    actions: tuple[Action, ...] = ()
