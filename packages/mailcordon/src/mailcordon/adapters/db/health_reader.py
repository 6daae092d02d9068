"""What the health check and `doctor` ask the database."""

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection

_SQL = queries.load("health_reader.sql")


async def oldest_snapshot(
    connection: Connection | PooledConnection, *, timeout: float | None = None
) -> float | None:
    """Age in seconds of the oldest transaction with a snapshot, which slows the queue; None if there is none."""
    return await connection.fetchval(_SQL.oldest_snapshot, timeout=timeout)
