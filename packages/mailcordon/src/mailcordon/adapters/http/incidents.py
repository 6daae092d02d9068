"""Incidents over HTTP: what went wrong, whose it is, what was done, and how long it took (docs/incidents.md)."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, OneTenant, Time
from mailcordon.control import lookup
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.clock import host_ms
from mailcordon.core.errors import parse_field
from mailcordon.core.incident import runbook
from mailcordon.core.principal import OPERATE, READ
from mailcordon.messages import incidents as messages
from mailcordon.messages import reasons
from mailcordon.observe.incidents import culprits
from mailcordon.observe.incidents.view import (
    AlarmView,
    Detail,
    EntryView,
    IncidentChanges,
    IncidentReads,
    IncidentView,
    OwnView,
    Report,
    Times,
)

Severity = Literal["critical", "high", "medium", "low"]
KindName = Literal[
    "feedback-lost",
    "ungoverned",
    "drift",
    "integrity",
    "ses-status",
    "ses-finding",
    "stuck",
    "backlog",
    "domain-lapsed",
    "rates",
    "objective",
    "breaker",
    "rollout",
    "service",
]
_HOLDS = 100  #: of a tenant, in its report
_TIMES_MS = 400 * 86_400_000  #: how far back the times go without `since`


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


class NoteBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: str


class CloseBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class ReportedBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    at: str | None  #: a time in UTC; null: no customer reported it


def routes(incidents: IncidentReads, changes: IncidentChanges, reads: Reads) -> list[HTTPRouteHandler]:
    @get("/v1/incidents", summary="List incidents, newest first", tags=["observe"])
    async def list_incidents(
        request: AnyRequest,
        is_open: Annotated[
            bool | None,
            QueryParameter(name="open", description="Only open ones, or only closed ones. Default: both."),
        ] = None,
        kind: Annotated[KindName | None, QueryParameter(description="Only this kind.")] = None,
        severity: Annotated[Severity | None, QueryParameter(description="Only this severity.")] = None,
        tenant: AnyTenant = None,
        after: After = None,
        limit: Limit = 100,
    ) -> IncidentPage:
        viewer = await lookup.viewer(incidents, principal_of(request), tenant)
        if viewer.as_tenant and viewer.tenant is not None:
            own = await incidents.own_page(
                viewer.tenant, is_open=is_open, kind=kind, severity=severity, before=after, limit=limit
            )
            return IncidentPage([_own(one) for one in own], shapes.next_of([one.id for one in own], limit))
        found = await incidents.page(
            is_open=is_open, kind=kind, tenant=viewer.tenant, severity=severity, before=after, limit=limit
        )
        return IncidentPage(
            [incident_item(one) for one in found], shapes.next_of([one.id for one in found], limit)
        )

    @get("/v1/incidents/{incident_id:int}", summary="Show an incident with its timeline", tags=["observe"])
    async def get_incident(request: AnyRequest, incident_id: FromPath[int]) -> IncidentDetail:
        principal = principal_of(request)
        principal.require(READ)
        if principal.tenant_id is not None:
            found = await incidents.report(
                principal.tenant_id, principal.tenant_slug or "", incident_id, as_tenant=True
            )
            return IncidentDetail(
                incident=_own(found.incident),
                culprits=[],
                evidence={},
                alarms=_effects(found),
                timeline=_actions(found),
            )
        return _detail(await incidents.detail(incident_id))

    @get("/v1/incidents/{incident_id:int}/report", summary="Tell a tenant of an incident", tags=["observe"])
    async def get_report(
        request: AnyRequest, incident_id: FromPath[int], tenant: OneTenant = None
    ) -> ReportItem:
        slug, scope = await read_scope.of_one_tenant(incidents, principal_of(request), tenant)
        found = await incidents.report(scope.tenant, slug, incident_id, as_tenant=scope.as_tenant)
        viewer = Viewer(scope.tenant, as_tenant=scope.as_tenant)
        holds = await reads.holds(viewer, is_open=True, before=None, limit=_HOLDS)
        sentences = [one.hold.sentence for one in holds if one.hold.stops]
        return _report(found.with_holds(await incidents.without_others(scope.tenant, sentences)))

    @get("/v1/incidents/times", summary="Show times to identify and to mitigate", tags=["observe"])
    async def get_times(
        request: AnyRequest,
        by: Annotated[
            Literal["kind,month", "kind", "month", "all"],
            QueryParameter(description="How incidents are grouped."),
        ] = "kind,month",
        since: Annotated[
            str | None,
            QueryParameter(description="Only incidents opened since this time. Default: the last 400 days."),
        ] = None,
    ) -> TimesList:
        platform_principal(request, READ)
        start = host_ms() - _TIMES_MS if since is None else _moment(since, "since")
        found = await incidents.times(start, by_kind="kind" in by, by_month="month" in by)
        return TimesList([_times(one) for one in found])

    @post("/v1/incidents/{incident_id:int}/notes", summary="Write a note", tags=["observe"], status_code=200)
    async def add_note(
        request: AnyRequest, incident_id: FromPath[int], data: JSONBody[NoteBody]
    ) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        await changes.note(incident_id, shapes.reason(data.text, "text"), actor=actor)
        return _detail(await incidents.detail(incident_id))

    @post(
        "/v1/incidents/{incident_id:int}/acknowledge",
        summary="Say that somebody looks at it",
        tags=["observe"],
        status_code=200,
    )
    async def acknowledge(request: AnyRequest, incident_id: FromPath[int]) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        await changes.acknowledge(incident_id, actor=actor)
        return _detail(await incidents.detail(incident_id))

    @post(
        "/v1/incidents/{incident_id:int}/close",
        summary="Close an incident",
        tags=["observe"],
        status_code=200,
    )
    async def close(
        request: AnyRequest, incident_id: FromPath[int], data: JSONBody[CloseBody]
    ) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        await changes.close(incident_id, shapes.reason(data.because), actor=actor)
        return _detail(await incidents.detail(incident_id))

    @put(
        "/v1/incidents/{incident_id:int}/reported",
        summary="Set when a customer reported it",
        tags=["observe"],
    )
    async def set_reported(
        request: AnyRequest, incident_id: FromPath[int], data: JSONBody[ReportedBody]
    ) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        at = None if data.at is None else _moment(data.at, "at")
        await changes.reported(incident_id, at, actor=actor)
        return _detail(await incidents.detail(incident_id))

    return [
        list_incidents,
        get_incident,
        get_report,
        get_times,
        add_note,
        acknowledge,
        close,
        set_reported,
    ]


def incident_item(found: IncidentView) -> IncidentItem:
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


def _own(found: OwnView) -> IncidentItem:
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


def _detail(found: Detail) -> IncidentDetail:
    return IncidentDetail(
        incident=incident_item(found.incident),
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


def _report(found: Report) -> ReportItem:
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
        effects=_effects(found),
        actions=_told_actions(found),
        holds=[reasons.for_the_tenant(one) for one in found.holds],
        resume=found.resume,
    )


def _effects(found: Report) -> list[AlarmItem]:
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


def _actions(found: Report) -> list[EntryItem]:
    return [
        EntryItem(at=shapes.iso_ms(at), what="action", author=None, detail=text) for at, text in found.actions
    ]


def _told_actions(found: Report) -> list[EntryItem]:
    return [
        msgspec.structs.replace(one, detail=reasons.for_the_tenant(one.detail)) for one in _actions(found)
    ]


def _times(found: Times) -> TimesItem:
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


def _moment(text: str, field: str) -> int:
    return parse_field(field, _milliseconds, text)


def _milliseconds(text: str) -> int:
    """Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(messages.bad_moment()) from None
    if moment.tzinfo is None or not 2000 <= moment.year < 2200:
        raise ValueError(messages.bad_moment())
    return int(moment.timestamp() * 1000)


def _seconds(since: int, until: int | None) -> float | None:
    return None if until is None else _of_ms(max(0, until - since))


def _of_ms(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
