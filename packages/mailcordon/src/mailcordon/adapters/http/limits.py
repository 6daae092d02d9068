"""Limits over HTTP: what may leave in a minute, an hour or a day, what is used of it and what waits (docs/limits.md)."""

from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import limits, lookup
from mailcordon.control.limits import LimitReads, ShownLimit
from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import limits as messages

Owner = Literal["policy", "each", "new-sender", "warm-up", "release", "guard", "outside", "default"]


class LimitItem(msgspec.Struct):
    id: int
    tenant: str
    owner: Owner  #: who wrote it; default: Mailcordon has it by itself
    scope: Literal[
        "tenant",
        "class",
        "lane",
        "key",
        "campaign",
        "list",
        "provider",
        "identity",
        "recipient",
        "repeat",
        "each-campaign",
        "each-provider",
    ]
    type: str | None  #: of the lane that it is about
    class_: str | None = msgspec.field(name="class")
    campaign: str | None
    list: str | None
    provider: str | None  #: mailbox provider
    domain: str | None  #: From domain
    key: int | None  #: id of the API key
    per: Literal["minute", "hour", "day", "ever"]  #: its window, in UTC
    cap: int  #: mails in a window
    used: int | None  #: in this window; null: each address is counted apart
    left: int | None
    opens_at: Time | None  #: when the next window begins; null: it has none, and opens when its cap grows
    mode: Literal["observe", "shadow", "enforce"]
    spares_urgent: bool  #: urgent mail counts and does not wait
    refuses: bool  #: what is over it is refused; else it waits
    waiting: int  #: mails that wait for it; counting ends at 100,000
    would_have_held: int  #: in mode shadow: mails that left over it
    would_since: Time | None
    because: str
    sentence: str


class LimitPage(msgspec.Struct):
    items: list[LimitItem]
    next: str | None


def limit_item(found: ShownLimit) -> LimitItem:
    one = found.limit
    return LimitItem(
        id=one.id,
        tenant=found.tenant,
        owner=one.owner,  # pyright: ignore[reportArgumentType]
        scope=one.scope.value,
        type=found.type,
        class_=None if one.class_ is None else one.class_.word,
        campaign=one.campaign,
        list=one.list,
        provider=None if one.provider is None else one.provider.word,
        domain=one.domain,
        key=one.api_key,
        per=one.per.value,
        cap=one.cap,
        used=found.used,
        left=found.left,
        opens_at=shapes.iso_ms_or_none(found.opens_at),
        mode=one.mode.value,
        spares_urgent=one.spares_urgent,
        refuses=one.refuses,
        waiting=found.waiting,
        would_have_held=found.would_have_held,
        would_since=shapes.iso_ms_or_none(found.would_since),
        because=one.because,
        sentence=found.sentence,
    )


def routes(reads: LimitReads, lanes: lookup.LaneNames) -> list[HTTPRouteHandler]:
    @get("/v1/limits", summary="List limits with what is used of them", tags=["control"])
    async def list_limits(
        request: AnyRequest,
        tenant: AnyTenant = None,
        of_type: Annotated[
            str | None,
            QueryParameter(
                name="type",
                description="Only limits about the mail of this lane of the tenant, which must be named too.",
            ),
        ] = None,
        owner: Annotated[Owner | None, QueryParameter(description="Only those of this owner.")] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LimitPage:
        principal = principal_of(request)
        viewer = await lookup.viewer(lanes, principal, tenant)
        lane = None
        if of_type is not None:
            if viewer.tenant is None:
                raise Invalid(Fault("tenant", messages.type_needs_tenant()))
            slug = tenant or principal.tenant_slug or ""
            lane = await lookup.lane_id(lanes, viewer.tenant, slug, of_type)
        found = await reads.limits(viewer, lane=lane, owner=owner, after=shapes.id32(after), limit=limit)
        return LimitPage(
            [limit_item(one) for one in found], shapes.next_of([one.limit.id for one in found], limit)
        )

    @get("/v1/limits/{limit_id:int}", summary="Show a limit", tags=["control"])
    async def get_limit(request: AnyRequest, limit_id: FromPath[int]) -> LimitItem:
        viewer = await lookup.viewer(lanes, principal_of(request), None)
        return limit_item(await limits.shown(reads, viewer, shapes.id32(limit_id)))

    return [list_limits, get_limit]
