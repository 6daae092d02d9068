"""Reads what happened since the last beat: one statement on a connection of its own."""

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core import health
from mailcordon.core.pulse import Look

_SQL = queries.load("pulse_store.sql")


class PulseStore:
    """`dsn`: of the control role."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "pulse", index_plans=False)
        self._fold: int | None = None  #: what the look before saw

    async def look(self) -> Look:
        """Raises Unavailable."""
        async with self._connection.use() as connection:
            row = await connection.fetchrow(_SQL.look, health.SILENT_AFTER_MS, self._fold)
        assert row is not None
        self._fold = row["fold"]
        return Look(**row)

    async def close(self) -> None:
        await self._connection.close()
