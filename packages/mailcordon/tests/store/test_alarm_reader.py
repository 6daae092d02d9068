"""The alarms of the status, read from the rows that the planes write."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import alarm_facts, alarm_reader, engine, status_reader
from mailcordon.adapters.db.alarm_reader import AlarmReader
from mailcordon.control.alarms import Patience
from mailcordon.core import ids
from mailcordon.core.errors import Unavailable
from mailcordon.core.incident import Alarm
from mailcordon.core.news import News, Topic

MINUTE = 60_000
AT_ONCE = Patience(silent=0, absent=0, repair=0, account=0, again=0)
#: What a bare database says of itself.
_BARE = ("role:", "cell:", "database:partitions")


@dataclass
class Parts:
    world: Any
    pool: engine.Pool
    reader: AlarmReader

    async def alarms(self) -> list[Alarm]:
        """Of a fresh process, without those of a database that no process runs on."""
        found = await AlarmReader(self.pool, AT_ONCE).read()
        return [one for one in found if not one.cause.startswith(_BARE)]

    async def ready(self, lane: int, age_ms: int) -> None:
        c = self.world.connection
        now = await c.fetchval("select now_ms()")
        await c.execute(
            "insert into ready (lane, id, tenant, hash) select $1, $2, tenant, '' from lane where id = $1",
            lane,
            ids.first_of(now - age_ms) + 1,
        )

    async def report(self, role: str, **facts: Any) -> None:
        await self.world.connection.execute(
            "insert into role_health (role, instance, host, pid, started, beat, facts)"
            " values ($1, 'x', 'mail-1', 7, now_ms() - 600000, now_ms(), $2)"
            " on conflict (role, instance) do update set beat = excluded.beat, facts = excluded.facts",
            role,
            json.dumps(facts),
        )


@pytest.fixture
async def parts(world: Any) -> AsyncIterator[Parts]:
    pool = await engine.create_pool(world.database.dsn("control"), max_size=2)
    yield Parts(world, pool, AlarmReader(pool, AT_ONCE))
    await pool.close()


async def test_each_lane_whose_mail_waits_too_long_is_an_alarm_and_a_held_one_is_not(parts: Parts) -> None:
    late = [await parts.world.lane(slug, "password-reset") for slug in ("acme", "zen")]
    fine = await parts.world.lane("acme", "receipt")
    held = await parts.world.lane("pipe", "password-reset", held=True)
    for lane in (*late, fine, held):
        await parts.ready(lane, 2 * MINUTE)
    found = {one.lane: one for one in await parts.alarms()}
    assert set(found) == set(late)
    one = found[late[0]]
    assert (one.cause, one.scope.name) == (f"lane:{late[0]}", "acme/password-reset")
    tenant = await parts.world.connection.fetchval("select id from tenant where slug = 'acme'")
    assert one.tenant == tenant


async def test_a_stop_explains_the_mail_that_waits_for_it_also_after_it_ended(parts: Parts) -> None:
    lane = await parts.world.lane("acme", "password-reset")
    await parts.ready(lane, 2 * MINUTE)
    await parts.report("dispatch", last_claim=None)
    assert [one.explained_by for one in await parts.alarms() if one.lane == lane] == [()]
    await parts.world.connection.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at)"
        " values ('set', 'mc-urgent', 'set-paused', 'x', true, now_ms(), now_ms(), now_ms())"
    )
    found = {one.cause: one for one in await parts.alarms()}
    assert found[f"lane:{lane}"].explained_by == ("set:mc-urgent",)
    assert found["set:mc-urgent"].culprit == "configuration set mc-urgent"
    await parts.world.connection.execute(
        "update stop set ended_at = now_ms(), ended_by = 'ses', ended_because = 'over'"
    )
    found = {one.cause: one for one in await parts.alarms()}
    assert "set:mc-urgent" not in found
    assert found[f"lane:{lane}"].explained_by == ("set:mc-urgent",)


async def test_a_full_lane_is_an_alarm_as_long_as_it_has_no_room(parts: Parts) -> None:
    lane = await parts.world.lane("acme", "newsletter", backlog_deliveries=2)
    now = await parts.world.connection.fetchval("select now_ms()")
    refused = {
        "lane": lane,
        "since": now - 5_000,
        "last": now - 1_000,
        "refused": 3,
        "sentence": "It is full. Retry.",
    }
    await parts.report("api", full=[refused])
    assert await parts.alarms() == [], "it has room"
    await parts.world.connection.execute(
        "insert into lane_intake (lane, node, deliveries, bytes) values ($1, 0, 2, 9)", lane
    )
    [one] = await parts.alarms()
    assert (one.kind, one.lane, one.since) == ("backlog", lane, now - 5_000)
    assert one.sentence == "It is full. 3 messages were refused for it"
    await parts.report("api", full=[refused | {"last": now - 10 * MINUTE}])
    assert await parts.alarms() == [], "nobody has been refused lately"


async def test_doubtful_events_are_one_alarm_for_each_tenant_or_source_and_kind(parts: Parts) -> None:
    await parts.world.lane("acme", "receipt")
    for n, (why, tenant, minutes) in enumerate(
        [
            ("double", "acme", 0),
            ("double", "acme", 1),
            ("unverified", None, 1),
            ("disagreement", "acme", 20),
            ("ungoverned", None, 0),
        ]
    ):
        await parts.world.connection.execute(
            "insert into quarantine (digest, why, detail, document, source, tenant, last_received_at, first_received_at)"
            " select $1, $2, 'the detail', 'x', 'outcome', (select id from tenant where slug = $3),"
            " now() - make_interval(mins => $4), now() - make_interval(mins => $4)",
            bytes([n]),
            why,
            tenant,
            minutes,
        )
    alarms = await parts.alarms()
    found = {one.cause: one for one in alarms}
    assert set(found) == {"integrity:tenant:acme", "integrity:source:outcome"}
    assert len(alarms) == 2
    assert found["integrity:tenant:acme"].sentence.startswith("2 events from outcome about mail of acme")
    assert found["integrity:tenant:acme"].severity == "high"


async def test_the_hold_that_a_lapse_placed_is_what_was_done_and_contains_it(parts: Parts) -> None:
    c = parts.world.connection
    lane = await parts.world.lane("acme", "receipt")
    loss = {
        "code": "dkim-missing",
        "area": "dkim",
        "record": "x._domainkey.receipt.acme.example",
        "says": "The record is gone.",
        "publish": None,
        "by_ses": False,
        "since": 1,
        "last": 1,
        "agreed": 3,
        "lapsed_at": 5,
    }
    await c.execute(
        "update identity_state set lapsed_at = 5, evidence = $1",
        json.dumps({"good": {}, "subjects": {}, "suspicions": [loss]}),
    )
    [one] = await parts.alarms()
    assert (one.cause, one.contained, one.actions) == ("identity:receipt.acme.example", False, ())
    await c.execute(
        "insert into hold (tenant, lane, owner, because, by, since) select tenant, id, 'policy', 'lapsed', 'control', 9 from lane"
    )
    await c.execute("update lane set held = true where id = $1", lane)
    [one] = await parts.alarms()
    assert one.contained
    assert [(action.author, action.at) for action in one.actions] == [("control", 9)]


async def test_what_cannot_be_read_keeps_its_alarms(parts: Parts) -> None:
    lane = await parts.world.lane("acme", "password-reset")
    await parts.ready(lane, 2 * MINUTE)
    assert [one.lane for one in await parts.reader.read() if one.lane] == [lane]
    await parts.world.connection.execute("alter table waiting rename to gone")
    # As three seconds later.
    parts.reader.forget_when_read()
    found = await parts.reader.read()
    assert [one.lane for one in found if one.lane] == [lane]
    assert any(one.cause == "database:reads" and "waiting mail" in one.sentence for one in found)
    await parts.world.connection.execute("alter table gone rename to waiting")
    await parts.world.connection.execute("delete from ready")
    parts.reader.forget_when_read()
    found = await parts.reader.read()
    assert not any(one.lane or one.cause == "database:reads" for one in found)


async def test_process_that_has_just_begun_does_not_take_what_it_cannot_read_for_nothing_wrong(
    parts: Parts, monkeypatch: Any
) -> None:
    await parts.world.connection.execute("alter table waiting rename to gone")
    with pytest.raises(Unavailable):
        await parts.reader.read()
    monkeypatch.setattr(alarm_reader, "FIRST_READ_MS", 0)
    assert any(one.cause == "database:reads" for one in await parts.reader.read())


async def test_what_fails_slowly_is_not_read_again_at_once(parts: Parts, monkeypatch: Any) -> None:
    tried = 0

    async def slow(_: Any) -> Any:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0.1)  # so it rests two seconds
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    one = status_reader.Reading(("stops",), slow, 1)
    monkeypatch.setattr(status_reader, "READINGS", (one,))
    monkeypatch.setattr(alarm_reader, "FIRST_READ_MS", 0)
    for _ in range(3):
        await parts.reader.read()
    assert tried == 1


async def test_a_second_look_reads_only_what_may_have_changed_since(parts: Parts, monkeypatch: Any) -> None:
    await parts.reader.read()
    asked: list[str] = []
    real = status_reader.readings

    async def counted(connection: Any, wanted: Any) -> Any:
        asked.extend(str(one.checks) for one in wanted if one.seconds >= 5)
        return await real(connection, wanted)

    monkeypatch.setattr(status_reader, "readings", counted)
    await parts.reader.read()
    assert asked == []


async def test_what_time_does_not_change_is_read_again_once_something_was_written(
    parts: Parts, monkeypatch: Any
) -> None:
    stops = next(one for one in status_reader.READINGS if one.checks == ("stops",))
    assert stops.is_slow
    tried = 0

    async def counted(connection: Any) -> Any:
        nonlocal tried
        tried += 1
        return await stops.read(connection)

    monkeypatch.setattr(status_reader, "READINGS", (dataclasses.replace(stops, read=counted, seconds=0),))
    monkeypatch.setattr(alarm_reader, "REST", 0)
    news = News(is_fed=True)
    reader = AlarmReader(parts.pool, AT_ONCE, quiet_seconds=lambda: news.quiet_seconds(*Topic))
    for _ in range(3):
        await reader.read()
    assert tried == 1
    news.tell({Topic.ANYTHING})
    for _ in range(3):
        await reader.read()
    assert tried == 2
    monkeypatch.setattr(alarm_reader, "UNCHANGED_SECONDS", 0)
    await reader.read()
    assert tried == 3


async def test_late_lanes_are_found_by_the_key_of_the_queue_whatever_its_size(parts: Parts) -> None:
    lane = await parts.world.lane("acme", "password-reset")
    await parts.world.connection.execute(
        "insert into ready (lane, id, tenant, hash)"
        " select l.id, n, l.tenant, '' from lane l cross join generate_series(1, 20000) n"
    )
    await parts.world.connection.execute("analyze ready")
    async with parts.pool.acquire() as connection, connection.transaction():
        sql = alarm_facts._SQL  # pyright: ignore[reportPrivateUsage]
        await connection.execute(sql.index_plans)
        rows = await connection.fetch(
            "explain (analyze, buffers off, costs off, timing off, summary off) "
            + sql.late_lanes.replace("$1", "'{30000,1,1}'")
        )
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on ready" not in plan, plan
    assert "rows=20000" not in plan, plan
    assert lane
