"""Incidents on a real database: what the loop records, round by round."""

import asyncio
from typing import Any

from mailcordon.core.incident import Action
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
    assert found["alarms"] == 2
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
    await leader.close()
    assert await other.advance()
    assert len(await incidents.open()) == 1
