"""What `doctor` and the status are told about sizes and partitions."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from mailcordon.adapters.db import engine, storage_reader
from mailcordon.control.retention import DAILY


@pytest.fixture
async def control(world: Any) -> AsyncIterator[engine.Connection]:
    connection = await engine.connect(world.database.dsn("control"))
    yield connection
    await connection.close()


async def test_days_left_are_those_of_the_table_with_the_fewest(
    world: Any, control: engine.Connection
) -> None:
    found = await storage_reader.storage(control)
    assert (found.days_left, found.oldest_day) == (1, found.today - timedelta(days=1))
    await world.connection.execute(f"drop table note_p{found.today + timedelta(days=1):%Y%m%d}")
    assert (await storage_reader.storage(control)).days_left == 0
    await world.connection.execute("select make_partition('content', $1)", found.today - timedelta(days=30))
    assert (await storage_reader.storage(control)).oldest_day == found.today - timedelta(days=30)
    for n in (-1, 0):
        await world.connection.execute(f"drop table note_p{found.today + timedelta(days=n):%Y%m%d}")
    assert (await storage_reader.storage(control)).days_left is None


async def test_a_table_is_as_large_as_all_its_partitions(world: Any, control: engine.Connection) -> None:
    found = await storage_reader.storage(control)
    assert found.bytes == await world.connection.fetchval(
        "select sum(pg_total_relation_size(oid)) from pg_class"
        " where relkind = 'r' and relnamespace = 'mailcordon'::regnamespace"
    )
    names = [each.table for each in found.tables]
    assert {*DAILY, "ready", "idempotency", "urgent_content", "suppression"} <= set(names)
    assert not any("_p2" in name or name.endswith("_default") for name in names)
    await world.connection.execute(
        "insert into content select ((now_ms() - 1767225600000) << 22) + n, repeat('x', 4000)::bytea"
        " from generate_series(1, 1000) n"
    )
    (largest, *_) = (await storage_reader.storage(control)).tables
    assert largest.table == "content"
    assert 4_000_000 < largest.bytes < 12_000_000


async def test_rows_in_default_partitions_are_counted_up_to_a_limit(
    world: Any, control: engine.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await storage_reader.storage(control)).in_default == 0
    await world.connection.execute(
        "insert into content select ((now_ms() - 1767225600000 - 86400000 * 9) << 22) + n, 'x' from generate_series(1, 7) n"
    )
    assert (await storage_reader.storage(control)).in_default == 7
    monkeypatch.setattr(storage_reader, "MOST_COUNTED", 5)
    assert (await storage_reader.storage(control)).in_default == 5
