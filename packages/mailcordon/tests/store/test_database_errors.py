"""A database that does not respond and one that is busy are told apart, in words for the caller."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.connection_pool import acquire, transaction
from mailcordon.adapters.db.driver_errors import in_words
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.errors import Unavailable

CLOSED = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (TimeoutError(), "no response in time"),
        (OSError(113, "No route to host"), "No route to host"),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), "the connection ended"),
        (asyncpg.DeadlockDetectedError("deadlock detected\nDETAIL: Process 7 waits"), "deadlock detected"),
        (asyncpg.InterfaceError(""), "no response"),
    ],
)
def test_a_cause_is_given_in_words(error: Exception, words: str) -> None:
    assert in_words(error) == words


async def test_a_refused_connection_is_a_database_that_does_not_respond() -> None:
    connection = PinnedConnection(CLOSED, "test")
    with pytest.raises(Unavailable, match=r"does not respond \(connection refused\)"):
        async with connection.use():
            pass


@pytest.mark.parametrize("pooled", [True, False])
async def test_a_statement_that_takes_too_long_says_so(database: Any, pooled: bool) -> None:
    pool = await engine.create_pool(database.dsn("control"))
    pinned = PinnedConnection(database.dsn("control"), "test")

    async def wait() -> None:
        async with acquire(pool) if pooled else pinned.use() as connection:
            await connection.execute("set statement_timeout = 50")
            await connection.execute("select pg_sleep(5)")

    try:
        with pytest.raises(Unavailable, match=r"\(canceling statement due to statement timeout\)") as slow:
            await wait()
        assert slow.value.code == ("query-timeout" if pooled else "busy")
    finally:
        await pool.close()
        await pinned.close()


@dataclass
class Proxy:
    """Passes bytes between clients and PostgreSQL. Once `silent` is set it accepts connections and passes nothing on, as a
    server does that hangs or whose packets are dropped."""

    target: str
    silent: bool = False
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.target)
        if directory := parse_qs(parts.query).get("host"):
            there = await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.{parts.port or 5432}")
        else:
            there = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        await asyncio.gather(self.forward(reader, there[1]), self.forward(there[0], writer))

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.silent:
                    writer.write(data)
        writer.close()

    def dsn(self, dsn: str) -> str:
        parts = urlsplit(dsn)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}", query=""))


@pytest.fixture
async def proxy(database: Any) -> AsyncIterator[Proxy]:
    proxy = Proxy(database.dsn("control"))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()


@pytest.mark.parametrize("in_transaction", [True, False])
@pytest.mark.parametrize("pooled", [True, False])
async def test_a_server_that_hangs_is_a_database_that_does_not_respond(
    database: Any, proxy: Proxy, pooled: bool, in_transaction: bool
) -> None:
    dsn = proxy.dsn(database.dsn("control"))
    pool = await engine.create_pool(dsn, answer_seconds=1)
    pinned = PinnedConnection(dsn, "test", answer_seconds=1)

    def use() -> Any:
        if pooled:
            return transaction(pool) if in_transaction else acquire(pool)
        return pinned.transaction() if in_transaction else pinned.use()

    async def ask() -> object:
        async with use() as connection:
            return await connection.fetchval("select 1")

    async def hang() -> None:
        async with use() as connection:
            await connection.fetchval("select 1")
            proxy.silent = True
            await connection.fetchval("select 2")

    try:
        async with asyncio.timeout(60):
            assert await ask() == 1
            with pytest.raises(Unavailable, match="no response in time"):
                await hang()
            with pytest.raises(Unavailable, match="no response in time"):
                await ask()  # a new connection, to the same server
            proxy.silent = False
            assert await ask() == 1
    finally:
        pool.terminate()
        await pinned.close()


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ledger (id, tenant, lane, state, attempt, provider, at) values (1, 1, 1, 99, 1, 0, 1)",
        "select 1 / 0",
        "select * from no_such_table",
    ],
)
async def test_a_statement_that_fails_by_itself_is_not_a_database_that_is_away(
    database: Any, statement: str
) -> None:
    pinned = PinnedConnection(database.dsn("send"), "test")
    try:
        with pytest.raises(asyncpg.PostgresError):
            async with pinned.use() as connection:
                await connection.execute(statement)
    finally:
        await pinned.close()


@pytest.mark.parametrize("state", ["53100", "58030", "25006", "57P03"])
async def test_a_server_that_cannot_work_is_a_database_that_does_not_respond(
    database: Any, state: str
) -> None:
    pinned = PinnedConnection(database.dsn("control"), "test")
    try:
        with pytest.raises(Unavailable):
            async with pinned.use() as connection:
                await connection.execute(f"do $$ begin raise 'cannot' using errcode = '{state}'; end $$")
    finally:
        await pinned.close()
