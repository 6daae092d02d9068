"""Sessions of people and their ways to the OpenID provider, as the control role."""

import json
from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sessions import KEY_NAME, MOST_OPEN, Lifetimes, Person, Session
from mailcordon.control.people.tokens import Minted
from mailcordon.core import names

_SQL = queries.load("session_store.sql")
_SHARED = queries.load("shared.sql")
_MOST_PENDING = 10_000  #: browsers on their way to the OpenID provider: some megabytes at most


#: Somebody waits for a page. Who it is is read in a millisecond, so a database that needs longer than this is away.
WHO_SECONDS = 5.0


class SessionStore:
    def __init__(self, control: Pool) -> None:
        self._pool = control

    async def start(self, minted: Minted, person: Person, lifetimes: Lifetimes, *, actor: str) -> Session:
        async with connection_pool.transaction(self._pool) as conn:
            return await _start(conn, minted, person, lifetimes, actor=actor)

    async def start_by_link(self, link: bytes, minted: Minted, lifetimes: Lifetimes) -> Session | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.use_link, link)
            if row is None:
                return None
            actor = names.actor(row["person"], KEY_NAME, minted.prefix)
            person = Person(name=row["person"], role=Role(row["role"]), way="link", subject=row["prefix"])
            words = f"sign-in link {row['prefix']} of {row['person']}"
            await _audit(conn, actor, "sign-in-link.use", words)
            return await _start(conn, minted, person, lifetimes, actor=actor)

    async def find(self, hash: bytes) -> Session | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.find_session, hash, timeout=WHO_SECONDS)
        return None if row is None else _session(row)

    async def end(self, hash: bytes) -> Session | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.end_session, hash)
            if row is None:
                return None
            actor = names.actor(row["person"], KEY_NAME, row["prefix"])
            await _audit(conn, actor, "session.sign-out", _words(row))
            return _session(row)

    async def end_by(self, prefix: str, *, actor: str, because: str | None) -> Session | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.end_session_by, prefix, actor)
            if row is None:
                row = await conn.fetchrow(_SQL.session_by_prefix, prefix)
                return None if row is None else _session(row)
            await _audit(conn, actor, "session.end", _words(row), because=because)
            return _session(row)

    async def end_of_person(self, person: str, *, actor: str, because: str | None) -> Sequence[Session]:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.lock_person, person)
            for link in await conn.fetch(_SQL.revoke_links_of, person):
                words = f"sign-in link {link['prefix']} of {person}"
                await _audit(conn, actor, "sign-in-link.revoke", words, because=because)
            ended = await conn.fetch(_SQL.end_sessions_of, person, actor)
            for row in ended:
                await _audit(conn, actor, "session.end", _words(row), because=because)
            return [_session(row) for row in sorted(ended, key=lambda row: row["id"])]

    async def list(
        self, *, person: str | None, is_open: bool | None, after: int, limit: int
    ) -> Sequence[Session]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.list_sessions, person, is_open, after, limit)
        return [_session(row) for row in rows]

    async def put_pending(self, state: bytes, browser: bytes, next: str, *, seconds: int) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.drop_pending, _MOST_PENDING - 1)
            await conn.execute(_SQL.put_pending, state, browser, next, seconds)

    async def take_pending(self, state: bytes, browser: bytes) -> str | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.take_pending, state, browser)


async def _start(
    conn: PooledConnection, minted: Minted, person: Person, lifetimes: Lifetimes, *, actor: str
) -> Session:
    await conn.execute(_SQL.lock_person, person.name)
    for row in await conn.fetch(_SQL.end_oldest, person.name, MOST_OPEN - 1, actor):
        await _audit(conn, actor, "session.end", f"session {row['prefix']} of {person.name}")
    row = await conn.fetchrow(
        _SQL.insert_session,
        minted.prefix,
        minted.hash,
        person.name,
        person.role,
        person.way,
        person.subject,
        list(person.values),
        lifetimes.idle,
        lifetimes.absolute,
    )
    assert row is not None
    shown = {"role": person.role, "way": person.way, "subject": person.subject, "values": person.values}
    await _audit(conn, actor, "session.start", _words(row), json.dumps(shown))
    return _session(row)


def _session(row: asyncpg.Record) -> Session:
    return Session(
        id=row["id"],
        prefix=row["prefix"],
        person=row["person"],
        role=row["role"],
        way=row["way"],
        subject=row["subject"],
        values=tuple(row["claims"]),
        started_at=row["started_at"],
        seen_at=row["seen_at"],
        idle_at=row["idle_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )


def _words(row: asyncpg.Record) -> str:
    return f"session {row['prefix']} of {row['person']}"


async def _audit(
    conn: PooledConnection,
    actor: str,
    action: str,
    words: str,
    after: str | None = None,
    *,
    because: str | None = None,
) -> None:
    await conn.execute(_SHARED.write_audit, actor, action, None, words, None, after, because)
