"""Incidents as the loop has them: what a round reads, and what it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mailcordon.core.incident import Alarm, Kind, Scope, Severity

AUTHOR = "mailcordon"  #: of what the loop enters

What = Literal[
    "opened", "reopened", "worsened", "joined", "identified", "action", "contained", "mitigated", "closed"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Times are milliseconds since 1970."""

    id: int | None  #: None: not stored yet
    cause: str
    kind: Kind
    severity: Severity  #: the worst that it had since it was opened or reopened
    scope: Scope
    tenant: int | None
    lane: int | None
    culprit: str | None
    sentence: str
    next: str
    command: str | None
    since: int
    opened_at: int
    identified_at: int | None = None
    mitigated_at: int | None = None
    mitigated_by: str | None = None
    closed_at: int | None = None
    closed_by: str | None = None
    closed_because: str | None = None
    seen_at: int  #: when any of its alarms was there last
    cause_seen_at: int  #: and one of its own cause, not one that it explains
    alarms: int = 0  #: that it ever had
    entries: int = 0  #: of its timeline
    concerned: frozenset[int] = frozenset()
    evidence: Mapping[str, object] = field(default_factory=dict[str, object], compare=False)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An alarm of an incident that has not ended."""

    key: str
    source: str
    cause: str
    severity: Severity
    contained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An incident with its alarms that have not ended, and the records of actions that are entered."""

    incident: Incident
    held: Mapping[str, Held] = field(default_factory=dict[str, Held])
    listed: frozenset[str] = frozenset()  #: alarms that it has, or had, in its list
    actions: frozenset[str] = frozenset()
    written_at: int = 0  #: when this process wrote its text last
    is_partial: bool = (
        False  #: read from the database, whose list is full: what is not in it may have been counted
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    at: int
    what: What
    text: str
    author: str = AUTHOR
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a round writes of one incident, in one transaction with all its other changes."""

    at: int
    after: Kept
    was_open: bool  #: else it was closed; without meaning for a new one
    entries: Sequence[Entry] = ()
    added: Sequence[tuple[Held, Alarm]] = ()  #: to be listed
    changed: Sequence[Held] = ()  #: of those listed
    words: Mapping[str, str] = field(default_factory=dict[str, str])  #: what those listed say now
    ended: Sequence[str] = ()
    part_of: str | None = None  #: it is closed since the open incident of this cause explains it
    reopened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database has for a round."""

    now: int
    incidents: Sequence[Incident]  #: that are open, or closed a short while ago, or that still have alarms
