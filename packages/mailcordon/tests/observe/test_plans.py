"""Frequent statements look up rows by whole keys in the partitions concerned, on empty and on full tables."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import arrays, engine, queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon_fixtures.plans import plan

from .conftest import World

_SQL = queries.load("observe_store.sql")


@pytest.fixture
async def connection(world: World, database: Any) -> AsyncIterator[engine.Connection]:
    """A connection as the pipeline has it, with pinned plans."""
    pinned = PinnedConnection(database.dsn("observe"), "test")
    async with pinned.use() as made:
        yield made
    await pinned.close()


async def filled(world: World) -> None:
    """Enough rows in two partitions that a scan would be slow."""
    tenant, lane = world.tenants["acme"], world.lanes["acme", "newsletter"]
    first = (await world.sent("acme", "newsletter", "a@example.com")).delivery
    for day in (0, 1):
        start = first + 64 - day * (86_400_000 << 22)
        await world.owner.execute(
            "insert into message select $1::bigint + n * 64, $2, $3, 'shared', 'x@x.example', '{a@x.example}', null, null, 1, 1"
            " from generate_series(0, 20000) n",
            start & ~63,
            tenant,
            lane,
        )
        await world.owner.execute(
            "insert into ledger select $1::bigint + n * 64, $2, $3, 20, 1, 0, 'x', 1, 1 from generate_series(0, 20000) n",
            start,
            tenant,
            lane,
        )
        await world.owner.execute(
            "insert into outcome select $1::bigint + n * 64, $2, $3, 20, 1, 1, 1, 'x', null, null, 0, 1"
            " from generate_series(0, 20000) n",
            start,
            tenant,
            lane,
        )
    await world.owner.execute("analyze message; analyze ledger; analyze outcome")


@pytest.mark.parametrize("full", [False, True])
async def test_facts_and_outcomes_are_looked_up_in_their_own_day(
    world: World, connection: engine.Connection, full: bool
) -> None:
    delivery = (await world.sent("acme", "newsletter", "kim@example.com")).delivery
    if full:
        await filled(world)
    one = arrays.mixed([delivery])
    facts = await plan(
        connection, _SQL.facts, "text, text, bigint, bigint", one, "{1}", delivery - 1, delivery
    )
    locked = await plan(connection, _SQL.lock_outcomes, "text, bigint, bigint", one, delivery, delivery)
    for shown, tables in ((facts, ["message", "ledger", "send_event"]), (locked, ["outcome"])):
        assert "Seq Scan" not in shown
        assert "Bitmap" not in shown
        for table in tables:
            assert len(re.findall(rf"Index.* on {table}_p\d+", shown)) == 1, shown
    assert {"ready_pkey", "waiting_pkey"} <= set(re.findall(r"\w+_pkey", facts))
