"""What was learnt of recipients' domains. Implements `control.provider_learning.LearningStore`, `control.providers.ProviderReads`
and `send.provider_table.Feed`."""

from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.control.provider_learning import Known
from mailcordon.core.mailbox_hosts import Found
from mailcordon.core.provider import Provider
from mailcordon.send.provider_table import Answer

_SQL = queries.load("provider_store.sql")
_MOST_MOVED = 5_000


class ProviderStore:
    """`pool`: of the control login."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, most: int, *, lease_ms: int) -> tuple[list[str], int]:
        async with connection_pool.acquire(self._pool) as connection:
            rows = await connection.fetch(_SQL.claim, most, lease_ms)
        return sorted(row["domain"] for row in rows), rows[0]["now"] if rows else 0

    async def known(self, domains: Sequence[str]) -> dict[str, Known]:
        async with connection_pool.acquire(self._pool) as connection:
            rows = await connection.fetch(_SQL.known, list(domains))
        return {row["domain"]: _known(row) for row in rows}

    async def record(self, learnt: Sequence[Known]) -> None:
        if not learnt:
            return
        domains = [one.domain for one in learnt]
        async with connection_pool.acquire(self._pool) as connection, connection.transaction():
            await connection.execute(
                _SQL.record,
                domains,
                [one.provider for one in learnt],
                [one.behind for one in learnt],
                [one.found for one in learnt],
                [" ".join(one.mx) for one in learnt],
                [one.since for one in learnt],
                [one.learnt_at for one in learnt],
                [one.expires_at for one in learnt],
                [one.failures for one in learnt],
                [one.detail for one in learnt],
            )
            await connection.fetchval(_SQL.move_unknown, domains, _MOST_MOVED)

    async def touch(self, domains: Sequence[str]) -> None:
        async with connection_pool.acquire(self._pool) as connection:
            await connection.execute(_SQL.touch, list(domains))

    async def move_unknown(self, domains: Sequence[str], most: int) -> int:
        async with connection_pool.acquire(self._pool) as connection:
            return await connection.fetchval(_SQL.move_unknown, list(domains), most)

    async def unsettled(self, within_ms: int, most: int) -> tuple[list[str], list[str]]:
        async with connection_pool.acquire(self._pool) as connection:
            rows = await connection.fetch(_SQL.unsettled, within_ms, most)
        known = [row["domain"] for row in rows if row["known"]]
        return known, [row["domain"] for row in rows if not row["asked"]]

    async def forget(self, *, counts_ms: int, domains_ms: int) -> None:
        async with connection_pool.acquire(self._pool) as connection:
            await connection.execute(_SQL.forget_counts, counts_ms)
            await connection.fetchval(_SQL.forget_domains, domains_ms)

    async def of_domain(self, domain: str) -> tuple[Known | None, bool]:
        async with connection_pool.acquire(self._pool) as connection:
            row = await connection.fetchrow(_SQL.known, [domain])
            return None if row is None else _known(row), await connection.fetchval(_SQL.is_wanted, domain)

    async def want(self, domains: Sequence[str]) -> None:
        async with connection_pool.acquire(self._pool) as connection:
            await connection.fetchval(_SQL.want, list(domains), [""] * len(domains))


class ProviderFeed:
    """For a process that keeps answers in memory, as the send role."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "providers")

    async def close(self) -> None:
        await self._connection.close()

    async def newest_since(self, most: int) -> int:
        async with self._connection.use() as connection:
            return await connection.fetchval(_SQL.newest_since, most) or 0

    async def asked_since(self, since: int, most: int) -> list[Answer]:
        async with self._connection.use() as connection:
            rows = await connection.fetch(_SQL.asked_since, since, most)
        return [_answer(row) for row in rows]

    async def want(self, wanted: Mapping[str, str]) -> None:
        async with self._connection.use() as connection:
            await connection.fetchval(_SQL.want, list(wanted), list(wanted.values()))


def _answer(row: asyncpg.Record) -> Answer:
    return Answer(row["domain"], row["provider"], row["expires_at"], row["asked_at"])


def _known(row: asyncpg.Record) -> Known:
    return Known(
        domain=row["domain"],
        provider=Provider(row["provider"]),
        behind=None if row["behind"] is None else Provider(row["behind"]),
        found=Found(row["found"]),
        mx=tuple(row["mx"] or ()),
        since=row["since"],
        learnt_at=row["learnt_at"],
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        failures=row["failures"],
        detail=row["detail"],
    )
