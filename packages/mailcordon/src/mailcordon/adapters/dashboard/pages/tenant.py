"""One tenant: its state and lanes, rates, limits, what it shares, and what applies to it. Each section has its own URL."""

import asyncio
from collections.abc import Sequence
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard import links
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site, here, visitor_of

#: The sections of a tenant: the last part of the URL, and the name of the tab.
SECTIONS = (
    ("", "Overview"),
    ("rates", "Rates"),
    ("limits", "Limits and warm-up"),
    ("domains", "Domains"),
    ("sharing", "Route and sharing"),
    ("suppressions", "Suppressions"),
    ("access", "Keys and contacts"),
    ("templates", "Templates"),
    ("policy", "Policy"),
    ("history", "History"),
)
#: Windows of rates, with their minutes.
WINDOWS = {"1 h": 60, "24 h": 1440, "7 d": 10_080, "30 d": 43_200, "90 d": 129_600}
_WORST = ("held", "stopped", "throttled", "open")


async def tenant_of(rest: Rest, slug: str) -> dict[str, Any]:
    """Raises Problem if there is none, or not for this person."""
    return await rest.get("/v1/tenants/{}", slug)


def page(
    site: Site,
    request: PageRequest,
    template: str,
    found: dict[str, Any],
    tab: str,
    *,
    title: str | None = None,
    **data: Any,
) -> Response[str]:
    """A page of this tenant, with its tabs."""
    states = {lane["state"] for lane in found["lanes"]}
    return site.page(
        request,
        template,
        title=title or found["slug"],
        section="tenants",
        tenant=found,
        slug=found["slug"],
        state=next((word for word in _WORST if word in states), None),
        sections=SECTIONS,
        tab=tab,
        may_operate=visitor_of(request).may_operate,
        may_administer=visitor_of(request).may_administer,
        is_platform=visitor_of(request).principal.is_platform,
        **data,
    )


def reasons(request: PageRequest, lanes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The holds of these lanes, each once, with the page that lifts it."""
    holds = {hold["id"]: hold for lane in lanes for hold in lane["holds"]}
    return [{"hold": hold, "lift": links.lift(hold, here(request))} for _, hold in sorted(holds.items())]


def halts(lanes: Sequence[dict[str, Any]]) -> list[str]:
    """What keeps mail of these lanes from leaving and is neither a hold nor a stop, such as that no dispatcher runs."""
    return list(
        dict.fromkeys(one["detail"] for lane in lanes for one in lane["stops"] if one["stop"] is None)
    )


def fullest_first(limits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(limits, key=_use, reverse=True)


def window(request: PageRequest) -> tuple[str, int]:
    """The chosen one, and its minutes. Anything else is a day."""
    chosen = request.query_params.get("window", "")
    return (chosen, WINDOWS[chosen]) if chosen in WINDOWS else ("24 h", WINDOWS["24 h"])


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/tenants/{slug:str}")
    async def overview(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, metrics, stops, objectives, proofs, incidents = await asyncio.gather(
            tenant_of(rest, slug),
            rest.found("/v1/metrics", tenant=slug, by="lane", minutes=1440),
            rest.found("/v1/stops", tenant=slug, open=True),
            rest.found("/v1/objectives", tenant=slug),
            rest.found("/v1/tenants/{}/proofs", slug),
            rest.found("/v1/incidents", tenant=slug, open=True, limit=20),
        )
        lines = {one["type"]: one for one in _items(metrics)}
        proved = {one["type"]: one for one in _items(proofs)}
        spent = {one["type"]: _most_spent(one["objectives"]) for one in _items(objectives)}
        lanes: list[dict[str, Any]] = [
            {
                **lane,
                "line": lines.get(lane["type"]),
                "proof": proved.get(lane["type"]),
                "worst": spent.get(lane["type"]),
            }
            for lane in found["lanes"]
        ]
        return page(
            site,
            request,
            "tenants/overview.html",
            found,
            "",
            lanes=lanes,
            reasons=reasons(request, found["lanes"]),
            stops=_items(stops),
            halts=halts(found["lanes"]),
            incidents=_items(incidents),
            waiting=sum(lane["backlog"]["deliveries"] for lane in lanes),
            sent=sum(one["sent"] for one in lines.values()),
            steps=[step for step in found["provisioning"]["steps"] if step["state"] != "done"],
        )

    @get("/tenants/{slug:str}/rates")
    async def rates(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest, (chosen, minutes) = site.rest(request), window(request)

        async def by(what: str) -> dict[str, Any]:
            return await rest.get("/v1/metrics", tenant=slug, minutes=minutes, by=what, limit=100)

        found, by_type, by_provider, by_campaign, by_list = await asyncio.gather(
            tenant_of(rest, slug), by("lane"), by("provider"), by("campaign"), by("list")
        )
        return page(
            site,
            request,
            "tenants/rates.html",
            found,
            "rates",
            window=chosen,
            windows=list(WINDOWS),
            by_type=by_type["items"],
            by_provider=by_provider["items"],
            by_campaign=_most_first(by_campaign["items"]),
            by_list=_most_first(by_list["items"]),
            kept=by_type["kept"],
            is_unreliable=by_type["unreliable"],
        )

    @get("/tenants/{slug:str}/limits")
    async def limits(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, limited, warm_ups, releases = await asyncio.gather(
            tenant_of(rest, slug),
            rest.found("/v1/limits", tenant=slug, limit=200, after=request.query_params.get("after") or None),
            rest.found("/v1/warm-ups", tenant=slug),
            rest.found("/v1/releases", tenant=slug, limit=20),
        )
        return page(
            site,
            request,
            "tenants/limits.html",
            found,
            "limits",
            limits=fullest_first(_items(limited)),
            next=limited and limited["next"],
            more=link(f"/tenants/{slug}/limits", after=limited and limited["next"]),
            warm_ups=_items(warm_ups),
            releases=_items(releases),
        )

    @get("/tenants/{slug:str}/sharing")
    async def sharing(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, isolation, paths, rollouts = await asyncio.gather(
            tenant_of(rest, slug),
            rest.found("/v1/tenants/{}/isolation", slug),
            rest.found("/v1/paths", tenant=slug),
            rest.found("/v1/rollouts", tenant=slug, limit=5),
        )
        routes_of = {one["type"]: one["paths"] for one in _items(paths)}
        lanes = {lane["type"]: lane for lane in found["lanes"]}
        items = [
            {**one, "paths": routes_of.get(one["type"]), "lane": lanes.get(one["type"])}
            for one in _items(isolation)
        ]
        return page(
            site, request, "tenants/sharing.html", found, "sharing", items=items, rollouts=_items(rollouts)
        )

    @get("/tenants/{slug:str}/policy")
    async def policy(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, applied, facts = await asyncio.gather(
            tenant_of(rest, slug),
            rest.found("/v1/tenants/{}/policy", slug),
            rest.found("/v1/tenants/{}/facts", slug),
        )
        lanes: list[dict[str, Any]] = [] if applied is None else applied["lanes"]
        chosen = request.query_params.get("type", "")
        shown = next((lane for lane in lanes if lane["type"] == chosen), lanes[0] if lanes else None)
        return page(
            site, request, "tenants/policy.html", found, "policy", lanes=lanes, shown=shown, facts=facts
        )

    @get("/tenants/{slug:str}/history")
    async def history(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest, after = site.rest(request), request.query_params.get("after") or None
        found, changes, holds = await asyncio.gather(
            tenant_of(rest, slug),
            rest.found("/v1/audit", tenant=slug, after=after, limit=50),
            rest.found("/v1/holds", tenant=slug, limit=50),
        )
        return page(
            site,
            request,
            "tenants/history.html",
            found,
            "history",
            changes=changes and changes["items"],
            next=changes and changes["next"],
            more=link(f"/tenants/{slug}/history", after=changes and changes["next"]),
            holds=_items(holds),
        )

    return [overview, rates, limits, sharing, policy, history]


def _items(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Nothing for what the API does not show to this person."""
    return [] if found is None else found["items"]


def _most_first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda one: one["sent"], reverse=True)


def _most_spent(objectives: list[dict[str, Any]]) -> dict[str, Any] | None:
    return max(objectives, key=lambda one: one["budget_spent"], default=None)


def _use(one: dict[str, Any]) -> float:
    return one["used"] / one["cap"] if one["used"] is not None and one["cap"] else -1.0
