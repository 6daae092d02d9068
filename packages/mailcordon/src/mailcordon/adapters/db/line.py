"""One fixed connection for one hot loop, made again when it breaks.

Plans are pinned to index look-ups: the queue's tables are empty in one minute and full in the next, and a plan made for one
is ruinous for the other (docs/decisions/003). Only one task uses a line at a time.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from mailcordon.adapters.db import engine
from mailcordon.core.errors import Unavailable

#: What "the database is not there right now" looks like in this driver.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's farewell is there, and the end of the connection not read yet
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)

#: The database is there and busy with somebody else: the same statements may well pass the next time.
BUSY = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.SerializationError,
)

_PINS = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_bitmapscan = off"


class Line:
    def __init__(
        self,
        dsn: str,
        name: str,
        *,
        pinned: bool = True,
        prepare: Callable[[engine.Connection], Awaitable[None]] | None = None,
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._pinned = pinned
        self._prepare = prepare
        self._connection: engine.Connection | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[engine.Connection]:
        """The connection, for one task at a time. Raises Unavailable when the database does not answer."""
        async with self._lock:
            try:
                yield await self._live()
            except GONE as gone:
                await self._drop()
                raise Unavailable(
                    f"the database does not answer ({type(gone).__name__}); nothing was confirmed, "
                    "so try again, with the same Idempotency-Key",
                    retry_after=1,
                ) from gone
            except BUSY as busy:
                raise Unavailable(
                    f"the database was too busy ({busy}); nothing was stored", code="busy"
                ) from busy
            except BaseException:
                # An interrupted statement may leave a transaction open: never hand that to the next user.
                if self._connection is not None and self._connection.is_in_transaction():
                    await self._drop()
                raise

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[engine.Connection]:
        async with self.use() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _live(self) -> engine.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await engine.connect(
                self._dsn,
                plan_cache_mode="force_generic_plan" if self._pinned else "auto",
                application_name=f"mailcordon {self._name}",
            )
            try:
                if self._pinned:
                    await connection.execute(_PINS)
                if self._prepare is not None:
                    await self._prepare(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
