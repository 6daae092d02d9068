"""A dispatcher that is suspended while it holds a lock keeps the others from nothing for long."""

import asyncio
from typing import Any

from mailcordon.adapters.db import clearing_store, engine
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.send.ports import Settled

IDLE = 0.5  #: seconds until the server ends an idle session


class FrozenSettleStore(SettleStore):
    """Stops between two statements of a round, with the lock, until it is thawed."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, idle_seconds=IDLE)
        self.locked, self.thawed = asyncio.Event(), asyncio.Event()

    async def _round(self, connection: engine.Connection) -> Settled:
        self.locked.set()
        await self.thawed.wait()
        return await super()._round(connection)


async def one_waits(world: Any) -> None:
    """Something for a round to look at."""
    lane = await world.lane("acme", "newsletter")
    await world.connection.execute(
        "insert into waiting (lane, id, tenant, why, until, attempt, hash, reason, code, since) "
        "select $1, 1::bigint << 60, tenant, 1, now_ms() + 60000, 1, '\\x00', 'x', 'retry', 0 from lane where id = $1",
        lane,
    )


async def test_another_dispatcher_settles_once_the_session_of_a_frozen_one_was_idle_too_long(
    world: Any,
) -> None:
    await one_waits(world)
    frozen, other = FrozenSettleStore(world.database.dsn("send")), SettleStore(world.database.dsn("send"))
    round_ = asyncio.create_task(frozen.settle())
    try:
        await frozen.locked.wait()
        async with asyncio.timeout(60):
            while await other.settle() is None:
                await asyncio.sleep(0.05)
        frozen.thawed.set()
        assert await round_ is None, "it lost the lock, and that is no outage"
        assert await frozen.settle() is not None, "it connects again"
    finally:
        round_.cancel()
        await frozen.close()
        await other.close()


async def test_what_a_frozen_dispatcher_parks_and_expires_another_does_after_the_same_time(
    world: Any,
) -> None:
    lane = await world.lane("acme", "password-reset", expiry_ms=1_000)
    await world.connection.execute(
        "insert into ready (lane, id, tenant, hash) select id, first_id_at(now_ms() - 60000) + 1, tenant, '\\x00' from lane"
        " where id = $1",
        lane,
    )
    frozen = ClearingStore(world.database.dsn("send"), idle_seconds=IDLE)
    other = ClearingStore(world.database.dsn("send"))
    locked, thawed = asyncio.Event(), asyncio.Event()
    expire_ready = frozen._isolating.fetch

    async def freeze(connection: engine.Connection, statement: str, most: int) -> list[Any]:
        locked.set()
        await thawed.wait()
        return await expire_ready(connection, statement, most)

    frozen._isolating.fetch = freeze
    expiring = asyncio.create_task(frozen.expire())
    try:
        await locked.wait()
        async with asyncio.timeout(60):
            while True:
                async with other._connection.locked(clearing_store._LOCK) as connection:
                    if connection is not None:
                        break
                await asyncio.sleep(0.05)
        await world.connection.execute("delete from ready")
        thawed.set()
        assert await expiring == 0
        assert await frozen.expire() == 0
        assert await frozen.give_back() == 0
    finally:
        expiring.cancel()
        await frozen.close()
        await other.close()


async def test_a_session_that_ended_between_two_rounds_is_opened_again(world: Any) -> None:
    await one_waits(world)
    store = SettleStore(world.database.dsn("send"), idle_seconds=0.1)
    try:
        assert await store.settle() is not None
        async with asyncio.timeout(60):
            while await world.count(
                "pg_stat_activity", "datname = current_database() and application_name = 'mailcordon settle'"
            ):
                await asyncio.sleep(0.05)
        assert await store.settle() is not None or await store.settle() is not None
    finally:
        await store.close()
