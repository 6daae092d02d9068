"""API keys and the audit trail over HTTP, for platform keys only."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.keys import Key, Keys
from mailcordon.control.views import AuditView, Reads
from mailcordon.core.principal import ADMIN, READ


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scopes: list[str]
    tenant: str | None = None  #: null: a key of the platform
    expires_at: datetime | None = None


class KeyItem(msgspec.Struct):
    prefix: str
    name: str
    tenant: str | None
    scopes: list[str]
    created_at: Time
    created_by: str
    expires_at: Time | None
    revoked_at: Time | None


class MintedKey(KeyItem):
    key: str  #: shown only once


class KeyPage(msgspec.Struct):
    items: list[KeyItem]
    next: str | None


class AuditItem(msgspec.Struct):
    id: int
    at: Time
    actor: str
    action: str
    tenant: str | None
    object: str
    before: Any  #: what changed, as it was
    after: Any
    because: str | None


class AuditPage(msgspec.Struct):
    items: list[AuditItem]
    next: str | None


def routes(reads: Reads, keys: Keys) -> list[HTTPRouteHandler]:
    @post("/v1/keys", summary="Create a key; only this response shows it", tags=["control"])
    async def create_key(request: AnyRequest, data: JSONBody[NewKey]) -> MintedKey:
        principal = platform_principal(request, ADMIN)
        key, text = await keys.create(
            tenant=data.tenant,
            name=data.name,
            scopes=data.scopes,
            expires_at=data.expires_at,
            actor=principal.actor,
        )
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

    @delete(
        "/v1/keys/{prefix:str}",
        status_code=200,
        summary="Revoke a key at once, for good",
        tags=["control"],
    )
    async def revoke_key(request: AnyRequest, prefix: FromPath[str]) -> KeyItem:
        principal = platform_principal(request, ADMIN)
        return KeyItem(**_fields(await keys.revoke(prefix, actor=principal.actor)))

    @get("/v1/audit", summary="List changes: who, what, when and why; newest first", tags=["control"])
    async def list_audit(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> AuditPage:
        platform_principal(request, READ)
        of = None if tenant is None else await lookup.tenant_id(reads, tenant)
        found = await reads.audit(of, before=after, limit=limit)
        return AuditPage([_audit(view) for view in found], shapes.next_of([view.id for view in found], limit))

    return [create_key, list_keys, revoke_key, list_audit]


def _fields(key: Key) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "created_at": shapes.iso(key.created_at),
        "created_by": key.created_by,
        "expires_at": shapes.iso_or_none(key.expires_at),
        "revoked_at": shapes.iso_or_none(key.revoked_at),
    }


def _audit(view: AuditView) -> AuditItem:
    return AuditItem(
        id=view.id,
        at=shapes.iso(view.at),
        actor=view.actor,
        action=view.action,
        tenant=view.tenant,
        object=view.object,
        before=shapes.recorded(view.before),
        after=shapes.recorded(view.after),
        because=view.because,
    )
