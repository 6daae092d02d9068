"""What the database knows of a dispatcher's home. Implements `send.lineage.LineageStore`, as the login send."""

import uuid

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.send.lineage import Standing

_SQL = queries.load("lineage_store.sql")


class LineageStore:
    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "lineage", index_plans=False)

    async def close(self) -> None:
        await self._connection.close()

    async def standing(self, home: str) -> Standing:
        async with self._connection.use() as connection:
            row = await connection.fetchrow(_SQL.standing, uuid.UUID(home))
        assert row is not None
        return Standing(row["beats"], row["open"], row["at"])

    async def report(self, home: str, beats: int) -> tuple[int, int] | None:
        async with self._connection.use() as connection:
            row = await connection.fetchrow(_SQL.report, uuid.UUID(home), beats)
        return None if row is None else (row["beats"], row["at"])
