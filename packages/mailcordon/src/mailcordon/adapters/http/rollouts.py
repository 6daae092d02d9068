"""Rollouts over HTTP: where each stands, why, what blocks it, and what people decide."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, IsOpen, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.rollouts.changes import Changes, Preview
from mailcordon.control.rollouts.facts import LaneFacts, Way
from mailcordon.control.rollouts.view import FreezeView, RolloutReads, RolloutView
from mailcordon.control.views import Viewer
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import OPERATE
from mailcordon.core.provider import Provider
from mailcordon.messages import rollouts as words
from mailcordon.observe.rates import wilson


class Change(Protocol):
    async def __call__(self, id: int, /, *, actor: str, because: str) -> None: ...


class RolloutGate(msgspec.Struct):
    measure: str  #: guard.rollouts.nouns.Measure
    verdict: str  #: pass, wait or back
    sentence: str
    provider: str | None  #: where the new path is worst; null: over all
    new: int  #: mails of the new path that it happened to
    new_of: float  #: of so many whose feedback can have come
    old: int
    old_of: float
    allowed: float  #: share that the margin allows
    widened: float  #: times the usual margin
    harm: float  #: nats that the new path is worse by more than the margin
    back_at: float
    sound: float  #: nats that it is not
    pass_at: float | None  #: null: going on does not wait for it
    new_range: tuple[float, float]  #: 95 % interval of the new path's share
    old_range: tuple[float, float]


class RolloutCheck(msgspec.Struct):
    key: str  #: by which an override names it
    check: str
    of: str
    holds: bool | None  #: null: not known
    said: str
    since: Time | None  #: since when it does not hold
    command: str | None  #: that mends it
    from_share: int  #: smaller shares do not need it


class RolloutStep(msgspec.Struct):
    at: Time
    what: str
    from_share: int
    to_share: int
    by: str
    sentence: str


class RolloutOverride(msgspec.Struct):
    key: str
    share: int
    by: str
    because: str
    at: Time


class RolloutItem(msgspec.Struct):
    id: int
    tenant: str
    types: list[str]
    state: str
    share: int  #: percent on the new path
    shares: list[int]
    since: Time
    backs: int
    began_at: Time
    began_by: str
    because: str
    looked_at: Time | None
    verdict: str | None
    sentence: str | None
    moving: bool  #: mail that waits is being moved back
    rests_until: Time | None
    plan: int | None  #: that drops the old path, while the rollout is being finished
    ended_at: Time | None
    gates: list[RolloutGate]
    checklist: list[RolloutCheck]
    steps: list[RolloutStep]  #: the newest first; empty in a list
    overrides: list[RolloutOverride]


class RolloutPage(msgspec.Struct):
    items: list[RolloutItem]
    next: str | None


class RolloutWay(msgspec.Struct):
    domain: str
    ses_tenant: str
    configuration_set: str
    ip_pool: str | None


class RolloutLane(msgspec.Struct):
    type: str
    new: RolloutWay
    old: RolloutWay | None
    mails_a_day: dict[str, float]  #: by mailbox provider, on the average of the last 7 days


class RolloutPreview(msgspec.Struct):
    tenant: str
    shares: list[int]
    lanes: list[RolloutLane]
    checklist: list[RolloutCheck]
    verdict: str  #: about the first share
    sentence: str


class RolloutOf(msgspec.Struct, forbid_unknown_fields=True):
    tenant: str
    types: list[str] | None = None  #: null: all lanes that have both paths
    shares: list[int] | None = None  #: percent, rising, the last is 100


class RolloutStart(msgspec.Struct, forbid_unknown_fields=True):
    tenant: str
    because: str
    types: list[str] | None = None
    shares: list[int] | None = None
    pace: float = 1.0  #: times the hours that a share lasts at least


class RolloutReason(msgspec.Struct, forbid_unknown_fields=True):
    because: str


class RolloutAdvance(msgspec.Struct, forbid_unknown_fields=True):
    because: str
    overrides: list[str] = []  #: keys of what does not keep it, for the next share
    to: int | None = None  #: percent; refused if another share comes next, so that a request may be repeated


class FreezeItem(msgspec.Struct):
    id: int
    tenant: str | None  #: null: all
    since: Time
    until: Time
    by: str
    because: str


class FreezeList(msgspec.Struct):
    items: list[FreezeItem]


class FreezeStart(msgspec.Struct, forbid_unknown_fields=True):
    since: Time
    until: Time
    because: str
    tenant: str | None = None


def rollout_item(view: RolloutView) -> RolloutItem:
    at = view.standing
    return RolloutItem(
        id=view.id,
        tenant=view.tenant,
        types=list(view.types),
        state=at.state.value,
        share=at.share,
        shares=list(at.shares),
        since=shapes.iso_ms(at.since),
        backs=at.backs,
        began_at=shapes.iso_ms(view.began_at),
        began_by=view.began_by,
        because=view.because,
        looked_at=shapes.iso_ms_or_none(view.looked_at),
        verdict=view.verdict,
        sentence=view.sentence,
        moving=view.moving,
        rests_until=shapes.iso_ms_or_none(view.rests_until),
        plan=view.plan,
        ended_at=shapes.iso_ms_or_none(view.ended_at),
        gates=[_gate(gate) for gate in view.gates],
        checklist=[
            msgspec.convert({**item, "since": shapes.iso_ms_or_none(item["since"])}, RolloutCheck)
            for item in view.checklist
        ],
        steps=[
            RolloutStep(
                at=shapes.iso_ms(step.at),
                what=step.what,
                from_share=step.from_share,
                to_share=step.to_share,
                by=step.by,
                sentence=step.sentence,
            )
            for step in view.steps
        ],
        overrides=[
            RolloutOverride(
                key=each.key, share=each.share, by=each.by, because=each.because, at=shapes.iso_ms(each.at)
            )
            for each in view.overrides
        ],
    )


def _gate(gate: Mapping[str, Any]) -> RolloutGate:
    provider = None if gate["provider"] is None else Provider(gate["provider"]).word
    ranges = {f"{path}_range": wilson(gate[path], gate[f"{path}_of"]) for path in ("new", "old")}
    return msgspec.convert({**gate, "provider": provider, **ranges}, RolloutGate)


def _way(way: Way) -> RolloutWay:
    return RolloutWay(way.domain, way.ses_tenant, way.configuration_set, way.ip_pool)


def _lane(lane: LaneFacts) -> RolloutLane:
    return RolloutLane(
        type=lane.type,
        new=_way(lane.new),
        old=None if lane.old is None else _way(lane.old),
        mails_a_day={Provider(provider).word: round(mails, 1) for provider, mails in lane.daily.items()},
    )


def preview_item(preview: Preview) -> RolloutPreview:
    return RolloutPreview(
        tenant=preview.tenant,
        shares=list(preview.shares),
        lanes=[_lane(lane) for lane in preview.lanes],
        checklist=[
            RolloutCheck(
                key=item.key,
                check=item.check.value,
                of=item.of,
                holds=item.holds,
                said=item.said,
                since=shapes.iso_ms_or_none(item.since),
                command=item.command,
                from_share=item.from_share,
            )
            for item in preview.checklist
        ],
        verdict=preview.decision.verdict.value,
        sentence=preview.decision.sentence,
    )


def _freeze(view: FreezeView) -> FreezeItem:
    return FreezeItem(
        view.id, view.tenant, shapes.iso_ms(view.since), shapes.iso_ms(view.until), view.by, view.because
    )


def routes(reads: RolloutReads, changes: Changes) -> list[HTTPRouteHandler]:
    async def one(viewer: Viewer, number: int) -> RolloutItem:
        found = await reads.rollout(viewer, shapes.id32(number))
        if found is None:
            raise NotFound(words.no_rollout(number), code="no-such-rollout")
        return rollout_item(found)

    @get("/v1/rollouts", summary="List rollouts, newest first", tags=["control"])
    async def list_rollouts(
        request: AnyRequest,
        tenant: AnyTenant = None,
        is_open: IsOpen = None,
        after: After = None,
        limit: Limit = 100,
    ) -> RolloutPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.rollouts(viewer, is_open=is_open, before=after, limit=limit)
        return RolloutPage(
            [rollout_item(view) for view in found], shapes.next_of([v.id for v in found], limit)
        )

    @get("/v1/rollouts/{number:int}", summary="Show a rollout with its gates and steps", tags=["control"])
    async def show_rollout(request: AnyRequest, number: FromPath[int]) -> RolloutItem:
        return await one(await lookup.viewer(reads, principal_of(request), None), number)

    @post(
        "/v1/rollouts/preview",
        status_code=200,
        summary="Say what a rollout would do, and what is missing",
        tags=["control"],
    )
    async def preview_rollout(request: AnyRequest, data: JSONBody[RolloutOf]) -> RolloutPreview:
        platform_principal(request, OPERATE)
        return preview_item(await changes.preview(data.tenant, data.types, data.shares))

    @post("/v1/rollouts", status_code=201, summary="Begin a rollout", tags=["control"])
    async def start_rollout(request: AnyRequest, data: JSONBody[RolloutStart]) -> RolloutItem:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        id = await changes.start(
            data.tenant, data.types, data.shares, data.pace, actor=principal.actor, because=because
        )
        return await one(Viewer(None), id)

    @post(
        "/v1/rollouts/{number:int}/advance",
        status_code=200,
        summary="Let a rollout go on to its next share",
        tags=["control"],
    )
    async def advance_rollout(
        request: AnyRequest, number: FromPath[int], data: JSONBody[RolloutAdvance]
    ) -> RolloutItem:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        await changes.advance(
            shapes.id32(number), data.overrides, to=data.to, actor=principal.actor, because=because
        )
        return await one(Viewer(None), number)

    def verb(name: str, summary: str, change: Change) -> HTTPRouteHandler:
        """What a person does to a rollout for a reason, and nothing else to say."""

        @post(f"/v1/rollouts/{{number:int}}/{name}", status_code=200, summary=summary, tags=["control"])
        async def change_rollout(
            request: AnyRequest, number: FromPath[int], data: JSONBody[RolloutReason]
        ) -> RolloutItem:
            actor = platform_principal(request, OPERATE).actor
            await change(shapes.id32(number), actor=actor, because=shapes.reason(data.because))
            return await one(Viewer(None), number)

        return change_rollout

    @get("/v1/rollout-freezes", summary="List freezes that are not over", tags=["control"])
    async def list_freezes(request: AnyRequest) -> FreezeList:
        platform_principal(request, OPERATE)
        return FreezeList([_freeze(view) for view in await reads.freezes()])

    @post("/v1/rollout-freezes", status_code=201, summary="Let no share grow for a time", tags=["control"])
    async def start_freeze(request: AnyRequest, data: JSONBody[FreezeStart]) -> FreezeItem:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        since, until = shapes.time("since", data.since), shapes.time("until", data.until)
        id = await changes.freeze(data.tenant, since, until, actor=principal.actor, because=because)
        return FreezeItem(
            id, data.tenant, shapes.iso_ms(since), shapes.iso_ms(until), principal.actor, because
        )

    @post("/v1/rollout-freezes/{number:int}/end", status_code=200, summary="End a freeze", tags=["control"])
    async def end_freeze(
        request: AnyRequest, number: FromPath[int], data: JSONBody[RolloutReason]
    ) -> FreezeList:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        await changes.unfreeze(shapes.id32(number), actor=principal.actor, because=because)
        return FreezeList([_freeze(view) for view in await reads.freezes()])

    return [
        list_rollouts,
        show_rollout,
        preview_rollout,
        start_rollout,
        advance_rollout,
        verb("hold", "Keep a rollout at its share", changes.hold),
        verb("back", "Take all mail back to the old path", changes.back),
        verb("finish", "Make the plan that drops the old path", changes.finish),
        verb("cancel", "Give up a rollout that moves nothing", changes.cancel),
        list_freezes,
        start_freeze,
        end_freeze,
    ]
