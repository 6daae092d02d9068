"""A connection that one caller keeps, opened when it is first needed and again after it broke.

Plans are pinned to index lookups by default: the queue's tables are empty one minute and full the next, and a plan made for one
state can be far too slow for the other (docs/decisions/003). Only one task uses the connection at a time.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.driver_errors import BUSY, DEADLOCK, SESSION_ENDED, UNREACHABLE, in_words
from mailcordon.core.errors import Unavailable
from mailcordon.messages import api

_SHARED = queries.load("shared.sql")
_INDEX_PLANS = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_bitmapscan = off"


class SessionEnded(Exception):
    """A session that holds locks has ended, for example because this process was suspended for longer than `idle_seconds`.

    Another process may hold the locks now. The next use connects again.
    """


class PinnedConnection:
    """`index_plans`: plan every statement once, with index lookups only. `prepare` runs on each new connection.

    `durable`: whether a commit waits until it is on disk (engine.connect).

    `answer_seconds`: how long to wait for the server's answer to a statement before the connection counts as broken.

    `idle_seconds`: for sessions that hold an advisory lock across statements. The server ends a session that was idle so long,
    so that a suspended process keeps no lock. If such a session ends, `use` raises SessionEnded, not Unavailable.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        *,
        index_plans: bool = True,
        prepare: Callable[[engine.Connection], Awaitable[None]] | None = None,
        answer_seconds: float = engine.ANSWER_PATIENCE,
        idle_seconds: float | None = None,
        durable: bool = True,
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._index_plans = index_plans
        self._prepare = prepare
        self._answer_seconds = answer_seconds
        self._idle_seconds = idle_seconds
        self._durable = durable
        self._connection: engine.Connection | None = None
        self._lock = asyncio.Lock()

    def use(self) -> "_Use":
        """The connection, for one task at a time. Raises Unavailable if the database does not respond or is busy, and
        SessionEnded (see `idle_seconds`)."""
        return _Use(self)

    async def begin_use(self) -> engine.Connection:
        """Of `use` alone."""
        await self._lock.acquire()
        connection = self._connection
        if connection is not None and not connection.is_closed():
            return connection
        try:
            return await self._live()
        except BaseException as error:
            await self.end_use(error, connected=False)
            raise

    async def end_use(self, error: BaseException | None, *, connected: bool = True) -> None:
        """Of `use` alone. Raises what an error of the driver means."""
        try:
            if error is not None:
                await self._failed(error, connected=connected)
        finally:
            self._lock.release()

    async def _failed(self, error: BaseException, *, connected: bool) -> None:
        if isinstance(error, UNREACHABLE):
            await self._drop()
            if self._idle_seconds is not None and connected and isinstance(error, SESSION_ENDED):
                raise SessionEnded(in_words(error)) from error
            raise Unavailable(api.mail_not_confirmed(in_words(error)), retry_after=1) from error
        if isinstance(error, (*BUSY, DEADLOCK)):
            raise Unavailable(api.database_busy(in_words(error)), code="busy") from error
        # An interrupted statement may leave a transaction open: the next user must not get that connection.
        if self._connection is not None and self._connection.is_in_transaction():
            await self._drop()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[engine.Connection]:
        async with self.use() as connection, connection.transaction():
            try:
                yield connection
            except TimeoutError:
                # Else the rollback would wait for the same server once more.
                connection.terminate()
                raise

    @asynccontextmanager
    async def locked(
        self, key: int, statement: str = _SHARED.try_lock
    ) -> AsyncGenerator[engine.Connection | None]:
        """The connection while its session holds the advisory lock (`key`, 0). None if `statement` does not get the lock."""
        async with self.use() as connection:
            if not await connection.fetchval(statement, key, 0):
                yield None
                return
            try:
                yield connection
            finally:
                await connection.execute(_SHARED.unlock, key, 0)

    @property
    def is_open(self) -> bool:
        """Whether the next use takes the connection of the last one, as far as is known."""
        return self._connection is not None and not self._connection.is_closed()

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _live(self) -> engine.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await engine.connect(
                self._dsn,
                generic_plans=self._index_plans,
                application_name=f"mailcordon {self._name}",
                answer_seconds=self._answer_seconds,
                idle_seconds=self._idle_seconds,
                durable=self._durable,
            )
            try:
                if self._index_plans:
                    await connection.execute(_INDEX_PLANS)
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


class _Use:
    """What `PinnedConnection.use` returns. A class: as a generator it costs twice as much, and each statement has one."""

    __slots__ = ("_pinned",)

    def __init__(self, pinned: PinnedConnection) -> None:
        self._pinned = pinned

    async def __aenter__(self) -> engine.Connection:
        return await self._pinned.begin_use()

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pinned.end_use(error)
