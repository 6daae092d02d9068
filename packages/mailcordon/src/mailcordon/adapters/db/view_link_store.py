"""Tenants' view links, as the control role."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.session_store import WHO_SECONDS
from mailcordon.control.people.tokens import Minted
from mailcordon.control.people.view_links import KEY_NAME, ViewLink
from mailcordon.core import names
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.messages import api, sign_in

_SQL = queries.load("view_link_store.sql")
_SHARED = queries.load("shared.sql")


class ViewLinkStore:
    def __init__(self, control: Pool) -> None:
        self._pool = control

    async def insert(
        self, minted: Minted, tenant: str, name: str, expires_at: datetime, *, most: int, actor: str
    ) -> ViewLink:
        async with connection_pool.transaction(self._pool) as conn:
            of = await conn.fetchval(_SQL.lock_tenant, tenant)
            if of is None:
                raise _no_tenant(tenant)
            if await conn.fetchval(_SQL.open_view_links, of) >= most:
                raise Conflict(sign_in.too_many_view_links(tenant, most), code="too-many")
            await conn.execute(_SQL.insert_view_link, minted.prefix, minted.hash, of, name, actor, expires_at)
            row = await conn.fetchrow(_SQL.view_link_by_prefix, minted.prefix, tenant)
            assert row is not None
            end = expires_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            shown = json.dumps({"name": name, "expires_at": end})
            await conn.execute(
                _SHARED.write_audit, actor, "view-link.create", of, _words(row), None, shown, None
            )
            return _link(row)

    async def revoke(self, tenant: str, prefix: str, *, actor: str) -> ViewLink | None:
        async with connection_pool.transaction(self._pool) as conn:
            revoked = await conn.fetchval(_SQL.revoke_view_link, prefix, tenant)
            row = await conn.fetchrow(_SQL.view_link_by_prefix, prefix, tenant)
            if row is None:
                return None
            if revoked is not None:
                of = row["tenant"]
                await conn.execute(
                    _SHARED.write_audit, actor, "view-link.revoke", of, _words(row), None, None, None
                )
            return _link(row)

    async def list(self, tenant: str, *, after: int, limit: int) -> Sequence[ViewLink]:
        async with connection_pool.acquire(self._pool) as conn:
            of = await conn.fetchval(_SHARED.tenant_id, tenant)
            if of is None:
                raise _no_tenant(tenant)
            return [_link(row) for row in await conn.fetch(_SQL.list_view_links, of, after, limit)]

    async def find(self, hash: bytes, *, opened: bool) -> ViewLink | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.find_view_link, hash, timeout=WHO_SECONDS)
        if row is None:
            return None
        if opened:
            await self._note_opening(row)
        return _link(row)

    async def _note_opening(self, row: asyncpg.Record) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.open_view_link, row["id"]) is not None:
                actor = names.actor(row["name"], KEY_NAME, row["prefix"])
                await conn.execute(
                    _SHARED.write_audit, actor, "view-link.open", row["tenant"], _words(row), None, None, None
                )


def _no_tenant(slug: str) -> NotFound:
    return NotFound(api.no_tenant(ascii(slug[:64])[1:-1]), code="no-such-tenant")


def _words(row: asyncpg.Record) -> str:
    return f"view link {row['prefix']} of {row['slug']}"


def _link(row: asyncpg.Record) -> ViewLink:
    return ViewLink(
        id=row["id"],
        prefix=row["prefix"],
        tenant_id=row["tenant"],
        tenant=row["slug"],
        name=row["name"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
