"""GET /v1/lanes/map: all lanes at a glance, those first that need a look. For platform keys: it names all tenants."""

from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import AnyTenant, Time
from mailcordon.control import lane_map, lookup
from mailcordon.core.errors import parse_field
from mailcordon.core.principal import READ
from mailcordon.core.priority import parse_class

ClassWord = Literal["urgent", "transactional", "marketing"]


class MappedLaneItem(msgspec.Struct):
    tenant: str
    type: str
    class_: str = msgspec.field(name="class")
    state: lane_map.State
    sent: int  #: handed to SES
    hard_bounced: int
    complained: int


class LaneMapView(msgspec.Struct):
    since: Time  #: the mail counted was sent from then on: a day to 30 hours
    states: dict[str, int]  #: how many lanes are in each state, of the tenant and class that were asked for
    items: list[MappedLaneItem]
    left_out: int  #: lanes that match and are not listed


def routes(reader: lane_map.Reader) -> list[HTTPRouteHandler]:
    @get("/v1/lanes/map", summary="Show all lanes at a glance, with state and volume", tags=["control"])
    async def get_map(
        request: AnyRequest,
        tenant: AnyTenant = None,
        class_: Annotated[
            ClassWord | None, QueryParameter(name="class", description="Only lanes of this class.")
        ] = None,
        in_state: Annotated[
            lane_map.State | None, QueryParameter(name="state", description="Only lanes in this state.")
        ] = None,
        sort: Annotated[
            lane_map.Sort,
            QueryParameter(
                description="The order. attention: lanes that are not open first, then by volume."
            ),
        ] = "attention",
        limit: Annotated[
            int, QueryParameter(ge=1, le=lane_map.MOST, description="How many lanes at most.")
        ] = 200,
    ) -> LaneMapView:
        platform_principal(request, READ)
        found = await reader.lane_map(
            tenant=None if tenant is None else await lookup.tenant_id(reader, tenant),
            class_=None if class_ is None else parse_field("class", parse_class, class_),
            state=in_state,
            sort=sort,
            limit=limit,
        )
        matching = sum(found.states.values()) if in_state is None else found.states[in_state]
        return LaneMapView(
            since=shapes.iso_ms(found.since),
            states={str(state): count for state, count in found.states.items()},
            items=[
                MappedLaneItem(
                    tenant=one.tenant,
                    type=one.type,
                    class_=one.class_.word,
                    state=one.state,
                    sent=one.sent,
                    hard_bounced=one.hard_bounced,
                    complained=one.complained,
                )
                for one in found.lanes
            ],
            left_out=matching - len(found.lanes),
        )

    return [get_map]
