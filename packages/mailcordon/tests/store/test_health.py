"""What processes report of themselves."""

import json
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.app.heartbeat import StandBy
from mailcordon.core import health
from mailcordon.core.health import ROLES, Role

LOGINS: dict[Role, str] = {
    "api": "control",
    "dispatch": "send",
    "observe": "observe",
    "control": "control",
    "smtp": "send",
    "dashboard": "control",
}


def test_a_process_is_silent_after_ten_seconds_and_a_report_from_the_future_is_no_report():
    assert health.silent(None, 1_000_000)
    assert not health.silent(1_000_000, 1_010_000)
    assert health.silent(1_000_000, 1_010_001)
    assert health.silent(1_600_000, 1_000_000)


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_reports_under_its_own_login(world: Any, role: Role) -> None:
    store = HealthStore(world.database.dsn(LOGINS[role]), role=role, instance="a", host="h", pid=1)
    await store.beat({"sent": 1})
    await store.beat({"sent": 2})
    row = await world.connection.fetchrow("select role, host, pid, facts from role_health")
    assert (row["role"], row["host"], row["pid"], json.loads(row["facts"])) == (role, "h", 1, {"sent": 2})
    await store.end()
    assert await world.count("role_health") == 0
    await store.close()


async def test_rows_of_instances_that_ended_unseen_are_removed_after_an_hour(world: Any) -> None:
    await world.connection.execute(
        "insert into role_health (role, instance, host, pid, started, beat) values "
        "('dispatch', 'dead', 'h', 1, 0, now_ms() - 3600001), ('dispatch', 'late', 'h', 2, 0, now_ms() - 3500000), "
        "('api', 'another', 'h', 3, 0, 0)"
    )
    store = HealthStore(world.database.dsn("send"), role="dispatch", instance="a", host="h", pid=4)
    await store.beat({})
    rows = await world.connection.fetch("select instance from role_health order by 1")
    assert [row["instance"] for row in rows] == ["a", "another", "late"]
    await store.close()


async def test_a_tenant_may_know_when_a_role_last_reported_and_nothing_else_of_it(world: Any) -> None:
    store = HealthStore(world.database.dsn("send"), role="dispatch", instance="a", host="secret", pid=1)
    await store.beat({})
    await store.close()
    reader = await engine.connect(world.database.dsn("reader"))
    rows = await reader.fetch("select * from role_beat")
    assert [(row["role"], len(row)) for row in rows] == [("dispatch", 2)]
    with pytest.raises(Exception, match="permission denied"):
        await reader.fetch("select * from role_health")
    await reader.close()


async def test_a_second_process_works_in_place_of_control_once_no_control_process_reports(world: Any) -> None:
    store = HealthStore(world.database.dsn("control"), role="api", instance="a", host="h", pid=1)
    stand_by = StandBy()
    assert not await stand_by.is_needed()  # nothing is known yet
    beat = "insert into role_health (role, instance, host, pid, started, beat) values ('control', 'a', 'h', 1, 1, now_ms() - $1)"
    await world.connection.execute(beat, 2_000)
    stand_by.found(control_reports=await store.beat({}))
    assert not await stand_by.is_needed()
    await world.connection.execute("update role_health set beat = beat - 20000 where role = 'control'")
    stand_by.found(control_reports=await store.beat({}))
    assert await stand_by.is_needed()
    await store.close()
