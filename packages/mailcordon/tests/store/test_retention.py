"""What is past its retention is dropped or deleted, however much of it there is, and nothing that is still needed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, upkeep_store
from mailcordon.adapters.db.accept_store import NODE_LOCK
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control import retention, upkeep
from mailcordon.control.retention import TableDay
from mailcordon.control.upkeep import Dropped, Upkeep
from mailcordon.core import ids
from mailcordon.core.errors import Unavailable
from mailcordon_fixtures.cohorts import Cohorts

HOUR = 3_600_000
DAY = 24 * HOUR
RECORDS = ("message", "recipient", "ledger", "event", "outcome", "note", "send_event")


class House:
    """A database with mail of many days in it, and its upkeep."""

    def __init__(self, world: Any, control: engine.Pool, now: int) -> None:
        self.world = world
        self.owner: engine.Connection = world.connection
        self.store = UpkeepStore(control)
        self.upkeep = Upkeep(self.store, None, None, cell="default")  # type: ignore[arg-type]
        self.now = now
        self.tenant = 0
        self.lanes: dict[str, int] = {}

    def day(self, days_ago: int) -> date:
        return date(1970, 1, 1) + timedelta(milliseconds=self.now) - timedelta(days=days_ago)

    async def make_days(self, *days_ago: int) -> None:
        for n in days_ago:
            for table in retention.DAILY:
                await self.owner.execute("select make_partition($1, $2)", table, self.day(n))

    async def mail(self, age_ms: float, type: str = "newsletter", *, queued: str | None = None) -> int:
        """A message with one delivery and a row in every table. `queued`: in which queue it still is."""
        id, lane = ids.first_of(int(self.now - age_ms)), self.lanes[type]
        row = (id + 1, self.tenant, lane)
        insert = self.owner.execute
        await insert(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " values ($1, $2, $3, 'isolated', 'f', '{a}', 1, 1)",
            id, self.tenant, lane,
        )  # fmt: skip
        body = "urgent_content" if type == "password-reset" else "content"
        await insert(f"insert into {body} (id, body) values ($1, 'x')", id)
        await insert("insert into recipient values ($2, 'h', $1)", id + 1, self.tenant)
        await insert("insert into idempotency values ($2, $3, 'b', $1)", id, self.tenant, str(id).encode())
        if queued == "ready":
            await insert("insert into ready (id, tenant, lane, hash) values ($1, $2, $3, 'h')", *row)
            return id
        if queued == "waiting":
            await insert(
                "insert into waiting (id, tenant, lane, why, attempt, hash, reason, code, since)"
                " values ($1, $2, $3, 1, 1, 'h', '', 'retry', 0)",
                *row,
            )
            return id
        await insert(
            "insert into ledger (id, tenant, lane, state, attempt, provider, at)"
            " values ($1, $2, $3, 20, 1, 0, 0)",
            *row,
        )
        await insert("insert into event values ($1, 'k', $2, $3, 1, 1, 0, 's', '{}')", *row)
        await insert(
            "insert into outcome (id, tenant, lane, state, at, kinds, attempt, ses_id, provider, left_at)"
            " values ($1, $2, $3, 21, 0, 1, 1, 's', 0, 0)",
            *row,
        )
        await insert(
            "insert into note (id, tenant, at, what, attempt, detail) values ($1, $2, 0, 'retry', 1, '')",
            *row[:2],
        )
        await insert("insert into send_event values ($1, 1, 's', 0)", id + 1)
        return id

    async def kept(self, table: str, column: str = "id") -> set[int]:
        rows = await self.owner.fetch(f"select {column} & ~63::bigint as message from {table}")
        return {row["message"] for row in rows}

    async def backlog(self, lane: int) -> tuple[int, int]:
        row = await self.owner.fetchrow(
            "select (select coalesce(sum(deliveries), 0) from lane_intake where lane = $1)"
            " - (select coalesce(sum(deliveries), 0) from lane_finished where lane = $1) as deliveries,"
            " (select coalesce(sum(bytes), 0) from lane_intake where lane = $1)"
            " - (select coalesce(sum(bytes), 0) from lane_finished where lane = $1) as bytes",
            lane,
        )
        assert row is not None
        return int(row["deliveries"]), int(row["bytes"])


@pytest.fixture
async def house(world: Any) -> AsyncIterator[House]:
    async with await engine.create_pool(world.database.dsn("control")) as control:
        house = House(world, control, await world.connection.fetchval("select now_ms()"))
        for type in ("newsletter", "password-reset"):
            house.lanes[type] = await world.lane("acme", type)
        for n in (2, 3):  # control has run for days
            await world.connection.execute("select make_partition('message', $1)", house.day(n))
        house.tenant = await world.connection.fetchval("select id from tenant")
        yield house


async def test_bodies_are_dropped_after_seven_days_and_records_after_ninety(house: House) -> None:
    ages = (0, 7, 8, 90, 91)
    await house.make_days(*ages[1:])
    mails = {age: await house.mail(age * DAY) for age in ages}
    # Bodies of three days, records of one, counts by minute of two and by hour of one.
    assert await house.upkeep.drop_expired_days() == 3 + len(RECORDS) + 2 + 1
    assert await house.kept("content") == {mails[0], mails[7]}
    for table in RECORDS:
        column = "delivery" if table in ("event", "send_event") else "id"
        assert await house.kept(table, column) == {mails[n] for n in (0, 7, 8, 90)}, table


@pytest.mark.parametrize("queue", ["ready", "waiting"])
async def test_a_day_stays_while_a_queue_holds_mail_of_it_and_goes_afterwards(
    house: House, queue: str
) -> None:
    await house.make_days(100, 101)
    held = await house.mail(100 * DAY, queued=queue)
    await house.mail(101 * DAY)
    of_mail = retention.DAILY - retention.COUNTS
    assert await house.upkeep.drop_expired_days() == len(of_mail) + 2 * len(retention.COUNTS)
    assert await house.kept("message") == await house.kept("content") == {held}
    await house.owner.execute(f"delete from {queue}")
    assert await house.upkeep.drop_expired_days() == len(of_mail)
    assert await house.kept("message") == set()


async def test_no_day_of_mail_that_may_not_have_expired_can_be_dropped(house: House) -> None:
    await house.owner.execute(
        "update lane set expiry_ms = $1 where id = $2", 30 * DAY, house.lanes["newsletter"]
    )
    await house.make_days(31, 33)
    for days_ago in (0, 31):
        with pytest.raises(asyncpg.InvalidParameterValueError, match="may not have expired"):
            await house.store.drop_day(TableDay(house.day(days_ago), "message"))
    assert await house.store.drop_day(TableDay(house.day(33), "message")) is Dropped.GONE


async def test_nothing_is_dropped_while_the_clock_may_have_stepped_ahead(house: House) -> None:
    await house.make_days(100)
    await house.mail(100 * DAY)
    await house.owner.execute(f"drop table message_p{house.day(3):%Y%m%d}")
    with pytest.raises(Unavailable, match="the clock is wrong"):
        await house.upkeep.drop_expired_days()
    assert await house.owner.fetchval("select count(*) from message") == 1
    await house.owner.execute("select make_partition('message', $1)", house.day(3))
    assert await house.upkeep.drop_expired_days() == len(retention.DAILY)


async def test_only_control_may_drop_and_only_by_day(house: House) -> None:
    for role in ("send", "observe", "governor", "reader"):
        other = await engine.connect(house.world.database.dsn(role))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.fetchval("select drop_day('message', '2026-01-01')")
        await other.close()
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await house.store.drop_day(TableDay(date(2026, 1, 1), "suppression"))
    control = await engine.connect(house.world.database.dsn("control"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await control.execute("drop table message_default")
    await control.close()


async def test_a_table_that_is_read_all_the_time_is_left_to_the_next_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_store, "_LOCK_ATTEMPTS", 1)
    await house.make_days(100)
    await house.mail(100 * DAY)
    reader = await engine.connect(house.world.database.dsn("owner"))
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("select from ledger")
    with pytest.raises(Unavailable, match="1 partition left"):
        await house.upkeep.drop_expired_days()
    assert await house.owner.fetchval("select count(*) from ledger") == 1
    await transaction.rollback()
    await reader.close()
    assert await house.upkeep.drop_expired_days() == 1


async def test_rows_past_retention_in_a_default_partition_are_deleted(house: House) -> None:
    await house.mail(100 * DAY)
    young = await house.mail(3 * DAY)
    assert await house.upkeep.drop_expired_days() == len(retention.DAILY - retention.COUNTS)
    assert await house.kept("message") == await house.kept("note") == {young}


async def test_one_run_deletes_everything_that_is_due_however_many_batches_that_takes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PURGE_BATCH", 10)
    old = ids.first_of(house.now - 2 * DAY)
    await house.owner.execute(
        "insert into idempotency select $1, int8send($2::bigint + n * 64), 'b', $2::bigint + n * 64"
        " from generate_series(1, 95) n",
        house.tenant,
        old,
    )
    await house.owner.execute(
        "insert into cohort_day (day, lane, provider, tenant, sent)"
        " select $1::int - n, l, p, $2, 1 from generate_series(1090, 1102) n, generate_series(0, 2) p, unnest($3::int[]) l",
        house.now // DAY,
        house.tenant,
        list(house.lanes.values()),
    )
    await house.owner.execute(
        "insert into cohort_bounce_domain select $1::int - n * 1440, 1, n, 1 from generate_series(5, 40) n",
        house.now // 60_000,
    )
    await house.owner.execute(
        "insert into cohort_feed select n, $1::bigint - (40 - n) * 3600000::bigint, 0, 0, 0, '{1}' from generate_series(1, 40) n",
        house.now,
    )
    await house.owner.execute(
        "insert into quarantine (digest, why, detail, document, source, last_received_at)"
        " select int4send(n), 'malformed', '', '', '', now() - make_interval(days => n) from generate_series(80, 130) n"
    )
    await house.owner.execute(
        "insert into ses_notice (digest, what, document, last_received_at)"
        " select int4send(n), '', '', now() - make_interval(days => n) from generate_series(80, 130) n"
    )
    await house.owner.execute(
        "insert into elsewhere select 'there', current_date - n, 1, 1 from generate_series(80, 130) n"
    )
    await house.owner.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at, ended_at, ended_by)"
        " select 'cell', 'default', 'outage', 'x', false, 0, 0, 0, e, case when e is not null then 'x' end"
        " from (select $1::bigint - n * 86400000::bigint as e from generate_series(80, 130) n union all select null) x",
        house.now,
    )
    await house.owner.execute(
        "insert into route_before select lane, 'isolated', 'old', $2::bigint - n * 86400000::bigint"
        " from generate_series(80, 130) n, unnest($1::int[]) lane",
        list(house.lanes.values()),
        house.now,
    )
    await house.owner.execute(
        "insert into waiting (id, tenant, lane, why, attempt, called_at, hash, reason, code, since)"
        " values (1, $1, $2, 2, 1, 0, 'h', '', 'outcome-unknown', 0)",
        house.tenant,
        house.lanes["newsletter"],
    )
    fresh = await house.mail(23 * HOUR)
    await house.upkeep.purge()
    await house.upkeep.purge_old_rows()
    assert await house.kept("idempotency", "message") == {fresh}
    days = await house.owner.fetchval("select count(*) from cohort_day")
    assert days == 7 * 3 * len(house.lanes)
    assert await house.owner.fetchval("select count(*) from cohort_bounce_domain") == 10
    assert await house.owner.fetchval("select count(*) from cohort_feed") == 24
    assert await house.owner.fetchval("select count(*) from quarantine") == 10
    assert await house.owner.fetchval("select count(*) from ses_notice") == 10
    assert await house.owner.fetchval("select count(*) from elsewhere") == 11
    assert await house.owner.fetchval("select count(*) from stop") == 11
    assert await house.owner.fetchval("select count(*) from route_before") == 10 + 51


async def test_campaigns_without_mail_for_long_are_forgotten_the_small_ones_first(house: House) -> None:
    minute, lane = house.now // 60_000, house.lanes["newsletter"]
    cohorts = Cohorts(house.owner)
    for days, sent in ((1, 1), (100, 1), (100, 99), (100, 100), (1097, 5000)):
        await cohorts.add(lane, minute=minute - days * 1440, campaign=f"{days}-{sent}", sent=sent)
    await house.owner.execute("update slice set first_minute = 0")
    await house.upkeep.purge_old_rows()
    rows = await house.owner.fetch(
        "select campaign from slice join cohort_slice c on c.slice = slice.id order by 1"
    )
    assert [row[0] for row in rows] == ["1-1", "100-100"]
    assert await house.owner.fetchval("select count(*) from slice") == 2


async def test_a_purge_starts_again_at_the_oldest_row_each_time(house: House) -> None:
    for _ in range(3):
        id = await house.mail(30 * HOUR, "password-reset")
        await house.upkeep.purge()
        assert await house.kept("idempotency", "message") == await house.kept("urgent_content") == set()
        for table in ("message", "ledger", "event", "outcome", "note", "send_event", "recipient"):
            await house.owner.execute(f"delete from {table}")
        assert id


async def test_urgent_bodies_that_no_queue_needs_are_deleted_and_others_stay(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PURGE_BATCH", 2)
    needed = {
        await house.mail(hours * HOUR, "password-reset", queued=queue)
        for hours, queue in ((1, "ready"), (1.1, "waiting"), (40 * 24, "ready"))
    }
    for hours in (0.5, 1.05, 1.2, 2, 50 * 24):
        await house.mail(hours * HOUR, "password-reset")
    young = await house.mail(10_000, "password-reset")
    forgotten = await house.mail(200 * DAY, "password-reset")
    await house.owner.execute("delete from message where id = $1", forgotten)
    await house.upkeep.purge()
    assert await house.kept("urgent_content") == {*needed, young}


async def test_long_held_urgent_bodies_are_looked_at_a_part_in_each_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PURGE_BATCH", 2)
    monkeypatch.setattr(upkeep, "URGENT_BATCHES", 2)
    held = [await house.mail(HOUR + n, "password-reset", queued="ready") for n in range(9)]
    left = await house.mail(HOUR - 1000, "password-reset")
    for run in range(3):
        assert left in await house.kept("urgent_content"), run
        await house.upkeep.purge()
    assert await house.kept("urgent_content") == set(held)


async def test_counters_of_processes_that_ended_are_folded_and_the_backlog_stays_exact(house: House) -> None:
    lane, other = house.lanes.values()
    live = await engine.connect(house.world.database.dsn("send"))
    assert await live.fetchval("select pg_try_advisory_lock($1, 7)", NODE_LOCK)
    await house.owner.executemany(
        "insert into lane_intake values ($1, $2, $3, $4)",
        [(lane, 0, 1, 10), (lane, 5, 20, 200), (lane, 7, 300, 3000), (other, 6, 4, 40), (other, 127, 1, 1)],
    )
    ended, running = [
        await house.owner.fetchval(
            "insert into worker (heartbeat, host, pid, ended_at) values (0, '', 1, $1) returning id", at
        )
        for at in (house.now - 91 * DAY, None)
    ]
    await house.owner.executemany(
        "insert into lane_finished values ($1, $2, $3, $4)",
        [(lane, -ended, 5, 50), (lane, -9999, 6, 60), (lane, -running, 7, 70), (other, -ended, 2, 20)],
    )
    before = [await house.backlog(lane), await house.backlog(other)]
    await house.upkeep.purge()
    await house.upkeep.purge_old_rows()
    assert [await house.backlog(lane), await house.backlog(other)] == before
    assert await house.owner.fetch("select lane, node, deliveries from lane_intake order by 1, 2") == [
        (lane, 0, 21), (lane, 7, 300), (other, 0, 5),
    ]  # fmt: skip
    assert await house.owner.fetch("select lane, node, deliveries from lane_finished order by 1, 2") == [
        (lane, -running, 7), (lane, 0, 11), (other, 0, 2),
    ]  # fmt: skip
    assert await house.owner.fetchval("select array_agg(id) from worker") == [running]
    await live.close()


async def test_a_plan_goes_with_its_calls_400_days_after_its_end_and_never_while_it_waits(
    house: House,
) -> None:
    async def plan(state: str, days_ended: int | None) -> int:
        id = await house.owner.fetchval(
            "insert into plan (revision, source, made_by, state, made_at, ended_at)"
            " values (1, 'person', 'ann', $1, now() - interval '800 days', now() - make_interval(days => $2)) returning id",
            state, days_ended,
        )  # fmt: skip
        await house.owner.execute(
            "insert into plan_change (plan, seq, kind, name, action, state)"
            " select $1, n, 'identity', 'mail.acme.example', 'update', 'done' from generate_series(1, 3) n",
            id,
        )
        return id

    ended = [await plan(state, 401) for state in ("applied", "rejected", "outdated")]
    kept = [await plan("applied", 399), await plan("proposed", None), await plan("applying", None)]
    found, over = await plan("applied", 401), await plan("applied", 401)
    await house.owner.execute(
        "insert into finding (kind, severity, resource_kind, resource, plan, ended_at)"
        " values ('dkim-off', 'high', 'identity', 'a.example', $1, null),"
        " ('dkim-off', 'high', 'identity', 'b.example', $2, now())",
        found, over,
    )  # fmt: skip
    await house.upkeep.purge_old_rows()
    plans = {row["id"] for row in await house.owner.fetch("select id from plan")}
    assert plans == {*kept, found, over}
    assert plans.isdisjoint(ended)
    calls = await house.owner.fetch("select plan, count(*) as n from plan_change group by plan")
    assert {row["plan"]: row["n"] for row in calls} == dict.fromkeys(plans, 3)


async def test_the_calls_of_a_large_plan_go_in_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "PURGE_BATCH", 10)
    await house.owner.execute(
        "insert into plan (revision, source, made_by, state, ended_at)"
        " values (1, 'person', 'ann', 'applied', now() - interval '401 days')"
    )
    await house.owner.execute(
        "insert into plan_change (plan, seq, kind, name, action)"
        " select max(id), n, 'identity', n::text, 'update' from plan, generate_series(1, 35) n group by n"
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)  # during the first batch
    await house.upkeep.purge_old_rows(stop)
    assert await house.owner.fetchval("select count(*) from plan") == 1
    assert await house.owner.fetchval("select count(*) from plan_change") in (25, 35)
    await house.upkeep.purge_old_rows()
    assert await house.owner.fetchval("select count(*) from plan") == 0


async def test_counting_goes_on_while_counters_are_folded(house: House) -> None:
    lane = house.lanes["newsletter"]
    send = await engine.connect(house.world.database.dsn("send"))
    stop = asyncio.Event()

    async def fold() -> None:
        while not stop.is_set():
            await house.store.fold_counters()

    folding = asyncio.create_task(fold())
    for n in range(200):
        await send.execute(
            "insert into lane_intake as i values ($1, $2, 1, 1)"
            " on conflict (lane, node) do update set deliveries = i.deliveries + 1, bytes = i.bytes + 1",
            lane, n % 3,
        )  # fmt: skip
        await send.execute(
            "insert into lane_finished as f values ($1, $2, 1, 1)"
            " on conflict (lane, node) do update set deliveries = f.deliveries + 1, bytes = f.bytes + 1",
            lane, -(n % 3),
        )  # fmt: skip
    stop.set()
    await folding
    await house.store.fold_counters()
    for table in ("lane_intake", "lane_finished"):
        rows = await house.owner.fetch(f"select lane, node, deliveries, bytes from {table}")
        assert rows == [(lane, 0, 200, 200)]
    await send.close()
