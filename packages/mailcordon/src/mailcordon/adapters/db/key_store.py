"""API keys, as the control role. Every change bumps the control epoch, which ends cached keys at once."""

import json
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.keys import Found, Key, Minted
from mailcordon.core.errors import NotFound
from mailcordon.core.key_limits import KeyLimits
from mailcordon.core.principal import Principal
from mailcordon.messages import api

_SQL = queries.load("key_store.sql")
_SHARED = queries.load("shared.sql")


def key_of(row: asyncpg.Record, tenant: str | None) -> Key:
    return Key(
        id=row["id"],
        prefix=row["prefix"],
        name=row["name"],
        tenant=tenant,
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


async def insert_key(
    conn: PooledConnection,
    minted: Minted,
    *,
    tenant_id: int | None,
    tenant: str | None,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: str,
) -> Key:
    """Runs in the caller's transaction. The caller bumps the epoch."""
    row = await conn.fetchrow(
        _SQL.insert_key, tenant_id, minted.prefix, minted.hash, name, list(scopes), actor, expires_at
    )
    assert row is not None
    shown = {"prefix": minted.prefix, "name": name, "scopes": list(scopes)}
    words = f"key {minted.prefix} of {tenant or 'the platform'}"
    await conn.execute(
        _SHARED.write_audit, actor, "key.create", tenant_id, words, None, json.dumps(shown), None
    )
    return key_of(row, tenant)


class KeyStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(
        self,
        minted: Minted,
        *,
        tenant: str | None,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
        actor: str,
    ) -> Key:
        async with connection_pool.transaction(self._pool) as conn:
            tenant_id = None
            if tenant is not None:
                tenant_id = await conn.fetchval(_SHARED.active_tenant_id, tenant)
                if tenant_id is None:
                    raise NotFound(api.no_tenant(tenant), code="no-such-tenant")
            key = await insert_key(
                conn,
                minted,
                tenant_id=tenant_id,
                tenant=tenant,
                name=name,
                scopes=scopes,
                expires_at=expires_at,
                actor=actor,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return key

    async def revoke(self, prefix: str, *, actor: str) -> Key | None:
        async with connection_pool.transaction(self._pool) as conn:
            revoked = await conn.fetchval(_SQL.revoke_key, prefix)
            row = await conn.fetchrow(_SQL.key_by_prefix, prefix)
            if row is None:
                return None
            if revoked is not None:
                words = f"key {prefix} of {row['tenant'] or 'the platform'}"
                await conn.execute(
                    _SHARED.write_audit, actor, "key.revoke", row["tenant_id"], words, None, None, None
                )
                await conn.execute(_SHARED.bump_epoch, "control")
            return key_of(row, row["tenant"])

    async def find(self, hash: bytes) -> Found:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.find_key, hash)
        assert row is not None
        if row["id"] is None:
            return Found(principal=None, expires_at=None, epoch=row["epoch"])
        principal = Principal(
            key_id=row["id"],
            prefix=row["prefix"],
            name=row["name"],
            tenant_id=row["tenant_id"],
            tenant_slug=row["slug"],
            scopes=frozenset(row["scopes"]),
            types=None if row["types"] is None else frozenset(row["types"]),
            networks=tuple(row["networks"]),
            limits=KeyLimits(
                messages_per_second=row["messages_per_second"],
                bytes_per_second=row["bytes_per_second"],
                reads_per_second=row["reads_per_second"],
            ),
            also_mints=frozenset(row["also_mints"]),
        )
        return Found(principal=principal, expires_at=row["expires_at"], epoch=row["epoch"])

    async def epoch(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.epoch, "control")

    async def list(self, tenant: int | None, *, after: int, limit: int) -> list[Key]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.list_keys, tenant, after, limit)
        return [key_of(row, row["tenant"]) for row in rows]
