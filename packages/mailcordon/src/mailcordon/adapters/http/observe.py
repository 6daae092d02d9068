"""Metrics, suppressions and the quarantine of events that could not be attributed, over HTTP.

To a tenant's key another tenant does not exist (404). Changes need the scope `operate`, which only platform keys have.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import Limit, OneTenant, Time
from mailcordon.control import lookup, suppressions
from mailcordon.core import address as addresses
from mailcordon.core import quarantine
from mailcordon.core.errors import Fault, Invalid, NotFound, parse_field
from mailcordon.core.principal import OPERATE, READ, Principal
from mailcordon.core.provider import Provider, parse_provider
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.messages import api
from mailcordon.observe import metrics, view

_LEAST_SECONDS = 1  #: of a suppression
#: The code of these routes for an unknown tenant or lane. The routes of the control plane have more specific ones.
_UNKNOWN = NotFound.code

ScopeWord = Literal["tenant", "class", "lane"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveServices:
    """What the routes of this plane need."""

    reader: view.ObserveReader
    suppressions: view.Suppressions
    replay: view.Replay
    hash_key: bytes  #: of the installation, for the keyed hash of addresses


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


class SuppressionItem(msgspec.Struct):
    tenant: str
    address: str
    scope: ScopeWord
    class_: str | None = msgspec.field(name="class")
    type: str | None
    cause: str
    detail: str  #: the cause, as a sentence
    evidence: str  #: in one line
    facts: dict[str, Any]  #: the evidence as it was recorded
    since: Time
    until: Time | None
    by: str
    removing: bool  #: its removal was requested; it ends when SES's own entry is gone


class SuppressionPage(msgspec.Struct):
    items: list[SuppressionItem]
    next: str | None


class NewSuppression(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    scope: ScopeWord
    because: str
    tenant: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    type: str | None = None
    until_seconds: float | None = None


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
    return [*_metric_routes(services), *_suppression_routes(services), *_quarantine_routes(services)]


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
        slug, reader = await _reader(services, principal_of(request), tenant)
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


def _metric_item(line: view.MetricLine, tenant: str) -> MetricItem:
    counts = dict(zip(metrics.COLUMNS, line.counts, strict=True))
    return MetricItem(
        **counts,
        tenant=tenant,
        type=line.type,
        class_=None if line.class_ is None else line.class_.word,
        provider=None if line.provider is None else line.provider.word,
        minute=None if line.minute is None else shapes.iso_ms(line.minute * metrics.MINUTE_MS),
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


# Suppressions ------------------------------------------------------------------------------------------------------------


def _suppression_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/suppressions", summary="List the addresses that a tenant may not mail", tags=["observe"])
    async def list_suppressions(
        request: AnyRequest,
        tenant: OneTenant = None,
        address: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: Limit = 1000,
    ) -> SuppressionPage:
        slug, reader = await _reader(services, principal_of(request), tenant)
        hash = None if address is None else addresses.hash_of(services.hash_key, shapes.address(address))
        entries = await services.reader.suppressions(reader, hash=hash, after=after, limit=limit)
        last = _cursor_after(entries[-1]) if len(entries) == limit else None
        return SuppressionPage([_suppression_item(entry, slug) for entry in entries], last)

    @post("/v1/suppressions", summary="Stop a tenant's mail to an address", tags=["observe"])
    async def add_suppression(
        request: AnyRequest, data: JSONBody[NewSuppression]
    ) -> Response[SuppressionItem]:
        principal = principal_of(request)
        principal.require(OPERATE)
        because = shapes.reason(data.because)
        seconds = shapes.seconds(data.until_seconds, least=_LEAST_SECONDS)
        slug = principal.tenant_for(data.tenant)
        key = await _suppression_key(services, slug, data.address, data.scope, data.class_, data.type)
        entry, changed = await services.suppressions.add(
            key,
            because=because,
            until_seconds=None if seconds is None else int(seconds),
            actor=principal.actor,
        )
        return Response(_suppression_item(entry, slug), status_code=201 if changed else 200)

    @delete(
        "/v1/suppressions",
        status_code=202,
        summary="Allow a tenant's mail to an address again",
        tags=["observe"],
    )
    async def remove_suppression(
        request: AnyRequest,
        address: FromQuery[str],
        scope_: Annotated[ScopeWord, QueryParameter(name="scope")],
        tenant: OneTenant = None,
        class_: Annotated[str | None, QueryParameter(name="class")] = None,
        type: FromQuery[str | None] = None,
        because: FromQuery[str | None] = None,
    ) -> SuppressionItem:
        principal = principal_of(request)
        principal.require(OPERATE)
        reason = None if because is None else shapes.reason(because)
        slug = principal.tenant_for(tenant)
        key = await _suppression_key(services, slug, address, scope_, class_, type)
        entry = await services.suppressions.remove(key, because=reason, actor=principal.actor)
        if entry is None:
            raise NotFound(api.not_suppressed(slug, key.address, scope_))
        return _suppression_item(entry, slug)

    return [list_suppressions, add_suppression, remove_suppression]


async def _suppression_key(
    services: ObserveServices, slug: str, address: str, scope: ScopeWord, class_: str | None, type: str | None
) -> view.SuppressionKey:
    """Raises Invalid where scope, class and type do not fit together, NotFound for an unknown tenant or lane."""
    parsed = shapes.address(address)
    covered = await suppressions.covered(services.reader, slug, scope, class_, type, code=_UNKNOWN)
    return view.SuppressionKey(
        tenant=covered.tenant,
        hash=addresses.hash_of(services.hash_key, parsed),
        address=str(parsed),
        scope=covered.scope,
        target=covered.target,
    )


def _cursor_after(found: Suppression) -> str:
    return f"{found.hash.hex()}.{int(found.scope)}.{found.target}"


def _suppression_item(found: Suppression, tenant: str) -> SuppressionItem:
    return SuppressionItem(
        tenant=tenant,
        address=found.address,
        scope=found.scope.word,  # pyright: ignore[reportArgumentType]
        class_=found.mail if found.scope is Scope.CLASS else None,
        type=found.type,
        cause=found.cause,
        detail=found.sentence(tenant),
        evidence=view.evidence_sentence(found),
        facts=dict(found.evidence),
        since=shapes.iso_ms(found.since),
        until=shapes.iso_ms_or_none(found.until),
        by=found.by,
        removing=found.removing_since is not None,
    )


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


# Tenants and lanes -------------------------------------------------------------------------------------------------------


async def _reader(
    services: ObserveServices, principal: Principal, slug: str | None
) -> tuple[str, view.ReadScope]:
    """The tenant whose rows are read, and how. Raises NotFound for another tenant than the key's."""
    principal.require(READ)
    if slug is not None and not principal.sees(slug):
        raise lookup.no_tenant(slug, code=_UNKNOWN)
    named = principal.tenant_for(slug)
    if principal.tenant_id is not None:
        return named, view.ReadScope(tenant=principal.tenant_id, as_tenant=True)
    return named, view.ReadScope(tenant=await _tenant(services, named), as_tenant=False)


async def _tenant(services: ObserveServices, slug: str) -> int:
    return await lookup.tenant_id(services.reader, slug, code=_UNKNOWN)


async def _lane(services: ObserveServices, tenant: int, slug: str, type: str) -> int:
    return await lookup.lane_id(services.reader, tenant, slug, type, code=_UNKNOWN)


def _provider(word: str) -> Provider:
    return parse_field("provider", parse_provider, word)
