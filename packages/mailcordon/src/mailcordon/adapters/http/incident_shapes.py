"""The JSON of incidents, as it is answered: to the platform, and to a tenant what concerns it."""

from typing import Any

import msgspec

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.shapes import Time
from mailcordon.core.incident import runbook
from mailcordon.messages import reasons
from mailcordon.observe.incidents import culprits
from mailcordon.observe.incidents.view import (
    AlarmView,
    Detail,
    EntryView,
    IncidentView,
    OwnView,
    Report,
    Times,
)


class IncidentItem(msgspec.Struct):
    """A tenant's key sees what concerns it: what is the platform's, or names others, is null or empty."""

    id: int
    kind: str
    severity: str  #: the worst so far
    open: bool
    detail: str  #: what is wrong, and whose it is
    next: str | None  #: what to do, or what happens by itself
    command: str | None
    runbook: str | None  #: the page of the docs that says how to work with this kind; null for a tenant's key
    cause: str | None  #: what its alarms have in common
    scope: str | None
    name: str | None
    tenant: str | None  #: whose it is; null: the platform's
    type: str | None
    culprit: str | None  #: who or what is at fault; null: not known yet
    since: Time  #: when it began, as far as can be told
    opened_at: Time
    identified_at: Time | None  #: when the culprit was known
    identify_seconds: float | None  #: from `since` on
    mitigated_at: Time | None  #: when it did no more harm
    mitigated_by: str | None
    mitigate_seconds: float | None  #: from `since` on
    reported_at: Time | None  #: when a customer first reported it
    acknowledged_at: Time | None
    acknowledged_by: str | None
    closed_at: Time | None
    closed_by: str | None
    closed_because: str | None
    part_of: int | None  #: the incident that explains it
    alarms: int | None  #: that it had so far
    concerned: list[str]  #: other tenants, at most 100
    concerned_count: int | None


class IncidentPage(msgspec.Struct):
    items: list[IncidentItem]
    next: str | None


class AlarmItem(msgspec.Struct):
    key: str | None
    kind: str
    severity: str
    tenant: str | None
    detail: str
    since: Time
    first_seen: Time
    ended_at: Time | None  #: null: it still shows
    contained: bool | None  #: it still shows, and does no more harm


class EntryItem(msgspec.Struct):
    at: Time
    what: str
    author: str | None
    detail: str


class CulpritItem(msgspec.Struct):
    """A part of the mail, with its share of what is too much."""

    kind: str  #: list, campaign, provider, lane or pool
    name: str
    detail: str
    share: float  #: from 0 to 1; two parts can be the same mail, such as a list and its campaign
    events: int
    mails: int


class IncidentDetail(msgspec.Struct):
    incident: IncidentItem
    culprits: list[CulpritItem]  #: the worst first; empty where shares of mail say nothing
    evidence: dict[str, Any]
    alarms: list[AlarmItem]  #: at most 200, those that still show first
    timeline: list[EntryItem]


class ReportItem(msgspec.Struct):
    """For a tenant. It names nobody else."""

    tenant: str
    id: int
    severity: str
    open: bool
    onset: Time
    cause: str
    culprit: str | None
    identified_at: Time | None
    mitigated_at: Time | None
    closed_at: Time | None
    identify_seconds: float | None
    mitigate_seconds: float | None
    effects: list[AlarmItem]  #: what was wrong of its own
    actions: list[EntryItem]  #: what was done
    holds: list[str]  #: that keep its mail now
    resume: str  #: what it can do


class TimesItem(msgspec.Struct):
    """Of the incidents of one group; durations in seconds, from the estimated beginning on."""

    kind: str | None
    month: str | None
    incidents: int
    open: int
    identified: int
    identify_median: float | None
    identify_p95: float | None
    mitigated: int
    mitigate_median: float | None
    mitigate_p95: float | None
    customer_first: int  #: that a customer reported before it was known whose fault it was


class TimesList(msgspec.Struct):
    items: list[TimesItem]


def incident(found: IncidentView) -> IncidentItem:
    return IncidentItem(
        id=found.id,
        kind=found.kind,
        severity=found.severity,
        open=found.closed_at is None,
        detail=found.sentence,
        next=found.next,
        command=found.command,
        runbook=runbook(found.kind),
        cause=found.cause,
        scope=found.scope,
        name=found.name,
        tenant=found.tenant,
        type=found.type,
        culprit=found.culprit,
        since=shapes.iso_ms(found.since),
        opened_at=shapes.iso_ms(found.opened_at),
        identified_at=shapes.iso_ms_or_none(found.identified_at),
        identify_seconds=_seconds(found.since, found.identified_at),
        mitigated_at=shapes.iso_ms_or_none(found.mitigated_at),
        mitigated_by=found.mitigated_by,
        mitigate_seconds=_seconds(found.since, found.mitigated_at),
        reported_at=shapes.iso_ms_or_none(found.reported_at),
        acknowledged_at=shapes.iso_ms_or_none(found.acknowledged_at),
        acknowledged_by=found.acknowledged_by,
        closed_at=shapes.iso_ms_or_none(found.closed_at),
        closed_by=found.closed_by,
        closed_because=found.closed_because,
        part_of=found.part_of,
        alarms=found.alarms,
        concerned=list(found.concerned),
        concerned_count=found.concerned_count,
    )


def own(found: OwnView) -> IncidentItem:
    return IncidentItem(
        id=found.id,
        kind=found.kind,
        severity=found.severity,
        open=found.closed_at is None,
        detail=found.says,
        next=None,
        command=None,
        runbook=None,
        cause=None,
        scope=None,
        name=None,
        tenant=None,
        type=None,
        culprit=found.culprit,
        since=shapes.iso_ms(found.since),
        opened_at=shapes.iso_ms(found.opened_at),
        identified_at=shapes.iso_ms_or_none(found.identified_at),
        identify_seconds=_seconds(found.since, found.identified_at),
        mitigated_at=shapes.iso_ms_or_none(found.mitigated_at),
        mitigated_by=None,
        mitigate_seconds=_seconds(found.since, found.mitigated_at),
        reported_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        closed_at=shapes.iso_ms_or_none(found.closed_at),
        closed_by=None,
        closed_because=None,
        part_of=None,
        alarms=None,
        concerned=[],
        concerned_count=None,
    )


def detail(found: Detail) -> IncidentDetail:
    return IncidentDetail(
        incident=incident(found.incident),
        culprits=[
            CulpritItem(one.kind, one.name, one.sentence, one.share, one.events, one.mails)
            for one in culprits.ranked(found.incident.evidence)
        ],
        evidence=dict(found.incident.evidence),
        alarms=[_alarm(one) for one in found.alarms],
        timeline=[_entry(one) for one in found.timeline],
    )


def _alarm(found: AlarmView) -> AlarmItem:
    return AlarmItem(
        key=found.key,
        kind=found.kind,
        severity=found.severity,
        tenant=found.tenant,
        detail=found.sentence,
        since=shapes.iso_ms(found.since),
        first_seen=shapes.iso_ms(found.first_seen),
        ended_at=shapes.iso_ms_or_none(found.ended_at),
        contained=found.contained,
    )


def _entry(found: EntryView) -> EntryItem:
    return EntryItem(at=shapes.iso_ms(found.at), what=found.what, author=found.author, detail=found.text)


def report(found: Report) -> ReportItem:
    incident = found.incident
    return ReportItem(
        tenant=found.tenant,
        id=incident.id,
        severity=incident.severity,
        open=incident.closed_at is None,
        onset=shapes.iso_ms(incident.since),
        cause=incident.says,
        culprit=incident.culprit,
        identified_at=shapes.iso_ms_or_none(incident.identified_at),
        mitigated_at=shapes.iso_ms_or_none(incident.mitigated_at),
        closed_at=shapes.iso_ms_or_none(incident.closed_at),
        identify_seconds=_seconds(incident.since, incident.identified_at),
        mitigate_seconds=_seconds(incident.since, incident.mitigated_at),
        effects=effects(found),
        actions=_told_actions(found),
        holds=[reasons.for_the_tenant(one) for one in found.holds],
        resume=found.resume,
    )


def effects(found: Report) -> list[AlarmItem]:
    """What was wrong, each once: two alarms may say the same, as of a lane that was slowed while its list was held."""
    first = {one.sentence: one for one in reversed(found.alarms)}
    return [
        AlarmItem(
            key=None,
            kind=one.kind,
            severity=one.severity,
            tenant=None,
            detail=one.sentence,
            since=shapes.iso_ms(one.since),
            first_seen=shapes.iso_ms(one.first_seen),
            ended_at=shapes.iso_ms_or_none(one.ended_at),
            contained=None,
        )
        for one in found.alarms
        if first[one.sentence] is one
    ]


def actions(found: Report) -> list[EntryItem]:
    return [
        EntryItem(at=shapes.iso_ms(at), what="action", author=None, detail=text) for at, text in found.actions
    ]


def _told_actions(found: Report) -> list[EntryItem]:
    return [msgspec.structs.replace(one, detail=reasons.for_the_tenant(one.detail)) for one in actions(found)]


def times_of(found: Times) -> TimesItem:
    return TimesItem(
        kind=found.kind,
        month=found.month,
        incidents=found.incidents,
        open=found.open,
        identified=found.identified,
        identify_median=_of_ms(found.identify_median),
        identify_p95=_of_ms(found.identify_p95),
        mitigated=found.mitigated,
        mitigate_median=_of_ms(found.mitigate_median),
        mitigate_p95=_of_ms(found.mitigate_p95),
        customer_first=found.customer_first,
    )


def _seconds(since: int, until: int | None) -> float | None:
    return None if until is None else _of_ms(max(0, until - since))


def _of_ms(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
