"""Read transactions that show a tenant's own key only that tenant's rows.

The reader role is under row-level security: it sees the rows of the tenant that the transaction names, and no rows before it
names one. A query that forgets its tenant condition therefore shows too little, never another tenant's rows.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mailcordon.adapters.db import connection_pool
from mailcordon.adapters.db.engine import Pool, PooledConnection

_INDEX_PLANS = "; set local plan_cache_mode = force_generic_plan" + "".join(
    f"; set local enable_{node} = off" for node in ("seqscan", "sort", "hashjoin", "mergejoin", "material")
)


@asynccontextmanager
async def read_transaction(
    control: Pool, reader: Pool, tenant: int | None, *, snapshot: bool, index_plans: bool = False
) -> AsyncGenerator[PooledConnection]:
    """As the reader role, limited to `tenant`. Without one (a platform key) as the control role, which sees all rows.

    `snapshot`: all statements see the database as of the first one. `index_plans`: each statement is planned once for the
    connection, and goes along an index: planning one that looks at every day takes longer than running it, and no estimate fits
    all arguments.
    """
    isolation = "repeatable read" if snapshot else "read committed"
    # One round trip: a read has several statements, and each of them waits for its turn on a busy host.
    begin = f"begin isolation level {isolation} read only"
    if tenant is not None:
        begin += f"; set local mailcordon.tenant = '{int(tenant)}'"
    if index_plans:
        begin += _INDEX_PLANS
    async with connection_pool.acquire(control if tenant is None else reader) as connection:
        await connection.execute(begin)
        try:
            yield connection
        except TimeoutError:
            connection.terminate()  # the rollback would wait for the same server once more
            raise
        except BaseException:
            await connection.execute("rollback")
            raise
        await connection.execute("commit")
