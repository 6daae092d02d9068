"""Reads under a tenant's own key: as the reader role, whose row-level security shows the rows of the tenant that the transaction
names, and none before it names one. So a forgotten condition in a query shows too little, never somebody else's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mailcordon.adapters.db import lend
from mailcordon.adapters.db.engine import Pool, PooledConnection


class Reader:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def as_tenant(self, tenant: int) -> AsyncGenerator[PooledConnection]:
        """One snapshot, seen as this tenant."""
        async with lend.transaction(self._pool, snapshot=True) as connection:
            await connection.execute("select set_config('mailcordon.tenant', $1, true)", str(tenant))
            yield connection
