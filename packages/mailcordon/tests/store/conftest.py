"""The data plane's stores on a test's own database."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore


@pytest.fixture
async def queue(world: Any) -> AsyncIterator[QueueStore]:
    """A worker's."""
    store = QueueStore(world.database.dsn("send"))
    await store.begin_work()
    yield store
    await store.close()


@pytest.fixture
async def settle(world: Any) -> AsyncIterator[SettleStore]:
    store = SettleStore(world.database.dsn("send"))
    yield store
    await store.close()


@pytest.fixture
async def clearing(world: Any) -> AsyncIterator[ClearingStore]:
    store = ClearingStore(world.database.dsn("send"))
    yield store
    await store.close()


@pytest.fixture
async def pinned(world: Any) -> AsyncIterator[engine.Connection]:
    """A connection as a dispatcher has it."""
    made = PinnedConnection(world.database.dsn("send"), "test")
    async with made.use() as connection:
        yield connection
    await made.close()
