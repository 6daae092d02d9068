"""API keys, as the control role. Every change bumps the control epoch, which ends cached keys at once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.keys import Found, Key, Minted, Rotated, Terms
from mailcordon.core import names
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.key_limits import KeyLimits
from mailcordon.core.principal import Principal
from mailcordon.messages import api, keys

_SQL = queries.load("key_store.sql")
_SHARED = queries.load("shared.sql")


def key_of(row: asyncpg.Record) -> Key:
    return Key(
        id=row["id"],
        prefix=row["prefix"],
        terms=Terms(
            tenant=row["tenant"],
            name=row["name"],
            holder=row["holder"],
            scopes=tuple(row["scopes"]),
            types=None if row["types"] is None else tuple(row["types"]),
            networks=tuple(row["networks"]),
            limits=_limits(row),
            expires_at=row["expires_at"],
            default_type=row["default_type"],
        ),
        created_at=row["created_at"],
        created_by=row["created_by"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        also_mints=tuple(row["also_mints"]),
        succeeds=row["succeeds"],
    )


def _limits(row: asyncpg.Record) -> KeyLimits:
    return KeyLimits(
        messages_per_second=row["messages_per_second"],
        bytes_per_second=row["bytes_per_second"],
        reads_per_second=row["reads_per_second"],
    )


def _columns(terms: Terms) -> tuple[object, ...]:
    """The values of `insert_key` and `change_key` that both have."""
    limits = terms.limits
    return (
        terms.name,
        list(terms.scopes),
        None if terms.types is None else list(terms.types),
        list(terms.networks),
        limits.messages_per_second,
        limits.bytes_per_second,
        limits.reads_per_second,
        terms.expires_at,
        terms.holder,
        terms.default_type,
    )


def _shown(prefix: str, terms: Terms) -> str:
    """What the audit trail keeps of a key."""
    limits = {name: value for name, value in asdict(terms.limits).items() if value is not None}
    optional = {
        "types": terms.types,
        "networks": [str(network) for network in terms.networks] or None,
        "limits": limits or None,
        "expires_at": terms.expires_at and _utc(terms.expires_at),
        "default_type": terms.default_type,
    }
    shown = {"prefix": prefix, "name": terms.name, "holder": terms.holder, "scopes": terms.scopes}
    return json.dumps(shown | {name: value for name, value in optional.items() if value is not None})


def _utc(moment: datetime) -> str:
    """In the form of every time in a response, however the request wrote it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _words(prefix: str, tenant: str | None) -> str:
    return f"key {prefix} of {tenant or 'the platform'}"


async def insert_key(
    conn: PooledConnection,
    minted: Minted,
    terms: Terms,
    *,
    tenant_id: int | None,
    actor: str,
    predecessor: Key | None = None,
) -> Key:
    """Runs in the caller's transaction. The caller bumps the epoch. Raises Invalid for an unknown message type."""
    await _check_types(conn, terms)
    if terms.holder is None:
        terms = replace(terms, holder=names.holder_of(actor))
    await conn.execute(
        _SQL.insert_key,
        tenant_id,
        minted.prefix,
        minted.hash,
        actor,
        [] if predecessor is None else list(predecessor.also_mints),
        None if predecessor is None else predecessor.id,
        *_columns(terms),
    )
    row = await conn.fetchrow(_SQL.key_by_prefix, minted.prefix)
    assert row is not None
    await conn.execute(
        _SHARED.write_audit,
        actor,
        "key.create",
        tenant_id,
        _words(minted.prefix, terms.tenant),
        None,
        _shown(minted.prefix, terms),
        None,
    )
    return key_of(row)


async def _check_types(conn: PooledConnection, terms: Terms) -> None:
    given = {
        "types": list(terms.types or ()),
        "default_type": [terms.default_type] if terms.default_type else [],
    }
    for field, types in given.items():
        unknown = [row[0] for row in await conn.fetch(_SQL.unknown_types, types)] if types else []
        if unknown:
            raise Invalid(Fault(field, keys.key_types_unknown(unknown[:5]), "unknown-type"))


def principal_of(row: asyncpg.Record) -> Principal:
    """Of a row of `find_key`, or of one that has its columns."""
    return Principal(
        key_id=row["id"],
        prefix=row["prefix"],
        name=row["name"],
        holder=row["holder"],
        tenant_id=row["tenant_id"],
        tenant_slug=row["slug"],
        scopes=frozenset(row["scopes"]),
        types=None if row["types"] is None else frozenset(row["types"]),
        networks=tuple(row["networks"]),
        limits=_limits(row),
        default_type=row["default_type"],
        also_mints=frozenset(row["also_mints"]),
    )


class KeyStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, minted: Minted, terms: Terms, *, actor: str) -> Key:
        async with connection_pool.transaction(self._pool) as conn:
            tenant_id = None
            if terms.tenant is not None:
                tenant_id = await conn.fetchval(_SHARED.active_tenant_id, terms.tenant)
                if tenant_id is None:
                    raise NotFound(api.no_tenant(terms.tenant), code="no-such-tenant")
            key = await insert_key(conn, minted, terms, tenant_id=tenant_id, actor=actor)
            await conn.execute(_SHARED.bump_epoch, "control")
            return key

    async def revoke(self, prefix: str, *, actor: str, because: str | None = None) -> Key | None:
        async with connection_pool.transaction(self._pool) as conn:
            revoked = await conn.fetchval(_SQL.revoke_key, prefix)
            row = await conn.fetchrow(_SQL.key_by_prefix, prefix)
            if row is None:
                return None
            if revoked is not None:
                words = _words(prefix, row["tenant"])
                await conn.execute(
                    _SHARED.write_audit, actor, "key.revoke", row["tenant_id"], words, None, None, because
                )
                await conn.execute(_SHARED.bump_epoch, "control")
            return key_of(row)

    async def change(self, prefix: str, decide: Callable[[Key], Terms], *, actor: str) -> Key | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await self._locked(conn, prefix)
            if row is None:
                return None
            return await self._change(conn, row, decide(key_of(row)), actor=actor)

    async def rotate(
        self, prefix: str, minted: Minted, decide: Callable[[Key, str | None], Rotated], *, actor: str
    ) -> tuple[Key, Key] | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await self._locked(conn, prefix)
            if row is None:
                return None
            old = key_of(row)
            decided = decide(old, await conn.fetchval(_SQL.valid_successor, old.id))
            successor = await insert_key(
                conn,
                minted,
                decided.successor,
                tenant_id=row["tenant_id"],
                actor=actor,
                predecessor=old,
            )
            ending = replace(old.terms, expires_at=decided.predecessor_expires_at)
            return successor, await self._change(conn, row, ending, actor=actor)

    async def _locked(self, conn: PooledConnection, prefix: str) -> asyncpg.Record | None:
        if await conn.fetchval(_SQL.lock_key, prefix) is None:
            return None
        return await conn.fetchrow(_SQL.key_by_prefix, prefix)

    async def _change(self, conn: PooledConnection, row: asyncpg.Record, terms: Terms, *, actor: str) -> Key:
        old = key_of(row)
        if terms == old.terms:
            return old
        if (terms.types, terms.default_type) != (old.terms.types, old.terms.default_type):
            await _check_types(conn, terms)
        await conn.execute(_SQL.change_key, old.id, *_columns(terms))
        before, after = _shown(old.prefix, old.terms), _shown(old.prefix, terms)
        words = _words(old.prefix, terms.tenant)
        await conn.execute(
            _SHARED.write_audit, actor, "key.change", row["tenant_id"], words, before, after, None
        )
        await conn.execute(_SHARED.bump_epoch, "control")
        return replace(old, terms=terms)

    async def find(self, hash: bytes) -> Found:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.find_key, hash)
        assert row is not None
        if row["id"] is None:
            return Found(principal=None, expires_at=None, epoch=row["epoch"])
        return Found(principal=principal_of(row), expires_at=row["expires_at"], epoch=row["epoch"])

    async def write_uses(self, ids: Sequence[int]) -> None:
        """These keys were used within the last minute. Not audited, and no cached key ends."""
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.write_uses, ids)

    async def epoch(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.epoch, "control")

    async def list(self, tenant: int | None, *, after: int, limit: int) -> list[Key]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.list_keys, tenant, after, limit)
        return [key_of(row) for row in rows]
