"""Metrics and the quarantine of events that could not be attributed, over HTTP.

To a tenant's key another tenant does not exist (404). Changes need the scope `operate`, which only platform keys have.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from mailcordon.adapters.http import read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import Limit, OneTenant, Time
from mailcordon.control import lookup
from mailcordon.core import quarantine
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.errors import Fault, Invalid, NotFound, parse_field
from mailcordon.core.principal import OPERATE, Principal
from mailcordon.core.provider import Provider, parse_provider
from mailcordon.messages import api
from mailcordon.observe import cohorts, view

_UNKNOWN = read_scope.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveServices:
    """What the routes of this plane need."""

    reader: view.ObserveReader
    replay: view.Replay


class FlowItem(msgspec.Struct):
    """Deliveries of a lane in the window, from the acceptance on: `queued_before + accepted` is the sum of the others."""

    since: Time | None  #: where the window begins; null: with the lane
    queued_before: int
    accepted: int
    sent: int
    refused: int
    expired: int
    cancelled: int
    given_up: int
    rejected: int
    no_outcome: int
    queued: int


class MetricItem(msgspec.Struct, omit_defaults=True):
    sent: int
    delivered: int
    hard_bounced: int
    soft_bounced: int
    complained: int
    delayed: int
    rejected: int
    suppressed_at_ses: int
    opened: int
    clicked: int
    tenant: str | None = None
    type: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    provider: str | None = None
    minute: Time | None = None  #: in which the mail left
    flow: FlowItem | None = None  #: by lane only


class KeepingItem(msgspec.Struct):
    """A hold or stop that kept mail of the lanes shown from leaving, in a part of the window."""

    what: Literal["hold", "stop"]
    id: int
    detail: str  #: as the lanes and deliveries that it covers say it
    since: Time
    until: Time | None  #: null: it still does


class MetricPage(msgspec.Struct):
    items: list[MetricItem]
    kept: list[KeepingItem]  #: the newest first
    next: str | None


class QuarantineItem(msgspec.Struct):
    id: int
    why: str
    detail: str
    tenant: str | None
    source: str
    copies: int
    first_received_at: Time
    last_received_at: Time
    replayed_at: Time | None
    resolution: str | None


class QuarantineDocument(QuarantineItem):
    document: str
    samples: list[str]  #: more documents of an entry about many mails


class QuarantineKindItem(msgspec.Struct):
    """What a kind of quarantine has, and may have. Beyond either bound documents are counted and not kept."""

    why: str
    entries: int
    most_entries: int
    bytes: int
    most_bytes: int
    keep_days: int
    documents: int  #: ever received, copies included
    not_kept: int  #: of these, only counted


class QuarantinePage(msgspec.Struct):
    items: list[QuarantineItem]
    kinds: list[QuarantineKindItem]
    next: str | None


def routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    return [*_metric_routes(services), *_quarantine_routes(services)]


# Metrics -----------------------------------------------------------------------------------------------------------------


def _metric_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/metrics", summary="Count what became of mail, from its acceptance on", tags=["observe"])
    async def get_metrics(
        request: AnyRequest,
        tenant: OneTenant = None,
        type: FromQuery[str | None] = None,
        provider: FromQuery[str | None] = None,
        minutes: Annotated[int, QueryParameter(ge=1, le=view.MOST_MINUTES)] = 60,
        by: FromQuery[view.By] = "lane",
        after: Annotated[int | None, QueryParameter(ge=0, lt=2**31)] = None,
        limit: Limit = 1000,
    ) -> MetricPage:
        slug, reader = await read_scope.of_one_tenant(services.reader, principal_of(request), tenant)
        if type is not None:
            await _lane(services, reader.tenant, slug, type)
        query = view.MetricQuery(
            by=by,
            minutes=minutes,
            type=type,
            provider=None if provider is None else _provider(provider),
            after=after,
            limit=limit,
        )
        lines = await services.reader.metrics(reader, query)
        last = str(lines[-1].key) if len(lines) == limit else None
        kept = await services.reader.kept(reader, query)
        return MetricPage([_metric_item(line, slug) for line in lines], [_keeping(one) for one in kept], last)

    return [get_metrics]


_SHOWN = (
    "sent",
    "delivered",
    "hard_bounced",
    "soft_bounced",
    "complained",
    "delayed",
    "rejected",
    "suppressed_at_ses",
    "opened",
    "clicked",
)


def _metric_item(line: view.MetricLine, tenant: str) -> MetricItem:
    counted = dict(zip(COLUMNS, line.counts, strict=True))
    counts = {name: counted[name] for name in _SHOWN}
    return MetricItem(
        **counts,
        tenant=tenant,
        type=line.type,
        class_=None if line.class_ is None else line.class_.word,
        provider=None if line.provider is None else line.provider.word,
        minute=None if line.minute is None else shapes.iso_ms(line.minute * cohorts.MINUTE_MS),
        flow=None if line.flow is None else _flow_item(line.flow),
    )


def _keeping(one: view.Keeping) -> KeepingItem:
    return KeepingItem(
        one.what, one.id, one.sentence, shapes.iso_ms(one.since), shapes.iso_ms_or_none(one.until)
    )


def _flow_item(flow: view.Flow) -> FlowItem:
    counts = asdict(flow)
    del counts["since"]
    return FlowItem(since=shapes.iso_ms_or_none(flow.since), **counts)


# Quarantine --------------------------------------------------------------------------------------------------------------


def _quarantine_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/quarantine", summary="List events that could not be attributed", tags=["observe"])
    async def list_quarantine(
        request: AnyRequest,
        why: FromQuery[str | None] = None,
        after: Annotated[int | None, QueryParameter(ge=1, le=shapes.HIGHEST_ID)] = None,
        limit: Limit = 1000,
    ) -> QuarantinePage:
        _operator(request)
        if why is not None and why not in quarantine.KINDS:
            raise Invalid(Fault("why", api.unknown_quarantine_kind(list(quarantine.KINDS))))
        entries = await services.reader.quarantine(why=why, before=after, limit=limit)
        kinds = await services.reader.quarantine_kinds()
        last = str(entries[-1].id) if len(entries) == limit else None
        return QuarantinePage(
            [_quarantine_item(entry) for entry in entries],
            [QuarantineKindItem(**asdict(kind)) for kind in kinds],
            last,
        )

    @get(
        "/v1/quarantine/{id:int}",
        summary="Show an entry, with the document as it was received",
        tags=["observe"],
    )
    async def get_quarantine(request: AnyRequest, id: FromPath[int]) -> QuarantineDocument:
        _operator(request)
        return await _quarantine_entry(services, id)

    @post(
        "/v1/quarantine/{id:int}/replay",
        status_code=200,
        summary="Process an entry again, as if it had just been received",
        tags=["observe"],
    )
    async def replay_quarantine(request: AnyRequest, id: FromPath[int]) -> QuarantineDocument:
        principal = _operator(request)
        await _quarantine_entry(services, id)
        await services.replay.run(id, principal.actor)
        return await _quarantine_entry(services, id)

    return [list_quarantine, get_quarantine, replay_quarantine]


def _operator(request: AnyRequest) -> Principal:
    """Documents in quarantine may be about any tenant, so no tenant's key may read them."""
    return platform_principal(request, OPERATE)


async def _quarantine_entry(services: ObserveServices, id: int) -> QuarantineDocument:
    entry = await services.reader.quarantine_entry(id) if 0 < id <= shapes.HIGHEST_ID else None
    if entry is None:
        raise NotFound(api.not_in_quarantine(id))
    item = _quarantine_item(entry)
    return QuarantineDocument(
        **msgspec.structs.asdict(item), document=entry.document or "", samples=list(entry.samples or ())
    )


def _quarantine_item(entry: view.QuarantineEntry) -> QuarantineItem:
    return QuarantineItem(
        id=entry.id,
        why=entry.why,
        detail=entry.detail,
        tenant=entry.tenant,
        source=entry.source,
        copies=entry.copies,
        first_received_at=shapes.iso(entry.first_received_at),
        last_received_at=shapes.iso(entry.last_received_at),
        replayed_at=shapes.iso_or_none(entry.replayed_at),
        resolution=entry.resolution,
    )


async def _lane(services: ObserveServices, tenant: int, slug: str, type: str) -> int:
    return await lookup.lane_id(services.reader, tenant, slug, type, code=_UNKNOWN)


def _provider(word: str) -> Provider:
    return parse_field("provider", parse_provider, word)
