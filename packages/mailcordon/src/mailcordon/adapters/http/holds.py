"""Cordon, uncordon and cancel over HTTP, with a preview of each, and the list of holds."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.adapters.http.stops import StopItem, stop_item
from mailcordon.control import lookup
from mailcordon.control.cordon import Cordons, Selection
from mailcordon.control.preview import Action, LaneCounts
from mailcordon.control.views import HoldView, Reads
from mailcordon.core.principal import OPERATE, READ

Owner = Literal["person", "breaker", "policy", "rollout", "ses"]
_LEAST_SECONDS = 0.001  #: of a hold; it ends at a millisecond


class HoldItem(msgspec.Struct):
    id: int
    tenant: str
    class_: str | None = msgspec.field(name="class")
    type: str | None
    provider: str | None
    campaign: str | None
    list_: str | None = msgspec.field(name="list")
    stops: bool
    rate: float | None
    owner: str
    because: str
    by: str
    since: Time
    until: Time | None
    ends: str | None  #: how, in words; null: it is lifted
    lifted_at: Time | None
    lifted_by: str | None
    lifted_because: str | None


class HoldPage(msgspec.Struct):
    items: list[HoldItem]
    next: str | None


class TargetBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which mail is meant: all of a tenant's, or a part of it."""

    tenant: str | None = None
    type: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    provider: str | None = None
    campaign: str | None = None
    list_: str | None = msgspec.field(default=None, name="list")

    def selection(self) -> Selection:
        return Selection(
            tenant=self.tenant,
            type=self.type,
            class_=self.class_,
            provider=self.provider,
            campaign=self.campaign,
            list=self.list_,
        )


class PreviewBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    action: Action
    owner: Owner = "person"


class CordonBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str
    until_seconds: float | None = None


class LiftBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str
    ids: list[int] | None = None
    owner: Owner = "person"  #: whose holds are lifted; ses: the stops that cover the mail end


class CancelBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str


class LaneCountItem(msgspec.Struct):
    type: str
    class_: str = msgspec.field(name="class")
    state: str
    ready: int
    waiting: int
    sending: int


class PreviewResult(msgspec.Struct):
    action: Action
    lanes: list[LaneCountItem]
    effect: str
    untouched: str


class LiftResult(msgspec.Struct):
    lifted: list[HoldItem]
    released: int  #: deliveries that nothing stops any more
    remaining: list[HoldItem]  #: open holds that still stop some of it
    ended: list[StopItem]  #: stops, if the owner is ses


class CancelResult(msgspec.Struct):
    cancelled: int


def hold_item(view: HoldView) -> HoldItem:
    hold = view.hold
    return HoldItem(
        id=hold.id,
        tenant=view.tenant,
        class_=None if hold.target.class_ is None else hold.target.class_.word,
        type=view.type,
        provider=None if hold.target.provider is None else hold.target.provider.word,
        campaign=hold.target.campaign,
        list_=hold.target.list,
        stops=hold.stops,
        rate=hold.rate,
        owner=hold.owner,
        because=hold.because,
        by=hold.by,
        since=shapes.iso_ms(hold.since),
        until=shapes.iso_ms_or_none(hold.until),
        ends=None if view.lifted_at is not None else hold.ends,
        lifted_at=shapes.iso_ms_or_none(view.lifted_at),
        lifted_by=view.lifted_by,
        lifted_because=view.lifted_because,
    )


def routes(reads: Reads, cordons: Cordons) -> list[HTTPRouteHandler]:
    @get("/v1/holds", summary="List holds, newest first", tags=["control"])
    async def list_holds(
        request: AnyRequest,
        tenant: AnyTenant = None,
        is_open: Annotated[
            bool | None, QueryParameter(name="open", description="Only open ones, or only lifted ones.")
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> HoldPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.holds(viewer, is_open=is_open, before=after, limit=limit)
        return HoldPage(
            [hold_item(view) for view in found], shapes.next_of([view.hold.id for view in found], limit)
        )

    @post(
        "/v1/holds/preview",
        status_code=200,
        summary="Preview what an action would do; changes nothing",
        tags=["control"],
    )
    async def preview(request: AnyRequest, data: JSONBody[PreviewBody]) -> PreviewResult:
        # Who may act may look first, and so may who only reads.
        may_act = OPERATE in principal_of(request).scopes
        principal = platform_principal(request, OPERATE if may_act else READ)
        expected = await cordons.preview(data.action, data.selection(), principal, owner=data.owner)
        return PreviewResult(
            action=data.action,
            lanes=[_lane_count(lane) for lane in expected.lanes],
            effect=expected.effect,
            untouched=expected.untouched,
        )

    @post("/v1/holds", summary="Cordon: hold mail until it is lifted or expires", tags=["control"])
    async def cordon(request: AnyRequest, data: JSONBody[CordonBody]) -> HoldItem:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        seconds = shapes.seconds(data.until_seconds, least=_LEAST_SECONDS)
        return hold_item(await cordons.cordon(data.selection(), principal, because=because, seconds=seconds))

    @post("/v1/holds/lift", status_code=200, summary="Uncordon: lift holds, and only those", tags=["control"])
    async def lift(request: AnyRequest, data: JSONBody[LiftBody]) -> LiftResult:
        principal = platform_principal(request, OPERATE)
        because, selection = shapes.reason(data.because), data.selection()
        if data.ids is None:
            done = await cordons.uncordon(selection, principal, because=because, owner=data.owner)
        else:
            done = await cordons.uncordon_holds(data.ids, selection, principal, because=because)
        return LiftResult(
            lifted=[hold_item(view) for view in done.lifted],
            released=done.released,
            remaining=[hold_item(view) for view in done.remaining],
            ended=[stop_item(view) for view in done.ended],
        )

    @post(
        "/v1/cancellations",
        status_code=200,
        summary="Drop mail that has not left, for good",
        tags=["control"],
    )
    async def cancel(request: AnyRequest, data: JSONBody[CancelBody]) -> CancelResult:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        return CancelResult(await cordons.cancel(data.selection(), principal, because=because))

    return [list_holds, preview, cordon, lift, cancel]


def _lane_count(lane: LaneCounts) -> LaneCountItem:
    return LaneCountItem(
        type=lane.type,
        class_=lane.class_.word,
        state=lane.state,
        ready=lane.ready,
        waiting=lane.waiting,
        sending=lane.sending,
    )
