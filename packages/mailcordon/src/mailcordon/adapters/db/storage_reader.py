"""What `doctor` and the status ask about sizes and partitions, with the login control."""

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.control.retention import MOST_COUNTED, Storage, TableSize

_SQL = queries.load("storage_reader.sql")


async def storage(connection: Connection | PooledConnection) -> Storage:
    """Sizes on disk, the days that have partitions, and rows in default partitions. With 90 days of
    partitions it takes some 100 ms, so it is for people, not for a heartbeat."""
    rows = await connection.fetch(_SQL.tables, MOST_COUNTED)
    return Storage(
        today=await connection.fetchval(_SQL.today),
        tables=tuple(
            TableSize(
                table=row["name"],
                bytes=row["bytes"],
                first_day=row["first_day"],
                last_day=row["last_day"],
                in_default=row["in_default"],
            )
            for row in rows
        ),
    )
