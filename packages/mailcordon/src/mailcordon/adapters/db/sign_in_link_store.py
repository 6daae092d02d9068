"""One-time links to sign in, as the control role. `session_store` uses them: a session starts in the same transaction."""

import json
from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sign_in_links import SignInLink
from mailcordon.control.people.tokens import Minted
from mailcordon.core.errors import Conflict
from mailcordon.messages import sign_in

_SQL = queries.load("sign_in_link_store.sql")
_SHARED = queries.load("shared.sql")


class SignInLinkStore:
    def __init__(self, control: Pool) -> None:
        self._pool = control

    async def insert(
        self, minted: Minted, person: str, role: Role, *, seconds: int, most: int, actor: str
    ) -> SignInLink:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.lock_links)
            if await conn.fetchval(_SQL.open_links) >= most:
                raise Conflict(sign_in.too_many_sign_in_links(most), code="too-many")
            row = await conn.fetchrow(
                _SQL.insert_link, minted.prefix, minted.hash, person, role, actor, seconds
            )
            assert row is not None
            words, shown = _words(row), json.dumps({"role": role})
            await conn.execute(
                _SHARED.write_audit, actor, "sign-in-link.create", None, words, None, shown, None
            )
            return _link(row)

    async def revoke(self, prefix: str, *, actor: str) -> SignInLink | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.revoke_link, prefix)
            if row is None:
                row = await conn.fetchrow(_SQL.link_by_prefix, prefix)
                return None if row is None else _link(row)
            await conn.execute(
                _SHARED.write_audit, actor, "sign-in-link.revoke", None, _words(row), None, None, None
            )
            return _link(row)

    async def list(self, *, after: int, limit: int) -> Sequence[SignInLink]:
        async with connection_pool.acquire(self._pool) as conn:
            return [_link(row) for row in await conn.fetch(_SQL.list_links, after, limit)]


def _words(row: asyncpg.Record) -> str:
    return f"sign-in link {row['prefix']} of {row['person']}"


def _link(row: asyncpg.Record) -> SignInLink:
    return SignInLink(
        id=row["id"],
        prefix=row["prefix"],
        person=row["person"],
        role=row["role"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        revoked_at=row["revoked_at"],
    )
