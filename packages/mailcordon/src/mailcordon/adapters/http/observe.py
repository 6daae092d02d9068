"""The quarantine of events that could not be attributed, over HTTP.

It needs the scope `operate`, which only platform keys have.
"""

from dataclasses import asdict, dataclass
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import Limit, Time, WhyAudited
from mailcordon.core import quarantine
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import OPERATE, Principal
from mailcordon.messages import api
from mailcordon.observe import view


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveServices:
    """What the routes of this plane need."""

    reader: view.ObserveReader
    replay: view.Replay


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
    return _quarantine_routes(services)


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
    async def replay_quarantine(
        request: AnyRequest, id: FromPath[int], because: WhyAudited = None
    ) -> QuarantineDocument:
        principal = _operator(request)
        reason = shapes.reason_or_none(because)
        await _quarantine_entry(services, id)
        await services.replay.run(id, principal.actor, reason)
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
