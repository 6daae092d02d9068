"""Incidents as people read them: all to the platform, to a tenant what concerns it and names nobody else."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailcordon.core.incident import Kind, Severity
from mailcordon.messages import incidents as messages

MOST_NOTES = 1_000  #: of one incident
LONGEST_TIMELINE = 2_000  #: entries shown
MOST_CHANGES = 200  #: of the audit trail that are shown among them
#: What people do about mail, by the actions of the audit trail. Holds that they place are entered by the alarms.
CHANGES = ("hold.lift", "lane.rate", "delivery.cancel", "message.cancel", "breaker.accept", "breaker.probe")

_KEY = re.compile(r"mc-[a-z0-9]{8,60}")
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """Times are milliseconds since 1970."""

    id: int
    kind: Kind
    cause: str
    severity: Severity
    scope: str
    name: str
    tenant: str | None  #: slug; None: the platform's
    type: str | None  #: of the lane
    culprit: str | None
    sentence: str
    next: str
    command: str | None
    since: int
    opened_at: int
    identified_at: int | None
    mitigated_at: int | None
    mitigated_by: str | None
    reported_at: int | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    closed_at: int | None
    closed_by: str | None
    closed_because: str | None
    part_of: int | None
    alarms: int
    concerned: Sequence[str]  #: slugs of other tenants, at most 100
    concerned_count: int
    evidence: Mapping[str, Any]

    @property
    def whose(self) -> str | None:
        """`acme`, or the lane `acme/newsletter`."""
        return self.tenant if self.type is None else f"{self.tenant}/{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    key: str
    kind: Kind
    severity: Severity
    tenant: str | None
    sentence: str
    since: int
    first_seen: int
    ended_at: int | None
    contained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    at: int
    what: str
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A record of the audit trail: what somebody changed about the mail of whose the incident is."""

    at: int
    action: str
    author: str
    object: str
    because: str | None


def timeline(entries: Sequence[EntryView], changes: Sequence[Change]) -> list[EntryView]:
    """Entries and changes in the order of time."""
    told = [
        EntryView(
            at=one.at,
            what="action",
            author=one.author,
            text=messages.entry_change(action=one.action, object=one.object, because=one.because),
        )
        for one in changes
    ]
    return sorted([*entries, *told], key=lambda entry: entry.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    incident: IncidentView
    alarms: Sequence[AlarmView]
    timeline: Sequence[EntryView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnView:
    """An incident as a tenant sees it."""

    id: int
    kind: Kind
    severity: Severity
    since: int
    opened_at: int
    identified_at: int | None
    mitigated_at: int | None
    reported_at: int | None
    closed_at: int | None
    own: bool  #: it is the tenant's; else the platform's, and concerns it
    sentence: str | None  #: None: it cannot be told without naming others
    culprit: str | None

    @property
    def says(self) -> str:
        return self.sentence or messages.own_sentence(kind=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAlarm:
    kind: Kind
    severity: Severity
    sentence: str
    since: int
    first_seen: int
    ended_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a tenant is told of an incident."""

    tenant: str
    incident: OwnView
    alarms: Sequence[OwnAlarm]  #: what was wrong of its own
    actions: Sequence[tuple[int, str]]  #: with their times
    holds: Sequence[str]  #: that keep its mail now

    def with_holds(self, holds: Sequence[str]) -> "Report":
        return dataclasses.replace(self, holds=holds)

    @property
    def resume(self) -> str:
        found = self.incident
        if self.holds:
            return messages.resume_held(holds=len(self.holds))
        if found.closed_at is not None or found.mitigated_at is not None:
            return messages.resume_over()
        return messages.resume(kind=found.kind, own=found.own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of the incidents of one group. Durations are milliseconds; None: there are none."""

    kind: Kind | None
    month: str | None  #: `2026-11`
    incidents: int
    open: int
    identified: int
    identify_median: int | None
    identify_p95: int | None
    mitigated: int
    mitigate_median: int | None
    mitigate_p95: int | None
    customer_first: int  #: that a customer reported before it was known whose fault it was


class IncidentReads(Protocol):
    """Also `control.lookup.TenantNames`."""

    async def page(
        self,
        *,
        is_open: bool | None,
        kind: str | None,
        tenant: int | None,
        severity: str | None,
        before: int | None,
        limit: int,
    ) -> list[IncidentView]: ...

    async def detail(self, id: int) -> Detail:
        """Raises NotFound."""
        ...

    async def own_page(
        self,
        tenant: int,
        *,
        is_open: bool | None,
        kind: str | None,
        severity: str | None,
        before: int | None,
        limit: int,
    ) -> list[OwnView]:
        """As the tenant."""
        ...

    async def report(self, tenant: int, slug: str, id: int, *, as_tenant: bool) -> Report:
        """Without holds. Raises NotFound if it does not concern the tenant."""
        ...

    async def without_others(self, tenant: int, texts: Sequence[str]) -> list[str]:
        """Those of these texts that name no other tenant."""
        ...

    async def times(self, since: int, *, by_kind: bool, by_month: bool) -> list[Times]: ...

    async def tenant_id(self, slug: str) -> int | None: ...


class IncidentChanges(Protocol):
    """What people do with an incident. Each raises NotFound, and Conflict where it makes no sense any more."""

    async def note(self, id: int, text: str, *, actor: str) -> None: ...

    async def acknowledge(self, id: int, *, actor: str) -> None: ...

    async def close(self, id: int, because: str, *, actor: str) -> None: ...

    async def reported(self, id: int, at: int | None, *, actor: str) -> None:
        """`at`: when a customer reported it first; None: nobody did."""
        ...


def words_of(texts: Sequence[str | None]) -> list[str]:
    """What could be a name, for a look whether it is another tenant's."""
    found: set[str] = set()
    for text in texts:
        for word in _WORD.findall((text or "").lower()):
            found.add(word)
            found.update(part for part in re.split(r"[^a-z0-9-]+", word) if part)
            labels = word.split(".")
            found.update(".".join(labels[n:]) for n in range(1, len(labels) - 1))  # what it is a subdomain of
            found.update(_KEY.findall(word))  # names at SES begin with a tenant's key
    return sorted(found)


def names_any(text: str | None, foreign: frozenset[str]) -> bool:
    """Whether a text has one of these words."""
    return bool(foreign & frozenset(words_of([text])))
