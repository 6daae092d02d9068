"""The session of the one process that runs a loop. It holds an advisory lock, and what the loop writes is written on it: a
process that was suspended and lost the lock cannot write a late round.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection, SessionEnded
from mailcordon.core import health
from mailcordon.core.errors import Unavailable
from mailcordon.observe.leading import NotLeading

_SQL = queries.load("leading_session.sql")
IDLE_SECONDS = 20.0  #: a suspended process keeps the lock no longer


class LeadingSession:
    """`lock`: the first key of the loop's advisory lock."""

    def __init__(self, dsn: str, name: str, lock: int, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._connection = PinnedConnection(dsn, name, index_plans=False, idle_seconds=idle_seconds)
        self._lock = lock
        self._leads: engine.Connection | None = None  #: the session that has the lock

    async def close(self) -> None:
        """Another process may lead at once, not when the server notices that this session is gone."""
        if self._leads is not None:
            with suppress(NotLeading, Unavailable):
                async with self.use() as connection:
                    await connection.fetchval(_SQL.release_lead)
        self._leads = None
        await self._connection.close()

    async def leads(self, *, stand_by: bool) -> bool:
        """Whether this process runs the loop; `stand_by`: only while no control process reports."""
        try:
            async with self._connection.use() as connection:
                if stand_by and await connection.fetchval(_SQL.control_reports, health.SILENT_AFTER_MS):
                    if self._leads is connection:
                        await connection.fetchval(_SQL.release_lead)
                    self._leads = None
                    return False
                if self._leads is not connection:
                    self._leads = None
                    if not await connection.fetchval(_SQL.try_lead, self._lock):
                        return False
                    self._leads = connection
        except SessionEnded:
            self._leads = None
            return False
        return True

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[engine.Connection]:
        """Raises NotLeading, or Unavailable: its session may have survived, and has the lock then."""
        try:
            async with self._connection.use() as connection:
                if self._leads is not connection:
                    self._leads = None
                    raise NotLeading
                yield connection
        except SessionEnded:
            self._leads = None
            raise NotLeading from None
