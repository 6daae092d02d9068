"""Access keys of the SES door, as the control role. Every change bumps the control epoch, which ends cached keys at once."""

import json
from collections.abc import Callable, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, key_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control.access_keys import AccessKey, Found, Minted, SetName
from mailcordon.control.keys import Key
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.messages import api
from mailcordon.messages import ses_door as messages

_SQL = queries.load("access_key_store.sql")
_KEYS = queries.load("key_store.sql")
_SHARED = queries.load("shared.sql")


class AccessKeyStore:
    def __init__(self, control: Pool, secret_keys: Sequence[str]) -> None:
        """`secret_keys`: MAILCORDON_SECRET_KEYS."""
        self._pool = control
        self._secret_keys = secret_keys
        self._vault: Vault | None = None

    def _secrets(self) -> Vault:
        if self._vault is None:
            self._vault = Vault(self._secret_keys)
        return self._vault

    async def insert(
        self, prefix: str, minted: Minted, decide: Callable[[Key, int], None], *, actor: str
    ) -> AccessKey | None:
        stored = self._secrets().encrypt(minted.secret.encode())
        async with connection_pool.transaction(self._pool) as conn:
            locked = await conn.fetchrow(_SQL.lock_key, prefix)
            if locked is None:
                return None
            row = await conn.fetchrow(_KEYS.key_by_prefix, prefix)
            assert row is not None
            decide(key_store.key_of(row), await conn.fetchval(_SQL.number_of_key, locked["id"]))
            await conn.execute(_SQL.insert, minted.id, locked["id"], stored, actor)
            await _audit(conn, actor, "access-key.create", locked["tenant_id"], minted.id, prefix)
            await conn.execute(_SHARED.bump_epoch, "control")
            return _access_key(await conn.fetchrow(_SQL.by_id, minted.id))

    async def list(self, prefix: str) -> Sequence[AccessKey] | None:
        async with connection_pool.acquire(self._pool) as conn:
            if await conn.fetchrow(_KEYS.key_by_prefix, prefix) is None:
                return None
            return [_access_key(row) for row in await conn.fetch(_SQL.of_key, prefix)]

    async def revoke(self, id: str, *, actor: str) -> AccessKey | None:
        async with connection_pool.transaction(self._pool) as conn:
            revoked = await conn.fetchval(_SQL.revoke, id)
            row = await conn.fetchrow(_SQL.by_id, id)
            if row is None:
                return None
            if revoked is not None:
                await _audit(conn, actor, "access-key.revoke", row["tenant_id"], id, row["prefix"])
                await conn.execute(_SHARED.bump_epoch, "control")
            return _access_key(row)

    async def find(self, id: str) -> Found:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.find, id)
        assert row is not None
        if row["id"] is None:
            return Found(principal=None, expires_at=None, secret=None, types_of_sets={}, epoch=row["epoch"])
        return Found(
            principal=key_store.principal_of(row),
            expires_at=row["expires_at"],
            secret=self._secrets().decrypt(row["secret"]),
            types_of_sets=json.loads(row["sets"]),
            epoch=row["epoch"],
        )

    # Names of configuration sets --------------------------------------------------------------------------------------------

    async def sets(self, tenant: str | None) -> Sequence[SetName]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.sets, await _tenant(conn, tenant))
        return [SetName(**dict(row)) for row in rows]

    async def put_set(self, named: SetName, most: int, *, actor: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            tenant = await _tenant(conn, named.tenant)
            if not await conn.fetchval(_SQL.has_type, named.type):
                raise Invalid(Fault("type", api.no_type(ascii(named.type[:64])[1:-1]), "unknown-type"))
            if await conn.fetchval(_SQL.number_of_sets, tenant, named.name) >= most:
                raise Conflict(messages.too_many_sets(most), code="too-many")
            before = await conn.fetchval(_SQL.put_set, tenant, named.name, named.type, actor)
            if before != named.type:
                change = (
                    None if before is None else json.dumps({"type": before}),
                    json.dumps({"type": named.type}),
                )
                await _audit_set(conn, actor, "ses-door.map", tenant, named.name, *change)
                await conn.execute(_SHARED.bump_epoch, "control")

    async def remove_set(self, name: str, tenant: str | None, *, actor: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            of = await _tenant(conn, tenant)
            before = await conn.fetchval(_SQL.remove_set, of, name)
            if before is None:
                return False
            await _audit_set(conn, actor, "ses-door.unmap", of, name, json.dumps({"type": before}), None)
            await conn.execute(_SHARED.bump_epoch, "control")
            return True


SECRETS = SecretRows(_SQL.secrets, lambda row: (_SQL.rewrite_secret, row["id"]))


def _access_key(row: asyncpg.Record | None) -> AccessKey:
    assert row is not None
    return AccessKey(
        id=row["id"],
        prefix=row["prefix"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        revoked_at=row["revoked_at"],
    )


async def _tenant(conn: PooledConnection, slug: str | None) -> int | None:
    """Raises NotFound."""
    if slug is None:
        return None
    tenant = await conn.fetchval(_SHARED.active_tenant_id, slug)
    if tenant is None:
        raise NotFound(api.no_tenant(ascii(slug[:64])[1:-1]), code="no-such-tenant")
    return tenant


async def _audit(
    conn: PooledConnection, actor: str, action: str, tenant: int | None, id: str, prefix: str
) -> None:
    words = f"access key {id} of key {prefix}"
    await conn.execute(_SHARED.write_audit, actor, action, tenant, words, None, None, None)


async def _audit_set(
    conn: PooledConnection,
    actor: str,
    action: str,
    tenant: int | None,
    name: str,
    before: str | None,
    after: str | None,
) -> None:
    words = f"configuration set name {name}"
    await conn.execute(_SHARED.write_audit, actor, action, tenant, words, before, after, None)
