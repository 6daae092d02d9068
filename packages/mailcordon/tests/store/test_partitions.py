"""Each partition of the database is one day of ids."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.core import ids

PARENTS = ("message", "content", "recipient", "ledger", "event", "outcome")
_BOUNDS = re.compile(r"FROM \('(-?\d+)'\) TO \('(-?\d+)'\)")


@pytest.fixture
async def connection(shipped_database: Any) -> AsyncIterator[engine.Connection]:
    connection = await engine.connect(shipped_database.dsn("owner"))
    yield connection
    await connection.close()


async def test_each_partition_holds_exactly_the_ids_of_its_day(connection: engine.Connection) -> None:
    rows = await connection.fetch(
        "select c.relname, p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bounds "
        "from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent "
        "where p.relkind = 'p' and c.relkind = 'r'"
    )
    assert {row["parent"] for row in rows} == set(PARENTS)
    for row in rows:
        day = datetime.strptime(row["relname"].removeprefix(f"{row['parent']}_p"), "%Y%m%d").replace(
            tzinfo=UTC
        )
        low, high = (int(bound) for bound in _BOUNDS.findall(row["bounds"])[0])
        assert low == ids.first_of(_ms(day))
        assert high == ids.first_of(_ms(day + timedelta(days=1)))


async def test_two_weeks_of_partitions_exist_ahead_for_every_parent(connection: engine.Connection) -> None:
    now = await connection.fetchval("select now_ms()")
    for days in range(14):
        id = ids.IdGenerator(127).next(now + days * 86_400_000)
        for parent in PARENTS:
            name = f"{parent}_p{datetime.fromtimestamp(ids.ms_of(id) / 1000, UTC):%Y%m%d}"
            assert await connection.fetchval("select to_regclass($1)::text", name) == name


async def test_creating_partitions_twice_changes_nothing(connection: engine.Connection) -> None:
    assert await connection.fetchval("select ensure_partitions(14)") == 0


def _ms(day: datetime) -> int:
    return int(day.timestamp() * 1000)
