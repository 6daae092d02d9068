"""Lanes over HTTP: each with its state, the holds that cause it, its route, its backlog and what it shares."""

from typing import Annotated, Literal

import msgspec
from litestar import get, patch
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.feedback import LaneFeedbackItem, lane_feedback_item
from mailcordon.adapters.http.holds import HoldItem, hold_item
from mailcordon.adapters.http.objectives import ObjectiveItem, lane_objectives
from mailcordon.adapters.http.proofs import LaneProofItem, lane_proof_item
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lanes, lookup
from mailcordon.control.feedback import FeedbackReads
from mailcordon.control.governor import Governor
from mailcordon.control.lanes import LaneOverview
from mailcordon.control.proofs import Proofs
from mailcordon.control.steps import Mail
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.principal import ADMIN
from mailcordon.observe.objectives import ObjectiveReads, ObjectiveScope

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
    retiring_at: Time | None  #: takes no new mail since then, and ends when its queue is empty
    retire_mail: Mail | None  #: what becomes of its mail until then
    proof: LaneProofItem | None = None  #: whether its attribution is proved; only where one lane is shown
    feedback: LaneFeedbackItem | None = None  #: whether its events come back; only where one lane is shown
    objectives: list[ObjectiveItem] | None = None  #: with their error budgets; only where one lane is shown


class LanePage(msgspec.Struct):
    items: list[LaneItem]
    next: str | None


class LaneChange(msgspec.Struct, forbid_unknown_fields=True):
    rate: float | None
    because: str


def lane_item(found: LaneOverview) -> LaneItem:
    row, route, lane = found.lane, found.lane.route, found.lane.route.lane
    return LaneItem(
        tenant=row.tenant,
        type=lane.type,
        class_=lane.class_.word,
        state=row.state,  # pyright: ignore[reportArgumentType]
        holds=[hold_item(view) for view in found.holds],
        stops=[StopReason(one.reason, one.sentence, one.stop) for one in found.stops],
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
        shares_with=list(found.shares_with),
        retiring_at=shapes.iso_or_none(row.retiring_at),
        retire_mail=row.retire_mail,
    )


def routes(
    reads: Reads,
    governor: Governor,
    proofs: Proofs,
    feedback: FeedbackReads,
    objectives: ObjectiveReads,
) -> list[HTTPRouteHandler]:
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
        found = await lanes.overviews(reads, viewer, state=in_state, after=shapes.id32(after), limit=limit)
        ids = [one.lane.route.lane.id for one in found]
        return LanePage([lane_item(one) for one in found], shapes.next_of(ids, limit))

    @get("/v1/tenants/{slug:str}/lanes/{type_:str}", summary="Show a lane", tags=["control"])
    async def get_lane(request: AnyRequest, slug: FromPath[str], type_: FromPath[str]) -> LaneItem:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        item = lane_item(await lanes.overview(reads, viewer, slug, type_))
        for found, freshness in await proofs.lanes(viewer, type=type_, after=0, limit=1):
            item.proof = lane_proof_item(found, freshness)
        item.feedback = lane_feedback_item(await feedback.of_lane(viewer, slug, type_))
        scope = ObjectiveScope(tenant=viewer.tenant, as_tenant=viewer.as_tenant)
        for facts in await objectives.page(scope, type=type_, after=0, limit=1):
            item.objectives = lane_objectives(facts, await objectives.now()).objectives
        return item

    @patch("/v1/tenants/{slug:str}/lanes/{type_:str}", summary="Set the rate of a lane", tags=["control"])
    async def change_lane(
        request: AnyRequest, slug: FromPath[str], type_: FromPath[str], data: JSONBody[LaneChange]
    ) -> LaneItem:
        principal = platform_principal(request, ADMIN)
        because = shapes.reason(data.because)
        tenant = await lookup.tenant_id(reads, slug)
        lane = await lookup.lane_id(reads, tenant, slug, type_)
        await governor.set_rate(tenant, lane, data.rate, actor=principal.actor, because=because)
        return lane_item(await lanes.overview(reads, Viewer(tenant), slug, type_))

    return [list_lanes, get_lane, change_lane]
