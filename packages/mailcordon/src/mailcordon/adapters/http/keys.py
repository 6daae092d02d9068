"""API keys over HTTP, for platform keys only."""

from dataclasses import asdict
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.keys import LONGEST_OVERLAP, MOST_NETWORKS, SAME, Changes, Key, Keys, Terms
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.key_limits import KeyLimits
from mailcordon.core.principal import ADMIN, READ
from mailcordon.messages import api
from mailcordon.messages import keys as key_messages


class KeyRates(msgspec.Struct, forbid_unknown_fields=True):
    """Rates per second. Null, or left out: the default of the installation."""

    messages_per_second: float | None = None
    bytes_per_second: float | None = None
    reads_per_second: float | None = None


class RatesChange(msgspec.Struct, forbid_unknown_fields=True):
    """A field that is left out keeps its value; null takes the installation's default."""

    messages_per_second: float | UnsetType | None = UNSET
    bytes_per_second: float | UnsetType | None = UNSET
    reads_per_second: float | UnsetType | None = UNSET


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scopes: list[str]
    holder: str | None = (
        None  #: the person or the part of a system that uses it; null: the holder of the key that creates it
    )
    tenant: str | None = None  #: null: a key of the platform
    types: list[str] | None = None  #: message types that it may send and cancel; null: all
    networks: list[str] = []  #: client addresses that it works from, as ranges; empty: any
    limits: KeyRates = msgspec.field(default_factory=KeyRates)
    expires_at: datetime | None = None
    default_type: str | None = None  #: of mail whose door names no type: SMTP and the SES door


class KeyChange(msgspec.Struct, forbid_unknown_fields=True):
    """A field that is left out keeps its value."""

    name: str | UnsetType = UNSET
    holder: str | UnsetType = UNSET
    scopes: list[str] | UnsetType = UNSET
    types: list[str] | UnsetType | None = UNSET
    networks: list[str] | UnsetType = UNSET
    limits: RatesChange | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    default_type: str | UnsetType | None = UNSET


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    overlap_seconds: float = 86_400  #: after this, the old key ends
    expires_at: datetime | UnsetType | None = UNSET  #: of the successor; required if the old key has an end


class KeyItem(msgspec.Struct):
    prefix: str
    name: str
    holder: str  #: the person or the part of a system that uses it: the actor of what it does
    tenant: str | None
    scopes: list[str]
    types: list[str] | None
    networks: list[str]
    limits: KeyRates
    created_at: Time
    created_by: str
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None  #: a minute or two behind; null: not yet
    succeeds: str | None  #: prefix of the key that it replaces
    default_type: str | None  #: of mail whose door names no type
    also_mints: list[str]  #: scopes that it may give to other keys without holding them


class MintedKey(KeyItem):
    key: str  #: shown only once


class RotatedKey(MintedKey):
    predecessor: KeyItem  #: with its new end


class KeyPage(msgspec.Struct):
    items: list[KeyItem]
    next: str | None


def routes(reads: Reads, keys: Keys) -> list[HTTPRouteHandler]:
    @post("/v1/keys", summary="Create a key; only this response shows it", tags=["control"])
    async def create_key(request: AnyRequest, data: JSONBody[NewKey]) -> MintedKey:
        principal = platform_principal(request, ADMIN)
        terms = Terms(
            tenant=data.tenant,
            name=data.name,
            holder=data.holder,
            scopes=tuple(data.scopes),
            types=None if data.types is None else tuple(data.types),
            networks=_networks(data.networks),
            limits=_limits(data.limits),
            expires_at=data.expires_at,
            default_type=data.default_type,
        )
        key, text = await keys.create_by(principal, terms)
        return MintedKey(**_fields(key), key=text)

    @get("/v1/keys", summary="List keys", tags=["control"])
    async def list_keys(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> KeyPage:
        platform_principal(request, READ)
        of = None if tenant is None else await lookup.tenant_id(reads, tenant)
        found = await reads.keys(of, after=shapes.id32(after), limit=limit)
        return KeyPage(
            [KeyItem(**_fields(key)) for key in found], shapes.next_of([key.id for key in found], limit)
        )

    @patch("/v1/keys/{prefix:str}", summary="Change what a key may do, at once", tags=["control"])
    async def change_key(request: AnyRequest, prefix: FromPath[str], data: JSONBody[KeyChange]) -> KeyItem:
        principal = platform_principal(request, ADMIN)
        changes: Changes = {}
        if data.name is not UNSET:
            changes["name"] = data.name
        if data.holder is not UNSET:
            changes["holder"] = data.holder
        if data.scopes is not UNSET:
            changes["scopes"] = tuple(data.scopes)
        if data.types is not UNSET:
            changes["types"] = None if data.types is None else tuple(data.types)
        if data.networks is not UNSET:
            changes["networks"] = _networks(data.networks)
        if data.expires_at is not UNSET:
            changes["expires_at"] = data.expires_at
        if data.default_type is not UNSET:
            changes["default_type"] = data.default_type
        rates: dict[str, float | None] = {} if data.limits is UNSET else msgspec.to_builtins(data.limits)
        return KeyItem(**_fields(await keys.change(principal, prefix, rates=rates, **changes)))

    @post(
        "/v1/keys/{prefix:str}/rotation",
        summary="Replace a key with an overlap; only this response shows the new one",
        tags=["control"],
    )
    async def rotate_key(request: AnyRequest, prefix: FromPath[str], data: JSONBody[Rotation]) -> RotatedKey:
        principal = platform_principal(request, ADMIN)
        longest = int(LONGEST_OVERLAP.total_seconds())
        if not 0 <= data.overlap_seconds <= longest:
            raise Invalid(Fault("overlap_seconds", api.bad_seconds(0, longest)))
        successor, predecessor, text = await keys.rotate(
            principal,
            prefix,
            overlap=timedelta(seconds=data.overlap_seconds),
            expires_at=SAME if data.expires_at is UNSET else data.expires_at,
        )
        return RotatedKey(**_fields(successor), key=text, predecessor=KeyItem(**_fields(predecessor)))

    @delete(
        "/v1/keys/{prefix:str}",
        status_code=200,
        summary="Revoke a key at once, for good",
        tags=["control"],
    )
    async def revoke_key(
        request: AnyRequest,
        prefix: FromPath[str],
        because: Annotated[str | None, QueryParameter(description="The reason. It is audited.")] = None,
    ) -> KeyItem:
        principal = platform_principal(request, ADMIN)
        reason = None if because is None else shapes.reason(because)
        return KeyItem(**_fields(await keys.revoke(prefix, actor=principal.actor, because=reason)))

    return [create_key, list_keys, change_key, rotate_key, revoke_key]


def _networks(given: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    found: list[IPv4Network | IPv6Network] = []
    for place, text in enumerate(given[: MOST_NETWORKS + 1]):
        try:
            if "%" in text:
                raise ValueError("it has a zone")
            found.append(ip_network(text))
        except ValueError as problem:
            shown, said = ascii(text[:64])[1:-1], ascii(str(problem)[:128])[1:-1]
            raise Invalid(Fault(f"networks[{place}]", key_messages.bad_network(shown, said))) from None
    return tuple(found)


def _limits(given: KeyRates) -> KeyLimits:
    return KeyLimits(
        messages_per_second=given.messages_per_second,
        bytes_per_second=given.bytes_per_second,
        reads_per_second=given.reads_per_second,
    )


def _fields(key: Key) -> dict[str, Any]:
    terms = key.terms
    return {
        "prefix": key.prefix,
        "name": terms.name,
        "holder": terms.holder,
        "tenant": terms.tenant,
        "scopes": list(terms.scopes),
        "types": None if terms.types is None else list(terms.types),
        "networks": [str(network) for network in terms.networks],
        "limits": KeyRates(**asdict(terms.limits)),
        "created_at": shapes.iso(key.created_at),
        "created_by": key.created_by,
        "expires_at": shapes.iso_or_none(terms.expires_at),
        "revoked_at": shapes.iso_or_none(key.revoked_at),
        "last_used_at": shapes.iso_or_none(key.last_used_at),
        "succeeds": key.succeeds,
        "default_type": terms.default_type,
        "also_mints": list(key.also_mints),
    }
