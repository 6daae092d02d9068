"""What `mailcordon doctor --aws` asks of the database server."""

from typing import NamedTuple

from mailcordon.adapters.db import engine, queries
from mailcordon.core import health

_SQL = queries.load("doctor_reader.sql")


class Server(NamedTuple):
    version: str
    autovacuum: str
    full_page_writes: str
    locks: int  #: max_locks_per_transaction
    most: int  #: connections that logins which are no superusers may open
    used: int


class Process(NamedTuple):
    role: str
    host: str
    pid: int
    version: str | None  #: None: of a version that does not report it


async def server(connection: engine.Connection) -> Server:
    row = await connection.fetchrow(_SQL.server)
    assert row is not None
    return Server(**dict(row))


async def migrations(connection: engine.Connection) -> set[str] | None:
    """None: this login may not read them."""
    if not await connection.fetchval(_SQL.may_read_migrations):
        return None
    return {row["migration_id"] for row in await connection.fetch(_SQL.migrations)}


async def processes(connection: engine.Connection) -> list[Process]:
    """Those that report."""
    return [Process(**dict(row)) for row in await connection.fetch(_SQL.processes, health.SILENT_AFTER_MS)]
