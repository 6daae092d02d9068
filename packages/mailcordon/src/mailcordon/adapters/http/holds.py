"""Stopping, releasing and cancelling over HTTP. Each says what it will do before it does it, and needs a reason."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import principal_of
from mailcordon.adapters.http.shapes import After, AnyRequest, Limit, TenantSlug
from mailcordon.control import preview
from mailcordon.control.governor import Governor
from mailcordon.control.views import HoldView, Reads
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.hold import Hold
from mailcordon.core.principal import OPERATE, Principal
from mailcordon.core.priority import Class, parse_class
from mailcordon.core.provider import Provider, parse_provider
from mailcordon.core.target import NewHold, Target, target_of

LONGEST_UNTIL = 10 * 366 * 24 * 3600  #: seconds
MOST_LIFTED = 100  #: holds named by their number in one request

Action = Literal["cordon", "uncordon", "cancel"]


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
    since: str
    until: str | None
    lifted_at: str | None
    lifted_by: str | None
    lifted_because: str | None


class HoldPage(msgspec.Struct):
    items: list[HoldItem]
    next: str | None


class TargetBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is meant: a tenant, or what of it."""

    tenant: str | None = None
    type: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    provider: str | None = None
    campaign: str | None = None
    list_: str | None = msgspec.field(default=None, name="list")


class PreviewBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    action: Action


class CordonBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str
    until_seconds: float | None = None


class LiftBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str
    ids: list[int] | None = None


class CancelBody(TargetBody, kw_only=True, forbid_unknown_fields=True):
    because: str


class LaneCountItem(msgspec.Struct):
    type: str
    class_: str = msgspec.field(name="class")
    state: str
    ready: int
    waiting: int
    sending: int


class PreviewAnswer(msgspec.Struct):
    action: Action
    lanes: list[LaneCountItem]
    effect: str
    untouched: str


class LiftAnswer(msgspec.Struct):
    lifted: list[HoldItem]
    released: int  #: deliveries that nothing stops any more
    remaining: list[HoldItem]  #: open holds that still stop some of it


class CancelAnswer(msgspec.Struct):
    cancelled: int


def hold_item(view: HoldView) -> HoldItem:
    hold = view.hold
    return HoldItem(
        id=hold.id,
        tenant=view.tenant,
        class_=None if hold.class_ is None else hold.class_.word,
        type=view.type,
        provider=None if hold.provider is None else hold.provider.word,
        campaign=hold.campaign,
        list_=hold.list,
        stops=hold.stops,
        rate=hold.rate,
        owner=hold.owner,
        because=hold.because,
        by=hold.by,
        since=shapes.iso_ms(hold.since) or "",
        until=shapes.iso_ms(hold.until),
        lifted_at=shapes.iso_ms(view.lifted_at),
        lifted_by=view.lifted_by,
        lifted_because=view.lifted_because,
    )


def routes(reads: Reads, governor: Governor) -> list[HTTPRouteHandler]:
    @get("/v1/holds", summary="Holds, newest first", tags=["control"])
    async def list_holds(
        request: AnyRequest,
        tenant: TenantSlug = None,
        is_open: Annotated[
            bool | None, QueryParameter(name="open", description="Only open ones, or only lifted ones.")
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> HoldPage:
        viewer = await shapes.viewer_of(reads, principal_of(request), tenant)
        found = await reads.holds(viewer, is_open=is_open, before=after, limit=limit)
        return HoldPage(
            [hold_item(view) for view in found], shapes.next_of([view.hold.id for view in found], limit)
        )

    @post(
        "/v1/holds/preview",
        status_code=200,
        summary="What an action would do; changes nothing",
        tags=["control"],
    )
    async def preview_action(request: AnyRequest, data: JSONBody[PreviewBody]) -> PreviewAnswer:
        slug, target = await _target(reads, _operator(request), data)
        found = await governor.preview(target)
        return PreviewAnswer(
            action=data.action,
            lanes=[
                LaneCountItem(
                    type=lane.type,
                    class_=lane.class_.word,
                    state=lane.state,
                    ready=lane.ready,
                    waiting=lane.waiting,
                    sending=lane.sending,
                )
                for lane in found.lanes
            ],
            effect=preview.effect(data.action, found, slug),
            untouched=preview.untouched(found, slug),
        )

    @post("/v1/holds", summary="Cordon: hold mail until it is lifted or expires", tags=["control"])
    async def cordon(request: AnyRequest, data: JSONBody[CordonBody]) -> HoldItem:
        principal = _operator(request)
        because, seconds = shapes.reason(data.because), _seconds(data.until_seconds)
        _, target = await _target(reads, principal, data)
        until = None if seconds is None else await reads.now_ms() + int(seconds * 1000)
        new = NewHold(target=target, owner="person", because=because, until=until)
        hold = await governor.place(new, actor=principal.actor)
        return (await _shown([hold.id]))[0]

    @post("/v1/holds/lift", status_code=200, summary="Uncordon: lift holds, and only those", tags=["control"])
    async def lift(request: AnyRequest, data: JSONBody[LiftBody]) -> LiftAnswer:
        principal = _operator(request)
        because = shapes.reason(data.because)
        if data.ids is not None:
            tenant, lifting = await _named(reads, principal, data)
        else:
            _, target = await _target(reads, principal, data)
            tenant, lifting = target.tenant, preview.liftable(await governor.preview(target))
        released, remaining = await _will_release(tenant, lifting)
        lifted = await governor.lift(
            [hold.id for hold in lifting], tenant=tenant, actor=principal.actor, because=because
        )
        return LiftAnswer(
            lifted=await _shown([hold.id for hold in lifted]),
            released=released if lifted else 0,
            remaining=await _shown(remaining),
        )

    @post("/v1/cancellations", status_code=200, summary="Drop what has not left, for good", tags=["control"])
    async def cancel(request: AnyRequest, data: JSONBody[CancelBody]) -> CancelAnswer:
        principal = _operator(request)
        because = shapes.reason(data.because)
        _, target = await _target(reads, principal, data)
        return CancelAnswer(await governor.cancel(target, actor=principal.actor, because=because))

    async def _shown(ids: list[int]) -> list[HoldItem]:
        return [hold_item(view) for view in await reads.holds_by_id(ids)] if ids else []

    async def _will_release(tenant: int, lifting: list[Hold]) -> tuple[int, list[int]]:
        """How many deliveries nothing stops once these are gone, and which holds still stop some of the rest."""
        free: dict[int, int] = {}
        remaining: set[int] = set()
        going = {hold.id for hold in lifting}
        for hold in lifting:
            found = await governor.preview(target_of(hold))
            for lane in preview.released(found, lifting):
                free[lane.lane] = max(free.get(lane.lane, 0), lane.ready + lane.waiting)
            remaining |= {other.id for other in found.holds if other.id not in going}
        return sum(free.values()), sorted(remaining)

    return [list_holds, preview_action, cordon, lift, cancel]


def _operator(request: AnyRequest) -> Principal:
    return shapes.only_platform(principal_of(request), OPERATE)


async def _target(reads: Reads, principal: Principal, body: TargetBody) -> tuple[str, Target]:
    """Slug and target. Raises Invalid naming the member that cannot be, NotFound for an unknown tenant or lane."""
    class_, provider = _class(body.class_), _provider(body.provider)
    campaign, list_ = _name("campaign", body.campaign), _name("list", body.list_)
    if body.type is not None and class_ is not None:
        raise Invalid(Fault("class", "a message type has one class: name either the type or the class"))
    slug = principal.tenant_for(body.tenant)
    tenant = await shapes.tenant_id(reads, slug)
    lane = None
    if body.type is not None:
        lane = await reads.lane_id(tenant, body.type)
        if lane is None:
            raise NotFound(f"{slug} has no lane {body.type[:64]}.", code="no-such-lane")
    return slug, Target(
        tenant=tenant, class_=class_, lane=lane, provider=provider, campaign=campaign, list=list_
    )


async def _named(reads: Reads, principal: Principal, body: LiftBody) -> tuple[int, list[Hold]]:
    """The open holds that were named by number. Raises NotFound for one that is not there, or is another tenant's."""
    ids = sorted(set(body.ids or []))
    others = (body.type, body.class_, body.provider, body.campaign, body.list_)
    if not 1 <= len(ids) <= MOST_LIFTED or not all(0 < id <= shapes.HIGHEST_ID for id in ids):
        raise Invalid(Fault("ids", f"names 1 to {MOST_LIFTED} holds by their numbers"))
    if any(other is not None for other in others):
        raise Invalid(Fault("ids", "names the holds already: leave type, class and the like out"))
    slug = principal.tenant_for(body.tenant)
    tenant = await shapes.tenant_id(reads, slug)
    found = {view.hold.id: view for view in await reads.holds_by_id(ids) if view.hold.tenant == tenant}
    for id in ids:
        if id not in found:
            raise NotFound(f"{slug} has no hold {id}.", code="no-such-hold")
    return tenant, [view.hold for view in found.values() if view.lifted_at is None]


def _class(word: str | None) -> Class | None:
    try:
        return None if word is None else parse_class(word)
    except ValueError as problem:
        raise Invalid(Fault("class", str(problem))) from None


def _provider(word: str | None) -> Provider | None:
    try:
        return None if word is None else parse_provider(word)
    except ValueError as problem:
        raise Invalid(Fault("provider", str(problem))) from None


def _name(field: str, text: str | None) -> str | None:
    if text is not None and (not text or len(text) > shapes.LONGEST_NAME or "\0" in text):
        raise Invalid(Fault(field, f"a name of 1 to {shapes.LONGEST_NAME} characters"))
    return text


def _seconds(seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds <= LONGEST_UNTIL:
        raise Invalid(Fault("until_seconds", f"is a number of seconds above 0 and at most {LONGEST_UNTIL}"))
    return seconds
