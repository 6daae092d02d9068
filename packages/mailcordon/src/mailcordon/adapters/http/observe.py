"""What came back, over HTTP: counts, who may not be mailed and why, and the quarantine of what could not be attributed.

Another tenant's things do not exist for a tenant's key (404). Changes need the scope `operate`, which only platform keys have.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http.auth import principal_of
from mailcordon.core import address as addresses
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import OPERATE, READ, Principal
from mailcordon.core.priority import Class, parse_class
from mailcordon.core.provider import parse_provider
from mailcordon.observe import metrics, suppress, view

LONGEST_BECAUSE = 1000  #: characters
LONGEST_UNTIL = 10 * 366 * 24 * 3600  #: seconds
_HIGHEST_ID = 2**63 - 1

AnyRequest = Request[Any, Any, Any]
ScopeWord = Literal["tenant", "class", "lane"]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many items at most.")]
TenantSlug = Annotated[
    str | None,
    QueryParameter(description="The tenant's slug. A platform key must name it; a tenant's key need not."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveServices:
    """What `app/` hands to the routes of this file."""

    reader: view.ObserveReader
    suppressions: view.Suppressions
    replay: view.Replay
    hash_key: bytes  #: the installation's, for the address's keyed hash


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
    minute: str | None = None  #: in which the mail left


class MetricPage(msgspec.Struct):
    items: list[MetricItem]
    next: str | None


class SuppressionItem(msgspec.Struct):
    tenant: str
    address: str
    scope: ScopeWord
    class_: str | None = msgspec.field(name="class")
    type: str | None
    cause: str
    evidence: str  #: in a line
    facts: dict[str, Any]  #: the evidence as it was recorded
    since: str
    until: str | None
    by: str
    removing: bool  #: it was asked to go, and goes once SES's own entry has


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
    first_received_at: str
    last_received_at: str
    replayed_at: str | None
    resolution: str | None


class QuarantineDocument(QuarantineItem):
    document: str


class QuarantinePage(msgspec.Struct):
    items: list[QuarantineItem]
    next: str | None


def routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    return [*_metric_routes(services), *_suppression_routes(services), *_quarantine_routes(services)]


# Metrics -----------------------------------------------------------------------------------------------------------------


def _metric_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/metrics", summary="Counts by the minute the mail left", tags=["observe"])
    async def get_metrics(
        request: AnyRequest,
        tenant: TenantSlug = None,
        type: FromQuery[str | None] = None,
        provider: FromQuery[str | None] = None,
        minutes: Annotated[int, QueryParameter(ge=1, le=view.MOST_MINUTES)] = 60,
        by: FromQuery[view.By] = "lane",
        after: Annotated[int | None, QueryParameter(ge=0, lt=2**31)] = None,
        limit: Limit = 1000,
    ) -> MetricPage:
        slug, reader = await _reading(services, principal_of(request), tenant)
        if type is not None:
            await _lane_of(services, reader.tenant, slug, type)
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
        return MetricPage([_metric_item(line, slug) for line in lines], last)

    return [get_metrics]


def _metric_item(line: view.MetricLine, tenant: str) -> MetricItem:
    counts = dict(zip(metrics.COLUMNS, line.counts, strict=True))
    return MetricItem(
        **counts,
        tenant=tenant,
        type=line.type,
        class_=None if line.class_ is None else line.class_.word,
        provider=None if line.provider is None else line.provider.word,
        minute=None if line.minute is None else _iso(line.minute * metrics.MINUTE_MS),
    )


# Suppressions ------------------------------------------------------------------------------------------------------------


def _suppression_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/suppressions", summary="Who may not be mailed by a tenant, and why", tags=["observe"])
    async def list_suppressions(
        request: AnyRequest,
        tenant: TenantSlug = None,
        address: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: Limit = 1000,
    ) -> SuppressionPage:
        slug, reader = await _reading(services, principal_of(request), tenant)
        hash = None if address is None else addresses.hash_of(services.hash_key, _address(address))
        entries = await services.reader.suppressions(reader, hash=hash, after=after, limit=limit)
        last = entries[-1].cursor if len(entries) == limit else None
        return SuppressionPage([_suppression_item(entry, slug) for entry in entries], last)

    @post("/v1/suppressions", summary="Stop a tenant's mail to an address", tags=["observe"])
    async def add_suppression(
        request: AnyRequest, data: JSONBody[NewSuppression]
    ) -> Response[SuppressionItem]:
        principal = principal_of(request)
        principal.require(OPERATE)
        because, until = _because(data.because), _seconds(data.until_seconds)
        slug = principal.tenant_for(data.tenant)
        key = await _suppression_key(services, slug, data.address, data.scope, data.class_, data.type)
        entry, changed = await services.suppressions.add(
            key, because=because, until_seconds=until, actor=principal.actor
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
        tenant: TenantSlug = None,
        class_: Annotated[str | None, QueryParameter(name="class")] = None,
        type: FromQuery[str | None] = None,
        because: FromQuery[str | None] = None,
    ) -> SuppressionItem:
        principal = principal_of(request)
        principal.require(OPERATE)
        reason = None if because is None else _because(because)
        slug = principal.tenant_for(tenant)
        key = await _suppression_key(services, slug, address, scope_, class_, type)
        entry = await services.suppressions.remove(key, because=reason, actor=principal.actor)
        if entry is None:
            raise NotFound(f"Mail of {slug} to {key.address} is not suppressed in the scope {scope_}.")
        return _suppression_item(entry, slug)

    return [list_suppressions, add_suppression, remove_suppression]


async def _suppression_key(
    services: ObserveServices, slug: str, address: str, scope: ScopeWord, class_: str | None, type: str | None
) -> view.SuppressionKey:
    """Raises Invalid where scope, class and type do not fit together, NotFound for an unknown tenant or lane."""
    parsed = _address(address)
    if (class_ is not None) != (scope == "class"):
        raise Invalid(Fault("class", "names the class where the scope is `class`, and is left out elsewhere"))
    if (type is not None) != (scope == "lane"):
        raise Invalid(
            Fault("type", "names the message type where the scope is `lane`, and is left out elsewhere")
        )
    of_class = None if class_ is None else _class(class_)
    tenant = await _tenant(services, slug)
    target = 0
    if of_class is not None:
        target = int(of_class)
    elif type is not None:
        target = await _lane_of(services, tenant, slug, type)
    return view.SuppressionKey(
        tenant=tenant,
        hash=addresses.hash_of(services.hash_key, parsed),
        address=str(parsed),
        scope=suppress.SCOPES.index(scope),
        target=target,
    )


def _suppression_item(entry: view.SuppressionEntry, tenant: str) -> SuppressionItem:
    return SuppressionItem(
        tenant=tenant,
        address=entry.address,
        scope=suppress.SCOPES[entry.scope],
        class_=Class(entry.target).word if entry.scope == suppress.CLASS else None,
        type=entry.type,
        cause=entry.cause,
        evidence=view.evidence_sentence(entry),
        facts=dict(entry.evidence),
        since=_iso(entry.since),
        until=None if entry.until is None else _iso(entry.until),
        by=entry.by,
        removing=entry.removing_since is not None,
    )


# Quarantine --------------------------------------------------------------------------------------------------------------


def _quarantine_routes(services: ObserveServices) -> list[HTTPRouteHandler]:
    @get("/v1/quarantine", summary="What SES said that could not be attributed", tags=["observe"])
    async def list_quarantine(
        request: AnyRequest,
        why: FromQuery[str | None] = None,
        after: Annotated[int | None, QueryParameter(ge=1, le=_HIGHEST_ID)] = None,
        limit: Limit = 1000,
    ) -> QuarantinePage:
        _operator(request)
        entries = await services.reader.quarantine(why=why, before=after, limit=limit)
        last = str(entries[-1].id) if len(entries) == limit else None
        return QuarantinePage([_quarantine_item(entry) for entry in entries], last)

    @get("/v1/quarantine/{id:int}", summary="One entry, with the document as it came", tags=["observe"])
    async def get_quarantine(request: AnyRequest, id: FromPath[int]) -> QuarantineDocument:
        _operator(request)
        return await _quarantine_entry(services, id)

    @post(
        "/v1/quarantine/{id:int}/replay",
        status_code=200,
        summary="Try an entry again, as if it had just come",
        tags=["observe"],
    )
    async def replay_quarantine(request: AnyRequest, id: FromPath[int]) -> QuarantineDocument:
        principal = _operator(request)
        await _quarantine_entry(services, id)
        await services.replay.run(id, principal.actor)
        return await _quarantine_entry(services, id)

    return [list_quarantine, get_quarantine, replay_quarantine]


def _operator(request: AnyRequest) -> Principal:
    """Documents in quarantine may speak of any tenant, so no tenant's key sees them."""
    principal = principal_of(request)
    principal.require_platform()
    principal.require(OPERATE)
    return principal


async def _quarantine_entry(services: ObserveServices, id: int) -> QuarantineDocument:
    entry = await services.reader.quarantine_entry(id) if 0 < id <= _HIGHEST_ID else None
    if entry is None:
        raise NotFound(f"There is no entry {id} in quarantine.")
    item = _quarantine_item(entry)
    return QuarantineDocument(**msgspec.structs.asdict(item), document=entry.document or "")


def _quarantine_item(entry: view.QuarantineEntry) -> QuarantineItem:
    return QuarantineItem(
        id=entry.id,
        why=entry.why,
        detail=entry.detail,
        tenant=entry.tenant,
        source=entry.source,
        copies=entry.copies,
        first_received_at=_moment(entry.first_received_at),
        last_received_at=_moment(entry.last_received_at),
        replayed_at=None if entry.replayed_at is None else _moment(entry.replayed_at),
        resolution=entry.resolution,
    )


# Small things ------------------------------------------------------------------------------------------------------------


async def _reading(
    services: ObserveServices, principal: Principal, slug: str | None
) -> tuple[str, view.ReadScope]:
    """The tenant that is read and the role that reads. A foreign tenant is not there for a tenant's key."""
    principal.require(READ)
    if slug is not None and not principal.sees(slug):
        raise NotFound(f"There is no tenant {slug[:64]}.")
    named = principal.tenant_for(slug)
    if principal.tenant_id is not None:
        return named, view.ReadScope(tenant=principal.tenant_id, as_tenant=True)
    return named, view.ReadScope(tenant=await _tenant(services, named), as_tenant=False)


async def _tenant(services: ObserveServices, slug: str) -> int:
    tenant = await services.reader.tenant_id(slug)
    if tenant is None:
        raise NotFound(f"There is no tenant {slug[:64]}.")
    return tenant


async def _lane_of(services: ObserveServices, tenant: int, slug: str, type: str) -> int:
    lane = await services.reader.lane_id(tenant, type)
    if lane is None:
        raise NotFound(f"{slug} has no lane {type[:64]}.")
    return lane


def _address(text: str) -> addresses.Address:
    try:
        return addresses.parse(text)
    except ValueError as problem:
        raise Invalid(Fault("address", str(problem), "bad-address")) from None


def _class(word: str) -> Class:
    try:
        return parse_class(word)
    except ValueError as problem:
        raise Invalid(Fault("class", str(problem))) from None


def _provider(word: str) -> Any:
    try:
        return parse_provider(word)
    except ValueError as problem:
        raise Invalid(Fault("provider", str(problem))) from None


def _because(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST_BECAUSE or "\0" in text:
        raise Invalid(Fault("because", f"says why, in 1 to {LONGEST_BECAUSE} characters"))
    return text


def _seconds(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not 1 <= seconds <= LONGEST_UNTIL:
        raise Invalid(Fault("until_seconds", f"is a number of seconds from 1 to {LONGEST_UNTIL}"))
    return int(seconds)


def _iso(ms: int) -> str:
    return _moment(datetime.fromtimestamp(ms / 1000, UTC))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
