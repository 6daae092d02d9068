"""Reads quarantine, as the control role: its documents may be about any tenant."""

from collections.abc import Sequence

from mailcordon.adapters.db import connection_pool, engine, queries
from mailcordon.observe import view

_SQL = queries.load("observe_reader.sql")


class PostgresObserveReader:
    """Implements observe.view.ObserveReader."""

    def __init__(self, control: engine.Pool) -> None:
        self._control = control

    async def quarantine(
        self, *, why: str | None, before: int | None, limit: int
    ) -> Sequence[view.QuarantineEntry]:
        async with connection_pool.transaction(self._control) as connection:
            rows = await connection.fetch(_SQL.quarantine_list, why, before, limit)
        return [view.QuarantineEntry(**dict(row)) for row in rows]

    async def quarantine_kinds(self) -> Sequence[view.QuarantineKind]:
        async with connection_pool.transaction(self._control) as connection:
            rows = await connection.fetch(_SQL.quarantine_kinds)
        return [view.QuarantineKind(**dict(row)) for row in rows]

    async def quarantine_entry(self, id: int) -> view.QuarantineEntry | None:
        async with connection_pool.transaction(self._control) as connection:
            row = await connection.fetchrow(_SQL.quarantine_entry, id)
        return None if row is None else view.QuarantineEntry(**dict(row))
