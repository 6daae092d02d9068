"""DKIM keys, as the control role; a tenant's key reads its own as the reader role. Private keys are encrypted here."""

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import datetime

import asyncpg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import Vault
from mailcordon.control.dkim_keys import KEPT, StoredKey
from mailcordon.core.errors import Conflict
from mailcordon.messages import identities as words

_SQL = queries.load("dkim_key_store.sql")
_SHARED = queries.load("shared.sql")
BITS = 2048  #: the most that SES takes (ses.md 5.3)


class DkimKeyStore:
    def __init__(self, control: Pool, secret_keys: Sequence[str], reader: Pool | None = None) -> None:
        """`secret_keys`: MAILCORDON_SECRET_KEYS. `reader`: a pool of the reader login, for tenants' keys."""
        self._control = control
        self._reader = reader
        self._secret_keys = secret_keys

    async def now(self) -> datetime:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SQL.now)

    async def keys(self, tenant: int | None, domain: str) -> list[StoredKey]:
        reader = self._reader or self._control
        async with row_level_security.read_transaction(self._control, reader, tenant, snapshot=False) as conn:
            return [StoredKey(**dict(row)) for row in await conn.fetch(_SQL.of_domain, domain, KEPT)]

    async def add(self, domain: str, selector: str | None, *, actor: str, because: str) -> None:
        public, secret = None, None
        if selector is not None:
            public, private = await asyncio.to_thread(make)
            secret = Vault(self._secret_keys).encrypt(private)
        try:
            async with connection_pool.transaction(self._control) as conn:
                tenant = await conn.fetchval(_SQL.add, domain, selector, public, secret, actor)
                after = json.dumps({"selector": selector})
                await _audit(conn, "dkim.make", tenant, domain, actor, after, because)
        except asyncpg.UniqueViolationError as error:
            if selector is not None and error.constraint_name == "dkim_key_selector":
                raise Conflict(words.dkim_selector_used(domain, selector), code="selector-used") from None
            raise Conflict(words.dkim_another_waits(domain), code="dkim-waits") from None

    async def drop(self, id: int, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            for row in await conn.fetch(_SQL.drop, id):
                await _audit(conn, "dkim.drop", row["tenant"], row["domain"], actor, None, because)

    async def due(self, limit: int) -> list[StoredKey]:
        async with connection_pool.acquire(self._control) as conn:
            return [StoredKey(**dict(row)) for row in await conn.fetch(_SQL.due, limit)]

    async def private_key(self, id: int) -> str:
        async with connection_pool.acquire(self._control) as conn:
            secret = await conn.fetchval(_SQL.secret, id)
        return base64.b64encode(Vault(self._secret_keys).decrypt(secret)).decode()

    async def looked(self, id: int, said: str, *, again_at: datetime) -> None:
        async with connection_pool.acquire(self._control) as conn:
            await conn.execute(_SQL.looked, id, said, again_at)

    async def signs(self, id: int) -> None:
        async with connection_pool.transaction(self._control) as conn:
            await conn.execute(_SQL.replace, id)
            for row in await conn.fetch(_SQL.signs, id, words.dkim_signs()):
                await conn.execute(_SQL.accept, row["domain"])
                after = json.dumps({"selector": row["selector"]})
                await _audit(conn, "dkim.sign", row["tenant"], row["domain"], "control", after, None)


def make() -> tuple[str, bytes]:
    """A new key: base64 of its public half, and its private half as PKCS #8."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(public).decode(), private


SECRETS = SecretRows(_SQL.secrets, lambda row: (_SQL.rewrite_secret, row["id"]))


async def _audit(
    conn: PooledConnection,
    action: str,
    tenant: int | None,
    domain: str,
    actor: str,
    after: str | None,
    because: str | None,
) -> None:
    await conn.execute(_SHARED.write_audit, actor, action, tenant, f"identity {domain}", None, after, because)
