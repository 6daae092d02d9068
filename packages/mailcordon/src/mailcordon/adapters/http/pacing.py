"""Paced releases and warm-ups over HTTP: where each stands, what it waits for, and a person who lets a release leave."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, IsOpen, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.pacing.view import PacingChanges, PacingReads, ReleaseView, WarmUpView
from mailcordon.control.views import Viewer
from mailcordon.core.principal import OPERATE


class ReleaseFeedback(msgspec.Struct):
    out: int  #: mails that left, as far as they are counted
    heard: int  #: of these, with an outcome
    hard_bounces: int
    most_hard_bounces: float  #: that healthy mail of this age has
    complaints: int
    most_complaints: float


class ReleaseItem(msgspec.Struct):
    id: int
    tenant: str
    type: str
    kind: str  #: campaign, list or lane
    name: str
    state: str  #: steps, closed, open or over
    step: int  #: from 1 on
    mode: str  #: observe, shadow or enforce
    accepted: int  #: deliveries
    may_leave: int | None  #: in all; null: no limit
    waiting: int  #: for a step; counting stops at 100,000
    feedback: ReleaseFeedback
    fresh: bool  #: a list that the lane had never mailed before
    began_at: Time
    step_opened_at: Time
    next_step_at: Time | None  #: at the earliest; null: time alone opens nothing
    waits_for: str  #: a word: guard.release.Why
    sentence: str
    opened_by: str | None  #: a person who let all of it leave
    opened_because: str | None
    ended_at: Time | None


class ReleasePage(msgspec.Struct):
    items: list[ReleaseItem]
    next: str | None


class ReleaseOpen(msgspec.Struct, forbid_unknown_fields=True):
    because: str


class WarmUpItem(msgspec.Struct):
    tenant: str
    domain: str
    ip_pool: str | None  #: null: the account's shared addresses
    provider: str
    day: int  #: of the curve, from 1 on
    days: int  #: of the curve
    warm: bool
    mails_today: int | None  #: that may leave; null: no limit
    sent_today: int
    slowed: str | None  #: delays or blocks: what cut today's budget
    verdict: str  #: first, advanced, unused, slowed, forgotten or warm
    mode: str
    sentence: str
    because: str


class WarmUps(msgspec.Struct):
    items: list[WarmUpItem]


def release_item(view: ReleaseView) -> ReleaseItem:
    at, back = view.release, view.feedback
    return ReleaseItem(
        id=view.id,
        tenant=view.tenant,
        type=view.type,
        kind=view.kind,
        name=view.name,
        state=str(at.phase),
        step=at.step + 1,
        mode=str(view.mode),
        accepted=view.accepted,
        may_leave=view.may_leave,
        waiting=view.waiting,
        feedback=ReleaseFeedback(
            out=back.out,
            heard=back.heard,
            hard_bounces=back.bounces,
            most_hard_bounces=round(back.usual_bounces, 2),
            complaints=back.complaints,
            most_complaints=round(back.usual_complaints, 2),
        ),
        fresh=view.fresh,
        began_at=shapes.iso_ms(at.began_at),
        step_opened_at=shapes.iso_ms(at.opened_at),
        next_step_at=shapes.iso_ms_or_none(at.next_at),
        waits_for=str(at.why),
        sentence=view.sentence,
        opened_by=view.opened_by,
        opened_because=view.opened_because,
        ended_at=shapes.iso_ms_or_none(view.ended_at),
    )


def warm_up_item(view: WarmUpView) -> WarmUpItem:
    at = view.standing.at
    return WarmUpItem(
        tenant=view.tenant,
        domain=view.standing.key.domain,
        ip_pool=view.standing.key.pool or None,
        provider=view.standing.provider.word,
        day=min(at.step + 1, max(1, at.of)),
        days=at.of,
        warm=at.warm,
        mails_today=at.cap,
        sent_today=view.sent_today,
        slowed=None if at.slowed_today is None else str(at.slowed_today),
        verdict=str(at.verdict),
        mode=str(view.standing.mode),
        sentence=view.sentence,
        because=view.because,
    )


def routes(reads: PacingReads, changes: PacingChanges) -> list[HTTPRouteHandler]:
    @get("/v1/releases", summary="List paced releases, newest first", tags=["control"])
    async def list_releases(
        request: AnyRequest,
        tenant: AnyTenant = None,
        type: FromQuery[str | None] = None,
        name: Annotated[
            str | None, QueryParameter(description="Of a campaign or list; empty: of mail without either.")
        ] = None,
        is_open: IsOpen = None,
        after: After = None,
        limit: Limit = 100,
    ) -> ReleasePage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.releases(viewer, type=type, name=name, is_open=is_open, before=after, limit=limit)
        return ReleasePage(
            [release_item(one) for one in found], shapes.next_of([one.id for one in found], limit)
        )

    @post(
        "/v1/releases/{number:int}/open",
        status_code=200,
        summary="Let all mail of a paced release leave",
        tags=["control"],
    )
    async def open_release(
        request: AnyRequest, number: FromPath[int], data: JSONBody[ReleaseOpen]
    ) -> ReleaseItem:
        principal = platform_principal(request, OPERATE)
        because = shapes.reason(data.because)
        id = shapes.id32(number)
        await changes.open(id, actor=principal.actor, because=because)
        found = await reads.releases(Viewer(None), type=None, name=None, is_open=None, before=id + 1, limit=1)
        return release_item(found[0])

    @get("/v1/warm-ups", summary="List the warm-ups of domains", tags=["control"])
    async def list_warm_ups(
        request: AnyRequest, tenant: AnyTenant = None, domain: FromQuery[str | None] = None
    ) -> WarmUps:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        return WarmUps([warm_up_item(one) for one in await reads.warm_ups(viewer, domain=domain)])

    return [list_releases, open_release, list_warm_ups]
