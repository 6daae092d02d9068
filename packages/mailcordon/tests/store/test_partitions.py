"""Each partition of the database is one day of ids, or of the minutes or hours that are counted."""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, migrate, queries, roles, upkeep_store
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control.upkeep import Upkeep
from mailcordon.core import ids
from mailcordon.core.errors import Unavailable

COUNTS = {"cohort_minute": 60, "cohort_hour": 3600}  #: seconds of a unit of the key
PARENTS = ("message", "content", "recipient", "ledger", "event", "outcome", "note", "send_event")
_BOUNDS = re.compile(r"FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")


@pytest.fixture
async def connection(shipped_database: Any) -> AsyncIterator[engine.Connection]:
    connection = await engine.connect(shipped_database.dsn("owner"))
    yield connection
    await connection.close()


async def test_each_partition_holds_exactly_the_ids_of_its_day(connection: engine.Connection) -> None:
    rows = await connection.fetch(
        "select c.relname, p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bounds "
        "from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent "
        "join pg_partitioned_table t on t.partrelid = p.oid and t.partstrat = 'r' "
        "where c.relkind = 'r' and c.relname <> p.relname || '_default'"
    )
    assert {row["parent"] for row in rows} == {*PARENTS, *COUNTS}
    for row in rows:
        day = datetime.strptime(row["relname"].removeprefix(f"{row['parent']}_p"), "%Y%m%d").replace(
            tzinfo=UTC
        )
        low, high = (int(bound) for bound in _BOUNDS.findall(row["bounds"])[0])
        bounds = [_ms(day), _ms(day + timedelta(days=1))]
        unit = COUNTS.get(row["parent"])
        assert [low, high] == [ids.first_of(ms) if unit is None else ms // (unit * 1000) for ms in bounds]


async def test_two_weeks_of_partitions_exist_ahead_for_every_parent(connection: engine.Connection) -> None:
    now = await connection.fetchval("select now_ms()")
    for days in range(14):
        id = ids.IdGenerator(127).next(now + days * 86_400_000)
        for parent in (*PARENTS, *COUNTS):
            name = f"{parent}_p{datetime.fromtimestamp(ids.ms_of(id) / 1000, UTC):%Y%m%d}"
            assert await connection.fetchval("select to_regclass($1)::text", name) == name


async def test_creating_partitions_twice_changes_nothing(connection: engine.Connection) -> None:
    assert await connection.fetchval("select ensure_partitions(14)") == 0


def _ms(day: datetime) -> int:
    return int(day.timestamp() * 1000)


async def test_mail_of_a_day_without_partitions_is_stored_and_moves_into_them_when_they_are_made(
    world: Any,
) -> None:
    lane = await world.lane("acme", "password-reset")
    tenant = await world.connection.fetchval("select id from tenant")
    today = await world.connection.fetchval("select day_of((now_ms() - 1767225600000) << 22)")
    for parent in PARENTS:
        await world.connection.execute(f"drop table {parent}_p{today:%Y%m%d}")
    id = await world.connection.fetchval("select (now_ms() - 1767225600000) << 22")
    yesterday = id - (86_400_000 << 22)
    send = await engine.connect(world.database.dsn("send"))
    observe = await engine.connect(world.database.dsn("observe"))
    for n in (id, yesterday):
        await send.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " values ($1, $2, $3, 'isolated', 'f', '{a}', 1, 1)",
            n, tenant, lane,
        )  # fmt: skip
        await send.execute("insert into content values ($1, 'x')", n)
        await send.execute("insert into recipient values ($2, 'h', $1)", n + 1, tenant)
        await send.execute(
            "insert into note (id, tenant, at, what, attempt, detail) values ($1, $2, 0, 'retry', 1, '')",
            n + 1, tenant,
        )  # fmt: skip
        await send.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, at) values ($1, $2, $3, 20, 1, 0, 0)",
            n + 1, tenant, lane,
        )  # fmt: skip
        await observe.execute(
            "insert into event values ($1, 'k', $2, $3, 1, 1, 0, 's', '{}')", n + 1, tenant, lane
        )
        await observe.execute(
            "insert into outcome (id, tenant, lane, state, at, kinds, attempt, ses_id, provider, left_at)"
            " values ($1, $2, $3, 21, 0, 1, 1, 's', 0, 0)",
            n + 1, tenant, lane,
        )  # fmt: skip
        await observe.execute("insert into send_event values ($1, 1, 's', 0)", n + 1)
    async with await engine.create_pool(world.database.dsn("control")) as control:
        house = Upkeep(UpkeepStore(control), None, None, cell="default")  # type: ignore[arg-type]
        rows = await control.fetch("select * from rows_in_default(10)")
        assert {row["parent"]: row["rows"] for row in rows} == dict.fromkeys(PARENTS, 1) | dict.fromkeys(
            COUNTS, 0
        )
        assert (
            await house.make_partitions() == len(PARENTS) * 13 + len(COUNTS) * 12
        )  # the template's end with tomorrow's
        assert sum(row["rows"] for row in await control.fetch("select * from rows_in_default(10)")) == 0
        assert await house.make_partitions() == 0
    for parent in PARENTS:
        found = await world.connection.fetch(f"select tableoid::regclass::text as name from {parent}")
        names = {row["name"] for row in found}
        assert len(found) == 2
        assert f"{parent}_p{today:%Y%m%d}" in names
        assert f"{parent}_default" not in names
    await send.close()
    await observe.close()


async def test_a_made_partition_is_like_those_of_the_first_migration(connection: engine.Connection) -> None:
    later = datetime.now(UTC).date() + timedelta(days=30)
    for parent in (*PARENTS, *COUNTS):
        assert await connection.fetchval("select make_partition($1, $2)", parent, later)
        like = {
            name: await connection.fetchrow(
                "select c.reloptions, (select array_agg(contype::text || pg_get_constraintdef(k.oid) order by contype, conname)"
                " from pg_constraint k where k.conrelid = c.oid and contype <> 'n') as constraints,"
                " (select array_agg(d.made order by d.made) from (select regexp_replace(pg_get_indexdef(i.indexrelid),"
                " '_p\\d{8}', '', 'g') as made from pg_index i where i.indrelid = c.oid) d) as indexes,"
                " (select array_agg(attname || attstorage::text || attnotnull::text order by attnum) from pg_attribute"
                " where attrelid = c.oid and attnum > 0) as columns"
                " from pg_class c where c.oid = $1::text::regclass",
                name,
            )
            for name in (f"{parent}_p{later:%Y%m%d}", f"{parent}_p{datetime.now(UTC):%Y%m%d}")
        }
        first, second = like.values()
        assert first == second, parent


async def test_a_partition_is_made_later_while_others_read_the_rows_that_it_would_move(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_store, "_LOCK_ATTEMPTS", 1)
    reader = await engine.connect(world.database.dsn("owner"))
    async with await engine.create_pool(world.database.dsn("control")) as control:
        house = Upkeep(UpkeepStore(control), None, None, cell="default")  # type: ignore[arg-type]
        await house.make_partitions()
        newest = await world.connection.fetchval(
            "select max(c.relname) from pg_class c where relname ~ '^ledger_p[0-9]{8}$'"
        )
        await world.connection.execute(f"drop table {newest}")
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("select from ledger")
        with pytest.raises(Unavailable, match="1 partition left"):
            await house.make_partitions()
        await transaction.rollback()
        assert await house.make_partitions() == 1
    await reader.close()


async def test_making_and_dropping_wait_at_most_half_a_second_for_their_locks(
    connection: engine.Connection,
) -> None:
    """Whoever uses the table queues behind them, so accept and claims would wait as long."""
    rows = await connection.fetch(
        "select proname, array_to_string(proconfig, ' ') as config from pg_proc where proname in ('make_partition', 'drop_day')"
    )
    assert len(rows) == 2
    assert all("lock_timeout=500ms" in row["config"] for row in rows)


async def test_a_move_of_many_rows_may_take_longer_than_other_transactions(world: Any) -> None:
    async with await engine.create_pool(world.database.dsn("control")) as control, control.acquire() as one:
        limits = "select current_setting('statement_timeout') || ' ' || current_setting('transaction_timeout', true)"
        before = await one.fetchval(limits)
        async with one.transaction():
            await one.execute(queries.load("upkeep_store.sql").allow_long_statement)
            assert await one.fetchval(limits) in ("10min 0", None), (
                "before PostgreSQL 17 there is only the first"
            )
            assert await one.fetchval("show statement_timeout") == "10min"
        assert await one.fetchval(limits) == before


async def test_notes_and_send_events_of_older_versions_are_kept_and_move_into_their_days(
    postgres: Any, tmp_path: Path
) -> None:
    name = f"mct_old_{secrets.token_hex(4)}"
    dsn = postgres.database_dsn(name)
    shipped = migrate.shipped_migrations()
    older = [each for each in shipped if each.name < "0008"]

    async def run(migrations: list[migrate.Migration]) -> dict[str, str]:
        made = await migrate.migrate(dsn, home=tmp_path, say=lambda _: None, migrations=migrations)
        return made.dsns

    try:
        await run(older)
        owner = await engine.connect(dsn)
        now = await owner.fetchval("select now_ms()")
        written = [ids.first_of(now - days * 86_400_000) + 1 for days in (0, 1, 5, 200)]
        for id in written:
            await owner.execute(
                "insert into note (id, tenant, at, what, attempt, detail) values ($1, 3, 0, 'retry', 1, 'x')",
                id,
            )
            await owner.execute("insert into send_event values ($1, 1, 's', 0)", id)
        dsns = await run(shipped)
        assert await owner.fetchval("select array_agg(id order by seq) from note") == written
        assert await owner.fetchval("select array_agg(delivery order by delivery) from send_event") == sorted(
            written
        )
        assert await owner.fetchval("select sum(rows) from rows_in_default(10)") == 0
        send = await engine.connect(dsns["send"])
        await send.execute(
            "insert into note (id, tenant, at, what, attempt, detail) values ($1, 3, 0, 'resend', 1, '')",
            written[0],
        )
        assert await owner.fetchval("select what from note order by seq desc limit 1") == "resend"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await send.execute("select from note_default")
        reader = await engine.connect(dsns["reader"])
        assert await reader.fetchval("select count(*) from note") == 0
        async with reader.transaction():
            await reader.execute("set local mailcordon.tenant = '3'")
            assert await reader.fetchval("select count(*) from note") == 5
        for each in (owner, send, reader):
            await each.close()
    finally:
        admin = await asyncpg.connect(postgres.dsn)
        await admin.execute(f"drop database if exists {name} with (force)")
        for role in roles.role_names(name).values():
            await admin.execute(f"drop role if exists {role}")
        await admin.close()
