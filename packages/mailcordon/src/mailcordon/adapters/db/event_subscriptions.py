"""The subscriptions of our own address to topics: when they were confirmed, cancelled, and last heard of."""

import time

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.errors import Unavailable
from mailcordon.observe.door_alarms import Subscription

_SQL = queries.load("event_subscriptions.sql")
_HEARD_EVERY = 60.0  #: seconds between two writes of what was last heard


async def subscriptions(control: Pool) -> tuple[list[Subscription], int]:
    """All of them, with the database's time. As the control role."""
    async with connection_pool.acquire(control) as connection:
        rows = await connection.fetch(_SQL.subscriptions)
    found = [Subscription(row["topic"], row["confirmed_at"], row["ended_at"], row["last_at"]) for row in rows]
    return found, rows[0]["now"] if rows else 0


class EventSubscriptions:
    """Implements `observe.door.Subscriptions`. Opens its connection at the first use."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "observe")
        self._heard: dict[
            str, float
        ] = {}  #: by topic, when it was written; there are no more than the settings name

    async def close(self) -> None:
        await self._connection.close()

    async def confirmed(self, topic: str, at: int) -> None:
        await self._write(_SQL.confirmed, topic, at)

    async def ended(self, topic: str, at: int) -> None:
        await self._write(_SQL.ended, topic, at)

    async def heard(self, topic: str, at: int) -> None:
        """Writes once a minute at most. A write that fails is left to a later message."""
        now = time.monotonic()
        if now - self._heard.get(topic, float("-inf")) < _HEARD_EVERY:
            return
        self._heard[topic] = now
        try:
            await self._write(_SQL.heard, topic, at)
        except Unavailable:
            self._heard.pop(topic, None)

    async def _write(self, statement: str, topic: str, at: int) -> None:
        async with self._connection.use() as connection:
            await connection.execute(statement, topic, at)
