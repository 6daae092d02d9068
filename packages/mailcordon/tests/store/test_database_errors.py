"""A database that does not respond and one that is busy are told apart, in words for the caller."""

from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.connection_pool import acquire
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
async def test_a_statement_that_takes_too_long_is_a_busy_database(database: Any, pooled: bool) -> None:
    pool = await engine.create_pool(database.dsn("control"))
    pinned = PinnedConnection(database.dsn("control"), "test")

    async def wait() -> None:
        async with acquire(pool) if pooled else pinned.use() as connection:
            await connection.execute("set statement_timeout = 50")
            await connection.execute("select pg_sleep(5)")

    try:
        with pytest.raises(Unavailable, match=r"too busy \(canceling statement due to") as busy:
            await wait()
        assert busy.value.code == "busy"
    finally:
        await pool.close()
        await pinned.close()
