"""A connection of a pool for a while; what goes wrong with the database itself becomes a sentence that callers can show."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.line import GONE
from mailcordon.core.errors import Fault, Invalid, Unavailable

#: Busy with somebody else for longer than our time-outs. A deadlock is not among these: the governor tries again by itself.
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.SerializationError)


@asynccontextmanager
async def lend(pool: Pool) -> AsyncGenerator[PooledConnection]:
    """Raises Unavailable, or Invalid for text that no database can hold (a NUL)."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except (*GONE, *_BUSY) as away:
        raise Unavailable(
            f"The database does not answer ({type(away).__name__}); nothing was confirmed."
        ) from away
    except asyncpg.DataError:
        raise Invalid(Fault("body", "holds what the database cannot keep as text or number")) from None


@asynccontextmanager
async def transaction(pool: Pool, *, snapshot: bool = False) -> AsyncGenerator[PooledConnection]:
    """One transaction; `snapshot`: its statements all see the database as the first one did."""
    isolation = "repeatable_read" if snapshot else "read_committed"
    async with lend(pool) as connection, connection.transaction(isolation=isolation):
        yield connection
