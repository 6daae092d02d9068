"""Lanes over HTTP: each with its state, the holds that cause it, its route, its backlog and what it shares."""

from typing import Annotated, Literal

import msgspec
from litestar import get, patch
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.holds import HoldItem, hold_item
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup, sharing
from mailcordon.control.governor import Governor
from mailcordon.control.views import HoldView, LaneView, Reads, Viewer
from mailcordon.core import health
from mailcordon.core.health import Outflow
from mailcordon.core.principal import ADMIN
from mailcordon.core.stop import Stop

_COUNT_IN_A_LIST = 100_000  #: deliveries; a list stops counting a backlog there
_COUNT_OF_ONE = 100_000_000
MOST_LANES = 1000

StateWord = Literal["open", "throttled", "stopped", "held"]


class BacklogItem(msgspec.Struct):
    deliveries: int  #: waiting to leave; a list stops counting at 100,000
    oldest_at: Time | None


class RouteItem(msgspec.Struct):
    path: str
    ses_tenant: str
    domain: str
    identity_status: str
    configuration_set: str
    ip_pool: str | None


class StopReason(msgspec.Struct):
    """What keeps all mail of a lane from leaving, apart from holds."""

    reason: str
    detail: str  #: as the lane's deliveries say it
    stop: int | None  #: the id of the stop, if there is one


class LaneItem(msgspec.Struct):
    tenant: str
    type: str
    class_: str = msgspec.field(name="class")
    state: StateWord
    holds: list[HoldItem]
    stops: list[StopReason]
    rate: float | None  #: deliveries per second, in force
    own_rate: float | None
    backlog: BacklogItem
    route: RouteItem
    shares_with: list[str]


class LanePage(msgspec.Struct):
    items: list[LaneItem]
    next: str | None


class LaneChange(msgspec.Struct, forbid_unknown_fields=True):
    rate: float | None
    because: str


async def lanes_of(
    reads: Reads,
    viewer: Viewer,
    *,
    type: str | None = None,
    state: str | None = None,
    after: int = 0,
    limit: int = MOST_LANES,
) -> tuple[list[LaneItem], list[int]]:
    """The items, and their ids for the cursor."""
    one = type is not None
    rows = await reads.lanes(
        viewer,
        type=type,
        state=state,
        after=after,
        limit=limit,
        count_to=_COUNT_OF_ONE if one else _COUNT_IN_A_LIST,
    )
    tenants = sorted({row.route.lane.tenant for row in rows})
    facts = await reads.facts(viewer, tenants)
    shared = {tenant: sharing.by_type(lanes) for tenant, lanes in facts.items()}
    holds = await reads.open_holds(viewer, tenants)
    outflow = await reads.outflow(viewer)
    stops = await reads.stops_on(viewer, [row.route.lane.id for row in rows])
    items: list[LaneItem] = []
    for row in rows:
        lane = row.route.lane
        shares = shared[lane.tenant].get(lane.type, [])
        items.append(_item(row, holds, stops.get(lane.id, []), outflow, shares))
    return items, [row.route.lane.id for row in rows]


def _item(
    row: LaneView, holds: list[HoldView], stops: list[Stop], outflow: Outflow, shared: list[str]
) -> LaneItem:
    route, lane = row.route, row.route.lane
    stopped = [StopReason(str(stop.cause), stop.sentence, stop.id) for stop in stops]
    halt = health.halt(outflow, lane.class_)
    if halt is not None and halt.reason not in {stop.cause for stop in stops}:
        stopped.append(StopReason(halt.reason, halt.sentence, None))
    return LaneItem(
        tenant=row.tenant,
        type=lane.type,
        class_=lane.class_.word,
        state=row.state,  # pyright: ignore[reportArgumentType]
        holds=[
            hold_item(view)
            for view in holds
            if view.hold.target.covers_lane(lane.tenant, lane.class_, lane.id)
        ],
        stops=stopped,
        rate=row.rate,
        own_rate=row.own_rate,
        backlog=BacklogItem(row.deliveries, shapes.iso_ms_or_none(row.oldest_at)),
        route=RouteItem(
            path=route.path,
            ses_tenant=route.ses_tenant,
            domain=route.domain,
            identity_status=row.identity_status,
            configuration_set=route.configuration_set,
            ip_pool=route.ip_pool,
        ),
        shares_with=shared,
    )


def routes(reads: Reads, governor: Governor) -> list[HTTPRouteHandler]:
    @get("/v1/lanes", summary="List lanes with their state and its reasons", tags=["control"])
    async def list_lanes(
        request: AnyRequest,
        tenant: AnyTenant = None,
        in_state: Annotated[
            StateWord | None, QueryParameter(name="state", description="Only lanes in this state.")
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LanePage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        items, ids = await lanes_of(reads, viewer, state=in_state, after=shapes.id32(after), limit=limit)
        return LanePage(items, shapes.next_of(ids, limit))

    @get("/v1/tenants/{slug:str}/lanes/{type_:str}", summary="Show a lane", tags=["control"])
    async def get_lane(request: AnyRequest, slug: FromPath[str], type_: FromPath[str]) -> LaneItem:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        return await _one(viewer, slug, type_)

    @patch("/v1/tenants/{slug:str}/lanes/{type_:str}", summary="Set the rate of a lane", tags=["control"])
    async def change_lane(
        request: AnyRequest, slug: FromPath[str], type_: FromPath[str], data: JSONBody[LaneChange]
    ) -> LaneItem:
        principal = platform_principal(request, ADMIN)
        because = shapes.reason(data.because)
        tenant = await lookup.tenant_id(reads, slug)
        lane = await lookup.lane_id(reads, tenant, slug, type_)
        await governor.set_rate(tenant, lane, data.rate, actor=principal.actor, because=because)
        return await _one(Viewer(tenant), slug, type_)

    async def _one(viewer: Viewer, slug: str, type: str) -> LaneItem:
        items, _ = await lanes_of(reads, viewer, type=type, limit=1)
        if not items:
            raise lookup.no_lane(slug, type)
        return items[0]

    return [list_lanes, get_lane, change_lane]
