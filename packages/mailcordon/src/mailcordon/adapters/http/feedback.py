"""Lost and late feedback over HTTP: mail whose events do not come back, and why (docs/observe.md)."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.feedback import FeedbackReads, LaneMark, LossView, lane_sentence
from mailcordon.core.feedback import Mark
from mailcordon.core.provider import Provider
from mailcordon.messages import feedback as messages


class LossItem(msgspec.Struct):
    """A tenant's key sees one for each of its lanes, without what tenants share: id, set, cause and numbers are null."""

    id: int | None
    signal: str  #: send: no event of these mails comes; bounce, complaint: others come
    open: bool
    late: bool  #: the events wait in the queue, and will be counted
    detail: str
    rates: str  #: what it means for rates
    next: str | None  #: what to do; null: it is over, or not the tenant's
    since: Time  #: of the first mail concerned
    until: Time | None  #: of the last; null: it lasts
    configuration_set: str | None  #: null: every set
    provider: str | None  #: null: every mailbox provider
    cause: str | None
    sent: int | None  #: mails concerned, as of the last look
    seen: int | None  #: of these, with their event
    missing: int | None
    types: list[str]  #: message types of the tenant's lanes that are concerned; empty without a tenant


class LossPage(msgspec.Struct):
    items: list[LossItem]
    next: str | None


class LaneFeedbackItem(msgspec.Struct):
    """Whether events of a lane's mail come back."""

    lost: bool
    late: bool  #: they wait in the queue, and will be counted
    since: Time | None
    detail: str


def routes(reads: FeedbackReads) -> list[HTTPRouteHandler]:
    @get("/v1/feedback", summary="List lost and late feedback, newest first", tags=["observe"])
    async def list_losses(
        request: AnyRequest,
        tenant: AnyTenant = None,
        is_open: Annotated[
            bool | None,
            QueryParameter(name="open", description="Only what lasts, or only what is over. Default: both."),
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LossPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        if viewer.as_tenant:
            own = await reads.own(viewer, is_open=is_open, limit=limit)
            return LossPage([_own_item(one) for one in own], None)
        found = await reads.losses(viewer, is_open=is_open, before=after, limit=limit)
        return LossPage([_item(one) for one in found], shapes.next_of([one.id for one in found], limit))

    return [list_losses]


def lane_feedback_item(marks: list[Mark]) -> LaneFeedbackItem:
    return LaneFeedbackItem(
        lost=bool(marks),
        late=bool(marks) and all(mark.late for mark in marks),
        since=shapes.iso_ms_or_none(min((mark.since for mark in marks), default=None)),
        detail=lane_sentence(marks),
    )


def _item(found: LossView) -> LossItem:
    return LossItem(
        id=found.id,
        signal=found.signal,
        open=found.until is None,
        late=found.late,
        detail=found.sentence,
        rates=messages.rates(late=found.late),
        next=found.next,
        since=shapes.iso_ms(found.since),
        until=shapes.iso_ms_or_none(found.until),
        configuration_set=found.configuration_set,
        provider=_word(found.provider),
        cause=found.cause,
        sent=found.evidence.get("sent"),
        seen=found.evidence.get("seen"),
        missing=found.missing,
        types=list(found.types),
    )


def _own_item(found: LaneMark) -> LossItem:
    mark = found.mark
    return LossItem(
        id=None,
        signal=mark.signal,
        open=mark.until is None,
        late=mark.late,
        detail=found.sentence,
        rates=messages.rates(late=mark.late),
        next=None,
        since=shapes.iso_ms(mark.since),
        until=shapes.iso_ms_or_none(mark.until),
        configuration_set=None,
        provider=_word(mark.provider),
        cause=None,
        sent=None,
        seen=None,
        missing=None,
        types=[found.type],
    )


def _word(provider: int | None) -> str | None:
    return None if provider is None else Provider(provider).word
