"""Stops over HTTP: what SES refuses, whom that covers, and when it is tested next."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.views import Reads, StopView


class StopItem(msgspec.Struct):
    id: int
    scope: str  #: cell, worker, set, identity, tenant or lane
    name: str  #: of the cell, dispatcher, configuration set, domain, SES tenant or lane
    tenant: str | None
    type: str | None
    cause: str
    because: str
    said: str  #: SES's own words
    sentence: str  #: as the deliveries and lanes that it covers say it
    since: Time
    last_seen: Time
    hits: int  #: calls that were refused for it
    next_probe_at: Time | None
    probes: int
    last_probe: str | None
    ended_at: Time | None
    ended_by: str | None
    ended_because: str | None


class StopPage(msgspec.Struct):
    items: list[StopItem]
    next: str | None


def stop_item(view: StopView) -> StopItem:
    stop = view.stop
    return StopItem(
        id=stop.id,
        scope=stop.scope.value,
        name=stop.name,
        tenant=view.tenant,
        type=view.type,
        cause=str(stop.cause),
        because=stop.because,
        said=stop.said,
        sentence=stop.sentence,
        since=shapes.iso_ms(stop.since),
        last_seen=shapes.iso_ms(stop.last_seen),
        hits=stop.hits,
        next_probe_at=shapes.iso_ms_or_none(stop.next_probe),
        probes=stop.probes,
        last_probe=stop.last_probe,
        ended_at=shapes.iso_ms_or_none(stop.ended_at),
        ended_by=stop.ended_by,
        ended_because=stop.ended_because,
    )


def routes(reads: Reads) -> list[HTTPRouteHandler]:
    @get("/v1/stops", summary="List stops, newest first", tags=["control"])
    async def list_stops(
        request: AnyRequest,
        tenant: AnyTenant = None,
        is_open: Annotated[
            bool | None, QueryParameter(name="open", description="Only open ones, or only ended ones.")
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> StopPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.stops(viewer, is_open=is_open, before=after, limit=limit)
        return StopPage(
            [stop_item(view) for view in found], shapes.next_of([view.stop.id for view in found], limit)
        )

    return [list_stops]
