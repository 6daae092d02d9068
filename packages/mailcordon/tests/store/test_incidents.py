"""Incidents on a real database: what the loop records, round by round."""

import asyncio
import os
import sys
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control import status
from mailcordon.control.upkeep import Purged
from mailcordon.core.errors import Unavailable
from mailcordon.core.incident import Action, Alarm
from mailcordon.observe.incidents.sources import Source, Sources
from mailcordon_fixtures.incidents import IncidentWorld, alarm

MINUTE = 60_000


async def test_alarm_opens_one_incident_with_its_facts(incidents: IncidentWorld) -> None:
    lane = await incidents.world.lane("acme", "newsletter")
    tenant = await incidents.world.connection.fetchval("select tenant from lane where id = $1", lane)
    for _ in range(2):
        await incidents.round(
            alarm("lane", lane=lane, tenant=tenant, culprit="list bought", evidence={"sent": 9})
        )
    (found,) = await incidents.open()
    assert (found["tenant"], found["lane"], found["culprit"]) == (tenant, lane, "list bought")
    assert found["sentence"] == "lane is wrong"
    assert found["evidence"] == '{"sent": 9}'
    assert found["identified_at"] is not None
    assert found["alarms"] == 1
    assert await incidents.entries(found["id"]) == ["opened", "identified"]


async def test_an_alarm_that_lasts_says_what_is_wrong_now(incidents: IncidentWorld) -> None:
    await incidents.round(alarm("a", sentence="36 of 53 bounce"), alarm("b", cause="a"))
    await incidents.round(
        alarm("a", sentence="40 of 99 bounce"), alarm("b", cause="a"), pass_ms=incidents.rules.seen_ms + 1
    )
    rows = await incidents.world.connection.fetch("select key, sentence from incident_alarm order by key")
    assert [tuple(row) for row in rows] == [("a", "40 of 99 bounce"), ("b", "b is wrong")]


async def test_incident_is_mitigated_when_alarms_are_gone_and_closes_after_a_quiet_time(
    incidents: IncidentWorld,
) -> None:
    await incidents.round(alarm("a"))
    await incidents.round()
    (found,) = await incidents.open()
    assert found["mitigated_at"] is None, "what comes and goes is not over each time"
    await incidents.round(pass_ms=incidents.rules.settle_ms + 1_000)
    (found,) = await incidents.open()
    assert found["mitigated_at"] is not None
    assert found["mitigated_at"] <= found["seen_at"]
    await incidents.round(pass_ms=incidents.rules.quiet_ms)
    (found,) = await incidents.all()
    assert found["closed_by"] == "mailcordon"
    assert found["closed_because"] == "no alarm for 10 min"
    assert await incidents.entries(found["id"]) == ["opened", "mitigated", "closed"]


async def test_same_cause_within_an_hour_opens_the_same_incident_again(incidents: IncidentWorld) -> None:
    await incidents.round(alarm("a"))
    await incidents.round(pass_ms=11 * MINUTE)
    await incidents.round(alarm("a"), pass_ms=50 * MINUTE)
    (found,) = await incidents.open()
    assert found["alarms"] == 1
    assert await incidents.entries(found["id"]) == ["opened", "mitigated", "closed", "reopened"]
    await incidents.round(pass_ms=11 * MINUTE)
    await incidents.round(alarm("a"), pass_ms=61 * MINUTE)
    assert [one["id"] != found["id"] for one in await incidents.open()] == [True]


async def test_storm_with_three_causes_is_three_incidents(incidents: IncidentWorld) -> None:
    causes = ["role:dispatch", "cell:default/account-paused", "set:mc-urgent"]
    storm = [alarm(f"storm-{n}", cause=causes[n % 3]) for n in range(1_000)]
    for _ in range(3):
        await incidents.round(*storm)
    found = await incidents.open()
    assert sorted(one["cause"] for one in found) == sorted(causes)
    assert sum(one["alarms"] for one in found) == 1_000
    assert await incidents.world.connection.fetchval("select count(*) from incident_alarm") == 600
    assert [await incidents.entries(one["id"]) for one in found] == [["opened", "joined"]] * 3
    await (await successor(incidents)).advance()
    assert sum(one["alarms"] for one in await incidents.open()) == 1_000, "a new process counts none again"


async def test_action_is_entered_once_with_its_author(incidents: IncidentWorld) -> None:
    held = Action(key="hold:1", at=5_000, author="ann", text="holds acme/newsletter")
    await incidents.round(alarm("a"))
    await incidents.round(alarm("a", actions=(held,), contained=True))
    incidents.loops.append(await successor(incidents))
    await incidents.round(alarm("a", actions=(held,), contained=True))
    (found,) = await incidents.open()
    assert await incidents.entries(found["id"]) == ["opened", "action", "contained"]
    assert found["mitigated_by"] == "ann"


async def successor(incidents: IncidentWorld) -> Any:
    await incidents.loops[-1].close()
    return incidents.new_loop()


async def test_one_loop_of_two_leads_and_the_other_takes_over(incidents: IncidentWorld) -> None:
    first, second = incidents.new_loop(), incidents.new_loop()
    incidents.alarms = [alarm("a")]
    led = await asyncio.gather(first.advance(), second.advance())
    assert sorted(led) == [False, True]
    leader, other = (first, second) if led[0] else (second, first)
    assert leader.document()["last_alarm_round"] is not None
    assert other.document() == {"last_alarm_round": None}
    await leader.close()
    assert await other.advance()
    assert other.document()["last_alarm_round"] is not None
    assert len(await incidents.open()) == 1


async def test_closed_incident_is_kept_for_the_retention_of_records(incidents: IncidentWorld) -> None:
    await incidents.round(alarm("a"))
    await incidents.round(pass_ms=20 * MINUTE)
    await incidents.round(alarm("b"))
    pool = await engine.create_pool(incidents.world.database.dsn("control"), max_size=1)
    store = UpkeepStore(pool)
    assert await store.purge(Purged.INCIDENTS, 90 * 86_400_000, 1000) == 0
    await incidents.world.connection.execute("update incident set closed_at = 1 where closed_at is not null")
    assert await store.purge(Purged.INCIDENTS, 90 * 86_400_000, 1000) == 1
    await pool.close()
    assert [one["cause"] for one in await incidents.all()] == ["b"]
    assert await incidents.world.connection.fetchval("select count(*) from incident_entry") == 1


async def test_status_shows_open_incidents_and_those_that_it_does_not_judge_as_problems(
    incidents: IncidentWorld,
) -> None:
    await incidents.round(alarm("a", severity="critical"), alarm("b"), alarm("c", contained=True))
    await incidents.world.connection.execute("update incident_alarm set source = 'status' where key = 'a'")
    pool = await engine.create_pool(incidents.world.database.dsn("control"), max_size=1)
    found = status.judge(await StatusReader(pool).facts())
    await pool.close()
    assert [(one.kind, one.mitigated) for one in found.incidents] == [
        ("stuck", False),
        ("stuck", False),
        ("stuck", True),
    ]
    shown = [one.sentence for one in found.problems if one.code == "incident-open"]
    assert shown == [f"Incident {found.incidents[1].id}: b is wrong"], "a is a problem of its own check"


async def test_person_who_closes_it_in_the_middle_of_a_round_wins(incidents: IncidentWorld) -> None:
    await incidents.round(alarm("a"))

    async def close() -> list[Any]:
        await incidents.world.connection.execute(
            "update incident set closed_at = now_ms(), closed_by = 'ann', closed_because = 'x'"
        )
        return []

    store = incidents.loops[-1]._store  # pyright: ignore[reportPrivateUsage]
    read = store.read

    async def read_then_close(*given: Any) -> Any:
        found = await read(*given)
        await close()
        return found

    store.read = read_then_close  # type: ignore[method-assign]
    await incidents.round(alarm("a", severity="critical"))
    store.read = read  # type: ignore[method-assign]
    (found,) = await incidents.all()
    assert (found["closed_by"], found["severity"]) == ("ann", "high"), "nothing of the round was written"
    await incidents.round(alarm("a"))
    assert await incidents.open() == []


async def control_reports(incidents: IncidentWorld, age_ms: int) -> None:
    await incidents.world.connection.execute(
        "insert into role_health (role, instance, host, pid, started, beat, facts)"
        " values ('control', 'c', 'h', 1, now_ms(), now_ms() - $1::bigint, '{}')"
        " on conflict (role, instance) do update set beat = excluded.beat",
        age_ms,
    )


async def test_api_process_leads_only_while_no_control_process_reports(incidents: IncidentWorld) -> None:
    stand_by = incidents.new_loop(stand_by=True)
    await control_reports(incidents, 0)
    assert not await stand_by.advance()
    await control_reports(incidents, 60_000)
    assert await stand_by.advance()
    control = incidents.new_loop()
    assert not await control.advance(), "it waits until the stand-by gives way"
    await control_reports(incidents, 0)
    assert not await stand_by.advance()
    assert await control.advance()


@pytest.mark.parametrize("leads_again", [False, True])
async def test_api_process_gives_way_also_after_a_round_that_failed(
    incidents: IncidentWorld, leads_again: bool
) -> None:
    c = incidents.world.connection
    await control_reports(incidents, 60_000)
    stand_by = incidents.new_loop(stand_by=True)
    assert await stand_by.advance()
    async with c.transaction():
        await c.execute("lock table incident in access exclusive mode")
        failing = asyncio.create_task(stand_by.advance())
        while not await c.fetchval(
            "select bool_or(pg_cancel_backend(pid)) from pg_locks where relation = 'incident'::regclass and not granted"
        ):
            await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await failing
    if leads_again:
        assert await stand_by.advance()
    await control_reports(incidents, 0)
    assert not await stand_by.advance()
    assert await incidents.new_loop().advance()


async def test_process_that_lost_its_session_writes_no_late_round(incidents: IncidentWorld) -> None:
    first, second = incidents.new_loop(), incidents.new_loop()
    incidents.alarms = [alarm("a")]
    assert await first.advance()
    await end_sessions(incidents)
    incidents.alarms = [alarm("a"), alarm("late")]
    led = False
    while not led:
        led = await second.advance()
    incidents.alarms = [alarm("a"), alarm("late"), alarm("later")]
    assert not await first.advance()
    assert sorted(one["cause"] for one in await incidents.open()) == ["a", "late"]


async def test_process_that_loses_its_session_within_a_round_does_not_write_it(
    incidents: IncidentWorld,
) -> None:
    async def read() -> list[Alarm]:
        await end_sessions(incidents)
        return [alarm("late")]

    incidents.sources = [Source(name="slow", read=read)]
    assert not await incidents.new_loop().advance()
    assert await incidents.all() == []


async def end_sessions(incidents: IncidentWorld) -> None:
    ended = await incidents.world.connection.fetchval(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'mailcordon incidents'"
        " and datname = current_database()"
    )
    assert ended >= 1
    await until_gone(incidents)


async def until_gone(incidents: IncidentWorld) -> None:
    while await incidents.world.connection.fetchval(
        "select count(*) from pg_locks where locktype = 'advisory' and classid = 20557"
    ):
        await asyncio.sleep(0.01)


async def test_source_that_fails_keeps_its_alarms_and_is_an_alarm_after_half_a_minute(
    incidents: IncidentWorld,
) -> None:
    failing = False

    async def read() -> list[Alarm]:
        if failing:
            raise Unavailable("the table is locked")
        return [alarm("a")]

    incidents.sources = [Source(name="rates", read=read)]
    await incidents.round()
    failing = True
    await incidents.round(pass_ms=1_000)
    await incidents.round(pass_ms=29_000)
    assert [one["cause"] for one in await incidents.open()] == ["a"]
    await incidents.round(pass_ms=31_000)
    found = {one["cause"]: one for one in await incidents.open()}
    assert sorted(found) == ["a", "source:rates"]
    assert "the table is locked" in found["source:rates"]["sentence"]
    assert found["source:rates"]["since"] < found["source:rates"]["opened_at"] - 20_000


async def test_slow_source_delays_no_other_and_its_answer_counts_later(incidents: IncidentWorld) -> None:
    gate = asyncio.Event()

    async def read() -> list[Alarm]:
        await gate.wait()
        return [alarm("slow")]

    answers = Sources([Source(name="slow", read=read), Source(name="fast", read=fast)])
    first = await answers.ask(1, seconds=0.01)
    assert ([one.key for _, one in first.alarms], first.unread) == (["fast"], frozenset({"slow"}))
    gate.set()
    second = await answers.ask(2)
    assert sorted(one.key for _, one in second.alarms) == ["fast", "slow"]
    await answers.close()


async def fast() -> list[Alarm]:
    return [alarm("fast")]


async def test_kill_in_the_middle_of_a_round_leaves_nothing_half_written(incidents: IncidentWorld) -> None:
    await incidents.round(alarm("a"))
    await incidents.loops.pop().close()
    owner = incidents.world.connection
    async with owner.transaction():
        # The round opens `b`, changes the incident of `a`, and waits for this row.
        await owner.execute("update incident_alarm set sentence = sentence where key = 'a'")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "mailcordon_fixtures.incident_loop", incidents.world.database.dsn("control")),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        while not await owner.fetchval("select count(*) from pg_locks where not granted"):
            assert process.returncode is None
            await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
    await until_gone(incidents)
    (found,) = await incidents.all()
    assert (found["cause"], found["severity"]) == ("a", "high")
    await incidents.round(alarm("a", severity="critical"), alarm("b"))
    assert sorted(one["cause"] for one in await incidents.open()) == ["a", "b"]
    assert await incidents.entries(found["id"]) == ["opened", "worsened"]
