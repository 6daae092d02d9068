"""Entries of SES's lists for bounces that are not about the address, as the control role."""

from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.unlisting import Unlisting

_SQL = queries.load("unlisting_store.sql")


class UnlistingStore:
    """Implements control.unlisting.UnlistingStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(self, most: int) -> Sequence[Unlisting]:
        return [
            Unlisting(
                tenant=row["tenant"],
                lists=tuple(row["lists"]),
                hash=row["hash"],
                spelling=row["spelling"],
                ses_id=row["ses_id"],
                since=row["since"],
                tries=row["tries"],
                suppressed=row["suppressed"],
            )
            for row in await self._pool.fetch(_SQL.due, most)
        ]

    async def done(self, one: Unlisting, *, deleted: bool) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            if not deleted:
                await connection.execute(_SQL.not_listed, one.tenant, one.hash, one.spelling, one.since)
            else:
                # In this order: an observer with a hit holds the row until it has committed.
                await connection.execute(_SQL.deleted, one.tenant, one.hash, one.spelling, one.since)
                await connection.execute(_SQL.reopen, one.tenant, one.hash, one.since)

    async def later(self, one: Unlisting, seconds: float, *, why: str | None) -> None:
        await self._pool.execute(
            _SQL.later, one.tenant, one.hash, one.spelling, one.since, int(seconds * 1000), why and why[:2000]
        )
