"""Borrowing a connection from a pool. Errors of the database become errors with a sentence for the caller."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from mailcordon.adapters.db.driver_errors import BUSY, TOO_SLOW, UNREACHABLE, in_words
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.core.errors import Fault, Invalid, Unavailable
from mailcordon.messages import api

T = TypeVar("T")

_TRIES = 8


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncGenerator[PooledConnection]:
    """Raises Unavailable, or Invalid for text that PostgreSQL cannot store (a NUL). Deadlocks pass: `transact` retries them."""
    try:
        async with pool.acquire() as connection:
            try:
                yield connection
            except TimeoutError:
                # Else its reset, on the way back to the pool, would wait for the same server once more.
                connection.terminate()
                raise
    except UNREACHABLE as error:
        raise Unavailable(api.database_away(in_words(error))) from error
    except TOO_SLOW as error:
        raise Unavailable(api.query_too_slow(in_words(error)), code="query-timeout", retry_after=5) from error
    except BUSY as error:
        raise Unavailable(api.database_busy(in_words(error)), code="busy") from error
    except asyncpg.DataError:
        raise Invalid(Fault("body", api.not_storable())) from None


@asynccontextmanager
async def transaction(pool: Pool, *, snapshot: bool = False) -> AsyncGenerator[PooledConnection]:
    """One transaction. With `snapshot`, all its statements see the database as of the first one."""
    isolation = "repeatable_read" if snapshot else "read_committed"
    async with acquire(pool) as connection, connection.transaction(isolation=isolation):
        try:
            yield connection
        except TimeoutError:
            connection.terminate()  # the rollback would wait as well
            raise


async def transact(
    pool: Pool, run: Callable[[PooledConnection], Awaitable[T]], *, snapshot: bool = False
) -> T:
    """One transaction that locks lanes, as the queue's statements do: after a deadlock with them it is run again, since placing a
    hold or a stop must not fail by chance."""
    for attempt in range(_TRIES):
        try:
            async with transaction(pool, snapshot=snapshot) as connection:
                return await run(connection)
        except asyncpg.DeadlockDetectedError:
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))
    raise Unavailable(api.lanes_locked())
