"""Tenants: all that somebody may see, by slug, state and tier, with what they send and what keeps their mail."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of

STATES = ("held", "stopped", "throttled", "open")
DAY = 24 * 60  #: minutes
_A_PAGE = 50


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/tenants")
    async def tenants(request: PageRequest) -> Response[str]:
        rest, query = site.rest(request), request.query_params
        is_platform = visitor_of(request).principal.is_platform
        prefix, state, tier = (query.get(name, "").strip() for name in ("prefix", "state", "tier"))
        chosen = {"prefix": prefix.lower() or None, "state": state or None, "tier": tier or None}
        page = await rest.get("/v1/tenants", **chosen, after=query.get("after") or None, limit=_A_PAGE)
        items: list[dict[str, Any]] = page["items"]
        lines: dict[str, Any] = {}
        if items:
            # A tenant's own admin sees one tenant, and the API takes no names of it.
            slugs = ",".join(one["slug"] for one in items) if is_platform else None
            found = await rest.get("/v1/metrics", by="tenant", minutes=DAY, tenants=slugs)
            lines = {one["tenant"]: one for one in found["items"]}
        return site.page(
            request,
            "tenants/list.html",
            title="Tenants",
            section="tenants",
            items=[{**one, "line": lines.get(one["slug"])} for one in items],
            chosen={"prefix": prefix, "state": state, "tier": tier},
            is_filtered=bool(prefix or state or tier),
            is_first=not query.get("after"),
            states=STATES,
            next=page["next"],
            more=link("/tenants", **chosen, after=page["next"]),
        )

    return [tenants]
