"""Incidents over HTTP: what went wrong, whose it is, what was done, and how long it took (docs/incidents.md)."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import incident_shapes, read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.incident_shapes import IncidentDetail, IncidentPage, ReportItem, TimesList
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, OneTenant
from mailcordon.control import lookup
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.clock import host_ms
from mailcordon.core.errors import parse_field
from mailcordon.core.principal import OPERATE, READ
from mailcordon.messages import incidents as messages
from mailcordon.observe.incidents.view import IncidentChanges, IncidentReads

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
            return IncidentPage(
                [incident_shapes.own(one) for one in own], shapes.next_of([one.id for one in own], limit)
            )
        found = await incidents.page(
            is_open=is_open, kind=kind, tenant=viewer.tenant, severity=severity, before=after, limit=limit
        )
        return IncidentPage(
            [incident_shapes.incident(one) for one in found], shapes.next_of([one.id for one in found], limit)
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
                incident=incident_shapes.own(found.incident),
                culprits=[],
                evidence={},
                alarms=incident_shapes.effects(found),
                timeline=incident_shapes.actions(found),
            )
        return incident_shapes.detail(await incidents.detail(incident_id))

    @get("/v1/incidents/{incident_id:int}/report", summary="Tell a tenant of an incident", tags=["observe"])
    async def get_report(
        request: AnyRequest, incident_id: FromPath[int], tenant: OneTenant = None
    ) -> ReportItem:
        slug, scope = await read_scope.of_one_tenant(incidents, principal_of(request), tenant)
        found = await incidents.report(scope.tenant, slug, incident_id, as_tenant=scope.as_tenant)
        viewer = Viewer(scope.tenant, as_tenant=scope.as_tenant)
        holds = await reads.holds(viewer, is_open=True, before=None, limit=_HOLDS)
        sentences = [one.hold.sentence for one in holds if one.hold.stops]
        return incident_shapes.report(
            found.with_holds(await incidents.without_others(scope.tenant, sentences))
        )

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
        return TimesList([incident_shapes.times_of(one) for one in found])

    @post("/v1/incidents/{incident_id:int}/notes", summary="Write a note", tags=["observe"], status_code=200)
    async def add_note(
        request: AnyRequest, incident_id: FromPath[int], data: JSONBody[NoteBody]
    ) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        await changes.note(incident_id, shapes.reason(data.text, "text"), actor=actor)
        return incident_shapes.detail(await incidents.detail(incident_id))

    @post(
        "/v1/incidents/{incident_id:int}/acknowledge",
        summary="Say that somebody looks at it",
        tags=["observe"],
        status_code=200,
    )
    async def acknowledge(request: AnyRequest, incident_id: FromPath[int]) -> IncidentDetail:
        actor = platform_principal(request, OPERATE).actor
        await changes.acknowledge(incident_id, actor=actor)
        return incident_shapes.detail(await incidents.detail(incident_id))

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
        return incident_shapes.detail(await incidents.detail(incident_id))

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
        return incident_shapes.detail(await incidents.detail(incident_id))

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
