"""Writes what a process reports of itself: one row of `role_health`."""

import json
from collections.abc import Mapping

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core import health
from mailcordon.core.health import Role

_SQL = queries.load("health_store.sql")
_TIDY_EVERY = 30  #: reports


class HealthStore:
    """The row of one process. On a connection of its own, so that a busy pool does not read as silence."""

    def __init__(self, dsn: str, *, role: Role, instance: str, host: str, pid: int) -> None:
        # A report that is lost with the server is followed by the next one.
        self._connection = PinnedConnection(dsn, f"{role} health", index_plans=False, durable=False)
        self._beats = 0
        self._role, self._instance, self._host, self._pid = role, instance, host, pid

    async def beat(self, facts: Mapping[str, object]) -> bool:
        """Returns whether a control process reports. Raises Unavailable."""
        tidies, self._beats = self._beats % _TIDY_EVERY == 0, self._beats + 1
        async with self._connection.use() as connection:
            return await connection.fetchval(
                _SQL.beat,
                self._role,
                self._instance,
                self._host,
                self._pid,
                json.dumps(facts),
                health.FORGET_AFTER_MS,
                health.SILENT_AFTER_MS,
                tidies,
            )

    async def end(self) -> None:
        """Raises Unavailable."""
        async with self._connection.use() as connection:
            await connection.execute(_SQL.end_beat, self._role, self._instance)

    async def close(self) -> None:
        await self._connection.close()
