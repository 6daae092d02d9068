"""Frequent statements look up rows by whole keys in the partitions concerned, on empty and on full tables."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import arrays, engine, queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core import ids
from mailcordon_fixtures.plans import plan, rows_read

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
    for shown, tables in ((facts, ["message", "ledger", "send_event", "outcome"]), (locked, ["outcome"])):
        assert "Seq Scan" not in shown
        assert "Bitmap" not in shown
        for table in tables:
            assert len(re.findall(rf"Index.* on {table}_p\d+", shown)) == 1, shown
    assert {"ready_pkey", "waiting_pkey"} <= set(re.findall(r"\w+_pkey", facts))


DAYS = 12
OF_A_DAY = 1400


@pytest.fixture
async def scattered(world: World) -> list[int]:
    """Deliveries of twelve days, each with its rows. Plans are made before there are any."""
    tenant, lane = world.tenants["acme"], world.lanes["acme", "newsletter"]
    first = ids.message_of((await world.sent("acme", "newsletter", "a@example.com")).delivery)
    for day in range(DAYS):
        start = first - day * (86_400_000 << 22)
        for table in ("message", "ledger", "outcome", "event", "send_event"):
            await world.owner.execute("select make_partition($1, day_of($2))", table, start)
        place = f"generate_series({start} + 64, {start} + 64 * {OF_A_DAY}, 64) m"
        await world.owner.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            f" select m, $1, $2, 'shared', 'x@x.example', '{{a@x.example}}', 1, 1 from {place}",
            tenant,
            lane,
        )
        await world.owner.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)"
            f" select m + 1, $1, $2, 20, 1, 0, 'x', 1, 1 from {place}",
            tenant,
            lane,
        )
        await world.owner.execute(
            "insert into outcome (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id)"
            f" select m + 1, $1, $2, 0, 1, 20, 1, 1, 1, 'x' from {place}",
            tenant,
            lane,
        )
    ids_ = [row[0] for row in await world.rows("select id from outcome order by id")]
    return ids_[:: len(ids_) // 40]


def arguments(statement: str, scattered: list[int], lane: int) -> tuple[str, list[object]]:
    """Types and values for a batch about these deliveries."""
    n = len(scattered)
    every = arrays.integers(scattered)
    ones = arrays.integers([1] * n)
    words = arrays.texts(["x"] * n)
    first, last = ids.message_of(scattered[0]), scattered[-1]
    match statement:
        case "facts":
            return "text, text, bigint, bigint", [every, arrays.integers([lane] * n), first, last]
        case "lock_outcomes":
            return "text, bigint, bigint", [every, first, last]
        case "lock_deliveries":
            return "text", [every]
        case "record_sends":
            return "text, text, text, text", [every, ones, words, ones]
        case "update_outcomes":
            columns = [every, ones, ones, ones, ones, arrays.integers([23] * n), ones, ones, ones]
            return ", ".join(["text"] * 14), [*columns, words, words, words, ones, ones]
        case "record":
            keys = arrays.digests([b"k"] * n)
            events = [every, keys, ones, ones, ones, ones, ones, words, arrays.texts(["{}"] * n)]
            columns = [every, ones, ones, ones, ones, arrays.integers([23] * n), ones, ones, ones]
            outcomes = [*columns, words, words, words, ones, ones]
            return ", ".join(["text"] * 23 + ["int"] * 2), [*events, *outcomes, n, n]
        case _:
            raise ValueError(statement)


@pytest.mark.parametrize("planned", ["empty", "full"])
@pytest.mark.parametrize("statement", ["facts", "lock_outcomes", "update_outcomes", "record_sends", "record"])
async def test_late_events_of_many_days_read_only_their_own_rows(
    world: World, connection: engine.Connection, scattered: list[int], statement: str, planned: str
) -> None:
    """Whatever lies between the first and the last of them. Late opens, clicks and bounces are such batches."""
    if planned == "full":
        await world.owner.execute("analyze message; analyze ledger; analyze outcome")
    types, values = arguments(statement, scattered, world.lanes["acme", "newsletter"])
    read = await rows_read(connection, _SQL[statement], types, *values)
    tables = {"facts": 6, "lock_outcomes": 1, "update_outcomes": 1, "record_sends": 1, "record": 2}
    assert read <= tables[statement] * len(scattered) + DAYS


async def test_functions_of_the_observer_read_only_the_rows_of_their_deliveries(
    world: World, connection: engine.Connection, scattered: list[int]
) -> None:
    """What they read shows in the statistics of the session, since EXPLAIN does not look into them."""
    for call, tables in (("select * from ledger_locked($1)", 1), ("select count_finished($1)", 3)):
        transaction = connection.transaction()
        await transaction.start()
        before = await fetched(connection)
        await connection.execute(call, scattered)
        entries_and_rows = 2 * tables * len(scattered)
        assert await fetched(connection) - before <= entries_and_rows, call
        await transaction.rollback()


async def test_a_fold_finds_each_slice_and_cohort_by_its_key(world: World) -> None:
    """On a plan that was made before there were any; with many campaigns of one lane."""
    lane, n = world.lanes["acme", "newsletter"], 300
    await world.cohorts.add(lane, sent=1)
    for minute in range(3):
        await world.owner.execute(
            "insert into cohort_change (tenant, lane, minute, path, campaign, provider, domain, counts)"
            " select $1, $2, now_ms() / 60000 - $3::int, 'shared', 'c' || m, m % 3 - 1, 'd' || m || '.example', '{1, 0, 0, 1}'"
            " from generate_series(1, $4::int) m",
            world.tenants["acme"],
            lane,
            minute,
            n,
        )
        transaction = world.owner.transaction()
        await transaction.start()
        before = await read_of_counts(world)
        assert await world.owner.fetchval("select fold_cohorts(10000)") == n
        assert await read_of_counts(world) - before < 40 * n
        await transaction.commit()


async def read_of_counts(world: World) -> int:
    """Rows of counts, and entries of their indexes, that this transaction has read."""
    return await world.owner.fetchval(
        "select coalesce(sum(pg_stat_get_xact_tuples_returned(c.oid)), 0)::int from pg_class c"
        " where c.relname ~ '^(slice|cohort_)'"
    )


async def fetched(connection: engine.Connection) -> int:
    """Rows of mail, and entries of their indexes, that this transaction has read."""
    return await connection.fetchval(
        "select coalesce(sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)), 0)::int"
        " from pg_class c where c.relname ~ '^(message|ledger|outcome)_'"
    )
