"""What readers for people and tenants have in common: the id of a slug, and a transaction that shows a viewer's rows."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection

_SHARED = queries.load("shared.sql")


class Viewing(Protocol):
    """Whoever reads. `as_tenant`: with a tenant's key, so that the database shows the rows of `tenant` only."""

    @property
    def tenant(self) -> int | None: ...

    @property
    def as_tenant(self) -> bool: ...


class ViewerReads:
    """`control` sees all rows; `reader` is under row-level security."""

    def __init__(self, control: Pool, reader: Pool) -> None:
        self._control = control
        self._reader = reader

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    def _as(
        self, viewer: Viewing, *, snapshot: bool = False
    ) -> AbstractAsyncContextManager[PooledConnection]:
        tenant = viewer.tenant if viewer.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=snapshot)
