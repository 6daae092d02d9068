"""Limits as their owners write them: policy, new-sender caps, warm-up, releases and the breaker, each its own."""

from collections.abc import Sequence

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.limit_row import as_json, limit_from_row
from mailcordon.core.limit import Limit

_SQL = queries.load("limit_store.sql")


async def replace(
    conn: PooledConnection, tenant: int, owner: str, limits: Sequence[Limit], *, lane: int | None = None
) -> int:
    """In the caller's transaction: from its commit on these are the owner's limits of the tenant, or with `lane` of the lane.

    Returns how many changed. A limit with the same scope and window as before keeps its id, its counts and the mail that waits
    for it. `id` of a limit is not looked at. SQL can call `replace_limits` itself. An owner has one limit of a scope and window.
    """
    return await conn.fetchval(_SQL.replace, tenant, owner, as_json(limits), lane)


async def replace_many(
    conn: PooledConnection, of: Sequence[tuple[int, str, int | None, Sequence[Limit]]]
) -> None:
    """As `replace`, for many: tenant, owner, lane or None, and the limits of each, in one statement. Nobody is named twice."""
    await conn.execute(
        _SQL.replace_many,
        [tenant for tenant, _, _, _ in of],
        [owner for _, owner, _, _ in of],
        [as_json(limits) for _, _, _, limits in of],
        [lane for _, _, lane, _ in of],
    )


class LimitStore:
    def __init__(self, pool: Pool) -> None:
        """`pool`: of the control or governor login."""
        self._pool = pool

    async def replace(
        self, tenant: int, owner: str, limits: Sequence[Limit], *, lane: int | None = None
    ) -> int:
        """As the function `replace`, in a transaction of its own."""
        async with connection_pool.transaction(self._pool) as conn:
            return await replace(conn, tenant, owner, limits, lane=lane)

    async def list(self, tenant: int, owner: str | None = None) -> Sequence[Limit]:
        """The tenant's limits, or those of one owner."""
        async with connection_pool.acquire(self._pool) as conn:
            return [limit_from_row(row) for row in await conn.fetch(_SQL.limits, tenant, owner)]
