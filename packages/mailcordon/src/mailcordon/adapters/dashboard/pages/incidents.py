"""Incidents: the list, one of them with its chart, culprits, timeline and actions, and the report for a tenant."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard import chart, formats, links
from mailcordon.adapters.dashboard.pages import incident_actions
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.adapters.dashboard.time_axis import Axis
from mailcordon.core.incident import SEVERITIES, Kind
from mailcordon.messages import dashboard_actions as messages

_PAGE = 100
_DECISIONS = 20  #: of the breaker, on one page
_SHOWN_SECONDS = 7 * 86_400.0  #: of an incident that lasts longer, the chart shows the beginning
_CALM_SECONDS = 1_800.0  #: of one that does no more harm, at least so much


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/incidents")
    async def every(request: PageRequest) -> Response[str]:
        query = request.query_params
        chosen = {name: query.get(name, "") for name in ("show", "kind", "severity", "tenant", "after")}
        chosen["show"] = chosen["show"] if chosen["show"] in ("open", "closed", "all") else "open"
        rest = site.rest(request)
        found, times = await asyncio.gather(
            rest.get(
                "/v1/incidents",
                limit=_PAGE,
                open={"open": True, "closed": False, "all": None}[chosen["show"]],
                kind=chosen["kind"] or None,
                severity=chosen["severity"] or None,
                tenant=chosen["tenant"] or None,
                after=chosen["after"] or None,
            ),
            rest.found("/v1/incidents/times", by="all"),
        )
        return site.page(
            request,
            "incidents/list.html",
            title="Incidents",
            section="incidents",
            items=found["items"],
            more=None
            if found["next"] is None
            else links.link("/incidents", **{**chosen, "after": found["next"]}),
            chosen=chosen,
            kinds=[str(one) for one in Kind],
            severities=SEVERITIES,
            times=next(iter(times["items"]), None) if times else None,
        )

    @get("/incidents/{incident_id:int}")
    async def one(request: PageRequest, incident_id: FromPath[int]) -> Response[str]:
        rest = site.rest(request)
        found = await rest.get("/v1/incidents/{}", incident_id)
        incident = found["incident"]
        target = incident_actions.target(found)
        (of, series), (decisions, older), holds, waiting = await asyncio.gather(
            _series(rest, incident),
            _decisions(rest, incident, request.query_params.get("decisions")),
            _holds(rest, incident),
            _waiting(rest, incident),
        )
        return site.page(
            request,
            "incidents/one.html",
            title=f"Incident {incident_id}",
            section="incidents",
            incident=incident,
            found=found,
            story=_story(incident),
            chart=None if of is None else chart.picture(series, _marks(incident), of),
            decisions=decisions,
            older=older and links.link(f"/incidents/{incident_id}", decisions=older) + "#decisions",
            holds=holds,
            waiting=waiting,
            cordon=links.cordon(target, f"/incidents/{incident_id}") if target else None,
            cancel=links.cancel(target) if target and waiting else None,
            is_held=any(
                one["stops"] and all(one[name] in (None, target.get(name)) for name in links.TARGET)
                for one in holds
            ),
            told=_told(incident),
        )

    @get("/incidents/{incident_id:int}/chart.json")
    async def figures(request: PageRequest, incident_id: FromPath[int]) -> dict[str, Any]:
        """What the picture is made of, for the chart that can be zoomed."""
        rest = site.rest(request)
        incident = (await rest.get("/v1/incidents/{}", incident_id))["incident"]
        of, series = await _series(rest, incident)
        if of is None:
            raise Problem(404, messages.nothing_to_draw(), "not-found")
        return {
            "times": [one.at for one in series],
            "sent": [one.sent for one in series],
            "bad": [one.bad for one in series],
            "marks": [{"name": one.name, "at": one.at} for one in _marks(incident)],
        }

    @get("/incidents/{incident_id:int}/report")
    async def report(request: PageRequest, incident_id: FromPath[int]) -> Response[str]:
        rest, tenant = site.rest(request), request.query_params.get("tenant")
        if not tenant:
            tenant = (await rest.get("/v1/incidents/{}", incident_id))["incident"]["tenant"]
        found = await rest.get("/v1/incidents/{}/report", incident_id, tenant=tenant)
        return site.page(
            request,
            "incidents/report.html",
            title=f"Report on incident {incident_id}",
            section="incidents",
            report=found,
            text=report_text(found),
            command=f"mailcordon incident report {incident_id} --for-tenant {found['tenant']}",
        )

    return [every, one, figures, report, *incident_actions.routes(site)]


async def _series(rest: Rest, incident: Mapping[str, Any]) -> tuple[Axis | None, list[chart.Point]]:
    """Mail of whose it is; of everybody for an incident of the platform."""
    since = _moment(incident["since"])
    end = _moment(incident["closed_at"]) if incident["closed_at"] else datetime.now(UTC).timestamp()
    longest = _SHOWN_SECONDS
    if incident["mitigated_at"]:
        longest = max(_CALM_SECONDS, 3 * (_moment(incident["mitigated_at"]) - since))
    of = chart.frame(since, max(since, min(end, since + longest)))
    try:
        found = await rest.get(
            "/v1/metrics",
            tenant=incident["tenant"],
            type=incident["type"] if incident["tenant"] else None,
            by=of.by,
            since=_iso(of.start),
            until=_iso(of.end),
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        return None, []  # nothing is counted any more of a time that long ago
    return of, chart.points(found["items"], of)


async def _decisions(
    rest: Rest, incident: Mapping[str, Any], after: str | None
) -> tuple[list[Any], str | None]:
    """What the breaker decided about it, the newest first, and where older ones begin."""
    found = await rest.found(
        "/v1/breaker/decisions",
        tenant=incident["tenant"],
        incident=incident["id"],
        after=after,
        limit=_DECISIONS,
    )
    return _items(found), found and found["next"]


async def _holds(rest: Rest, incident: Mapping[str, Any]) -> list[Any]:
    """What keeps mail of whose it is, now."""
    if incident["tenant"] is None:
        return []
    found = await rest.found("/v1/holds", tenant=incident["tenant"], open=True, limit=_PAGE)
    return [
        one for one in _items(found) if incident["type"] is None or one["type"] in (None, incident["type"])
    ]


async def _waiting(rest: Rest, incident: Mapping[str, Any]) -> int:
    """Deliveries of its lane that wait, for whatever reason."""
    if incident["tenant"] is None or incident["type"] is None:
        return 0
    lane = await rest.found("/v1/tenants/{}/lanes/{}", incident["tenant"], incident["type"])
    return 0 if lane is None else lane["backlog"]["deliveries"]


def _items(found: Any) -> list[Any]:
    return [] if found is None else found["items"]


def _story(incident: Mapping[str, Any]) -> list[tuple[str, str | None, float | None, str]]:
    """Onset, identified, mitigated, closed: name, time, seconds from the onset on, and by whom or due to what."""
    return [
        ("Onset", incident["since"], None, "as far as can be told"),
        ("Identified", incident["identified_at"], incident["identify_seconds"], incident["culprit"] or ""),
        ("Mitigated", incident["mitigated_at"], incident["mitigate_seconds"], incident["mitigated_by"] or ""),
        ("Closed", incident["closed_at"], None, incident["closed_by"] or ""),
    ]


def _marks(incident: Mapping[str, Any]) -> list[chart.Mark]:
    names = (("onset", "since"), ("identified", "identified_at"), ("mitigated", "mitigated_at"))
    return [chart.Mark(name, int(_moment(incident[field]))) for name, field in names if incident[field]]


def _told(incident: Mapping[str, Any]) -> Sequence[str]:
    """The tenants that a report can be made for."""
    own = [incident["tenant"]] if incident["tenant"] else []
    return [*own, *(one for one in incident["concerned"] if one not in own)]


def report_text(report: Mapping[str, Any]) -> str:
    """The report as text, to paste into a mail."""

    def at(name: str, seconds: str | None = None) -> str:
        if report[name] is None:
            return "not yet"
        after = (
            ""
            if seconds is None or report[seconds] is None
            else f", after {formats.duration(report[seconds])}"
        )
        return formats.exact(report[name]) + after

    lines = [
        f"Incident {report['id']} of {report['tenant']}",
        "",
        f"What happened: {report['cause']}",
        *([f"Due to: {report['culprit']}"] if report["culprit"] else []),
        f"Began: {at('onset')}",
        f"Identified: {at('identified_at', 'identify_seconds')}",
        f"Mitigated: {at('mitigated_at', 'mitigate_seconds')}",
        f"Closed: {at('closed_at')}",
    ]
    for heading, entries in (
        ("Effect", [f"{formats.exact(one['since'])}: {one['detail']}" for one in report["effects"]]),
        ("What was done", [f"{formats.exact(one['at'])}: {one['detail']}" for one in report["actions"]]),
        ("What is held now", report["holds"]),
    ):
        if entries:
            lines += ["", heading, *(f"- {one}" for one in entries)]
    return "\n".join([*lines, "", f"How mail goes on: {report['resume']}", ""])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
