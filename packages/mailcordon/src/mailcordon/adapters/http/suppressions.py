"""Suppressions over HTTP. Changes need the scope `operate`, which only platform keys have."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import read_scope, shapes, suppression_import
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import Limit, OneTenant, Time
from mailcordon.control import lookup, suppressions
from mailcordon.core import address as addresses
from mailcordon.core import clock, ids
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import ADMIN, OPERATE, SEND
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.messages import api, unsubscribe
from mailcordon.messages import suppressions as messages
from mailcordon.observe import suppression_report as report
from mailcordon.observe import suppression_view as view
from mailcordon.observe.unsubscribing import UnsubscribeStore

_LEAST_SECONDS = 1  #: of a suppression
_CLOCKS_APART_MS = 60_000  #: by how much a caller's clock may be ahead

ScopeWord = Literal["tenant", "class", "lane", "platform"]
#: Of what a request may change.
TenantScope = Literal["tenant", "class", "lane"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionServices:
    """What these routes need."""

    reader: view.SuppressionReader
    suppressions: view.Suppressions
    hash_key: bytes  #: of the installation, for the keyed hash of addresses
    unsubscribes: UnsubscribeStore


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
    removal_waits: str | None  #: why a requested removal is not done yet


class SuppressionPage(msgspec.Struct):
    items: list[SuppressionItem]
    next: str | None


class EntryAtSes(msgspec.Struct):
    """What a list of SES says of the address in one spelling, as it was read last."""

    list: str  #: the SES tenant whose list it is, or `account`
    spelling: str
    found: bool | None  #: null: not read yet
    reason: str | None  #: BOUNCE or COMPLAINT
    listed_at: Time | None
    message_id: (
        str | None
    )  #: SES's id of the mail that it was entered for; null: a person or a tool entered it
    feedback_id: str | None
    read_at: Time | None
    problem: str | None  #: why the last read failed


class DroppedMail(msgspec.Struct):
    delivery: str
    type: str
    at: Time
    by: Literal["mailcordon", "ses"]


class Explained(msgspec.Struct):
    address: str
    tenant: str
    sentence: str  #: whether it may be mailed; why not, since when and by whom
    suppressed: bool
    dropped_sentence: str
    next: list[str]  #: what can be done
    disagreements: list[str]  #: between our suppressions and SES's entries
    ours: list["SuppressionItem"]
    at_ses: list[EntryAtSes]
    dropped: list[DroppedMail]


class OneAddress(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    tenant: str | None = None


class Forgetting(OneAddress, forbid_unknown_fields=True, kw_only=True):
    because: str


class Forgotten(msgspec.Struct):
    detail: str


class Asked(msgspec.Struct):
    """How many entries of SES are being read."""

    entries: int


class Consent(OneAddress, forbid_unknown_fields=True, kw_only=True):
    type: str
    evidence: str  #: how the recipient asked for this mail again
    consented_at: str  #: when: ISO 8601, after they unsubscribed


class Resubscribed(msgspec.Struct):
    detail: str
    unsubscribed_at: Time
    may_be_mailed: bool  #: whether nothing else suppresses the address for this type


class NewSuppression(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    scope: TenantScope
    because: str
    tenant: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    type: str | None = None
    until_seconds: float | None = None


def routes(services: SuppressionServices) -> list[HTTPRouteHandler]:
    @get("/v1/suppressions", summary="List the addresses that a tenant may not mail", tags=["observe"])
    async def list_suppressions(
        request: AnyRequest,
        tenant: OneTenant = None,
        address: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: Limit = 1000,
    ) -> SuppressionPage:
        slug, reader = await read_scope.of_one_tenant(services.reader, principal_of(request), tenant)
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
        scope_: Annotated[TenantScope, QueryParameter(name="scope")],
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

    @post(
        "/v1/suppressions/resubscribe",
        status_code=200,
        summary="Take back an unsubscription, with evidence that the recipient asked for the mail again",
        tags=["observe"],
    )
    async def resubscribe(request: AnyRequest, data: JSONBody[Consent]) -> Resubscribed:
        principal = principal_of(request)
        principal.require(SEND)
        principal.require_type(data.type)
        evidence = shapes.reason(data.evidence, "evidence")
        consented_at = _moment("consented_at", data.consented_at)
        slug = principal.tenant_for(data.tenant)
        key = await _suppression_key(services, slug, data.address, "lane", None, data.type)
        found = await services.unsubscribes.resubscribe(
            key.tenant,
            key.target,
            data.type,
            key.hash,
            evidence=evidence,
            consented_at=consented_at,
            actor=principal.actor,
        )
        if found is None:
            raise NotFound(unsubscribe.not_unsubscribed(key.address, data.type, slug))
        left = await services.unsubscribes.subscriptions(key.target, key.hash)
        return Resubscribed(
            unsubscribe.resubscribed(key.address, data.type, slug),
            shapes.iso_ms(found.since),
            left is None or not left.linked.stopped,
        )

    importing = suppression_import.routes(services.reader, services.suppressions, services.hash_key)
    changing = [add_suppression, remove_suppression, resubscribe]
    return [list_suppressions, *changing, *_explaining(services), *importing]


def _explaining(services: SuppressionServices) -> list[HTTPRouteHandler]:
    @get(
        "/v1/suppressions/explain",
        summary="Show whether a tenant may mail an address, and why not",
        tags=["observe"],
    )
    async def explain_suppression(
        request: AnyRequest, address: FromQuery[str], tenant: OneTenant = None
    ) -> Explained:
        slug, reader = await read_scope.of_one_tenant(services.reader, principal_of(request), tenant)
        parsed = shapes.address(address)
        hash = addresses.hash_of(services.hash_key, parsed)
        return _explained(await services.reader.known(reader, slug, str(parsed), hash))

    @post(
        "/v1/suppressions/read",
        status_code=202,
        summary="Read again what SES's lists have of an address",
        tags=["observe"],
    )
    async def read_entries(request: AnyRequest, data: JSONBody[OneAddress]) -> Asked:
        principal = principal_of(request)
        principal.require(OPERATE)
        slug = principal.tenant_for(data.tenant)
        tenant = await lookup.tenant_id(services.reader, slug, code=read_scope.UNKNOWN)
        parsed = shapes.address(data.address)
        hash = addresses.hash_of(services.hash_key, parsed)
        return Asked(await services.suppressions.want_entries(tenant, hash, str(parsed)))

    @post(
        "/v1/suppressions/forget",
        status_code=202,
        summary="Erase an address from what is stored of a tenant; its keyed hash still suppresses it",
        tags=["observe"],
    )
    async def forget_address(request: AnyRequest, data: JSONBody[Forgetting]) -> Forgotten:
        principal = platform_principal(request, ADMIN)
        because = shapes.reason(data.because)
        slug = principal.tenant_for(data.tenant)
        tenant = await lookup.tenant_id(services.reader, slug, code=read_scope.UNKNOWN)
        parsed = shapes.address(data.address)
        hash = addresses.hash_of(services.hash_key, parsed)
        await services.suppressions.forget(
            tenant, slug, hash, str(parsed), because=because, actor=principal.actor
        )
        return Forgotten(messages.forgetting(slug))

    return [explain_suppression, read_entries, forget_address]


def _explained(known: report.Known) -> Explained:
    said = report.explain(known)
    return Explained(
        address=known.address,
        tenant=known.tenant,
        sentence=said.sentence,
        suppressed=any(one.until is None or one.until > known.now for one in known.ours),
        dropped_sentence=said.dropped,
        next=list(said.next),
        disagreements=list(said.disagreements),
        ours=[_suppression_item(one, known.tenant) for one in known.ours],
        at_ses=[
            EntryAtSes(
                list=one.list or "account",
                spelling=one.spelling,
                found=one.found,
                reason=one.reason,
                listed_at=shapes.iso_ms_or_none(one.listed_at),
                message_id=one.message_id,
                feedback_id=one.feedback_id,
                read_at=shapes.iso_ms_or_none(one.read_at),
                problem=one.problem,
            )
            for one in known.at_ses
        ],
        dropped=[
            DroppedMail(
                delivery=ids.delivery_id(one.delivery),
                type=one.type,
                at=shapes.iso_ms(one.at),
                by="ses" if one.by_ses else "mailcordon",
            )
            for one in known.dropped[: report.MOST_DROPPED]
        ],
    )


async def _suppression_key(
    services: SuppressionServices,
    slug: str,
    address: str,
    scope: ScopeWord,
    class_: str | None,
    type: str | None,
) -> view.SuppressionKey:
    """Raises Invalid where scope, class and type do not fit together, NotFound for an unknown tenant or lane."""
    parsed = shapes.address(address)
    covered = await suppressions.covered(services.reader, slug, scope, class_, type, code=read_scope.UNKNOWN)
    return view.SuppressionKey(
        tenant=covered.tenant,
        hash=addresses.hash_of(services.hash_key, parsed),
        address=str(parsed),
        scope=covered.scope,
        target=covered.target,
    )


def _moment(field: str, text: str) -> int:
    """Milliseconds since 1970. Raises Invalid for no time, or one to come."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        at = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Invalid(Fault(field, unsubscribe.not_a_time())) from None
    if at > clock.host_ms() + _CLOCKS_APART_MS:
        raise Invalid(Fault(field, unsubscribe.consent_in_future()))
    return at


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
        removal_waits=found.removal_waits,
    )
