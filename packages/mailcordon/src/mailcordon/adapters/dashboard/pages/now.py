"""Now: what is wrong, what is held, and what waits."""

import asyncio

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.site import PageRequest, Site


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/now")
    async def now(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        status, incidents, top = await asyncio.gather(
            rest.get("/v1/status"), rest.get("/v1/incidents", open=True), rest.get("/v1/top")
        )
        return site.page(
            request,
            "now.html",
            title="Now",
            section="now",
            status=status,
            incidents=incidents["items"],
            top=top,
        )

    return [now]
