"""What the health check and `doctor` ask the database."""

from datetime import UTC, date, datetime

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection

_SQL = queries.load("health_reader.sql")


async def oldest_snapshot(
    connection: Connection | PooledConnection, *, timeout: float | None = None
) -> float | None:
    """Age in seconds of the oldest transaction with a snapshot, which slows the queue; None if there is none."""
    return await connection.fetchval(_SQL.oldest_snapshot, timeout=timeout)


async def last_partition(connection: Connection | PooledConnection) -> date | None:
    """The last day that has partitions; None if there are none."""
    day = await connection.fetchval(_SQL.last_partition)
    return None if day is None else datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
