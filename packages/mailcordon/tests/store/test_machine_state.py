"""The state of the installation as numbers, from the tables, with the rights of the control role."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.machine_state_reader import MachineStateReader
from mailcordon.control.machine_state import QueuedMail, WaitingMessages
from mailcordon.core.priority import Class

HOUR = 3_600_000


@pytest.fixture
async def pool(world: Any) -> AsyncIterator[engine.Pool]:
    async with await engine.create_pool(world.database.dsn("control"), max_size=1) as pool:
        yield pool


async def intake(world: Any, lane: int, *, accepted: int, finished: int = 0) -> None:
    """Of two nodes, as several processes count."""
    for node, part in ((1, accepted - accepted // 2), (2, accepted // 2)):
        await world.connection.execute(
            "insert into lane_intake (lane, node, deliveries) values ($1, $2, $3)", lane, node, part
        )
    await world.connection.execute(
        "insert into lane_finished (lane, node, deliveries) values ($1, 1, $2)", lane, finished
    )


async def test_lanes_with_the_most_mail_are_named_and_the_rest_is_added_up(
    world: Any, pool: engine.Pool
) -> None:
    for tenant, type, accepted, finished in (
        ("acme", "newsletter", 900, 100),
        ("acme", "password-reset", 7, 2),
        ("bolt", "newsletter", 300, 0),
        ("bolt", "password-reset", 4, 1),
        ("coop", "newsletter", 20, 0),
        ("coop", "password-reset", 9, 9),
    ):
        await intake(world, await world.lane(tenant, type), accepted=accepted, finished=finished)
    found = (await MachineStateReader(pool, 2).state()).lanes
    other = [
        QueuedMail(tenant="other", type="other", class_=class_, deliveries=n)
        for class_, n in ((Class.MARKETING, 20), (Class.URGENT, 8))
    ]
    assert list(found) == [
        QueuedMail(tenant="acme", type="newsletter", class_=Class.MARKETING, deliveries=800),
        QueuedMail(tenant="bolt", type="newsletter", class_=Class.MARKETING, deliveries=300),
        *other,
    ]


async def test_the_last_full_hour_is_shown_by_lane(world: Any, pool: engine.Pool, cohorts: Any) -> None:
    now = await world.connection.fetchval("select now_ms()")
    cohorts = cohorts(world.connection)
    minute = (now // HOUR - 1) * 60 + 5
    acme, bolt, coop = [await world.lane(tenant, "newsletter") for tenant in ("acme", "bolt", "coop")]
    await cohorts.add(acme, minute=minute, sent=50, delivered=40, hard_bounced=10, campaign="spring")
    await cohorts.add(acme, minute=minute + 1, sent=50, delivered=50, provider=1)
    await cohorts.add(bolt, minute=minute, sent=9, delivered=8, complained=1)
    await cohorts.add(coop, minute=minute, sent=3, soft_bounced=3)
    await cohorts.add(acme, minute=minute - 60, sent=1_000)
    await cohorts.add(acme, minute=minute + 60, sent=1_000)
    found = (await MachineStateReader(pool, 1).state()).last_hour
    assert [(one.tenant, one.type, dict(one.outcomes)) for one in found] == [
        (
            "acme",
            "newsletter",
            {"sent": 100, "delivered": 90, "hard_bounced": 10, "soft_bounced": 0, "complained": 0},
        ),
        (
            "other",
            "other",
            {"sent": 12, "delivered": 8, "hard_bounced": 0, "soft_bounced": 3, "complained": 1},
        ),
    ]


async def incident(world: Any, cause: str, kind: str, severity: str, **over: Any) -> None:
    now = await world.connection.fetchval("select now_ms()")
    values = {
        "scope": "tenant",
        "name": "acme",
        "sentence": "x",
        "next": "x",
        "since": now - 60_000,
        "opened_at": now,
        "seen_at": now,
        "cause_seen_at": now,
        **{name: now + value if isinstance(value, int) else value for name, value in over.items()},
    }
    names = ", ".join(values)
    await world.connection.execute(
        f"insert into incident (cause, kind, severity, {names}) values ($1, $2, $3, "
        + ", ".join(f"${n}" for n in range(4, 4 + len(values)))
        + ")",
        cause,
        kind,
        severity,
        *values.values(),
    )


async def test_open_incidents_are_counted_and_times_are_of_the_last_month(
    world: Any, pool: engine.Pool
) -> None:
    closed = {"closed_at": 0, "closed_by": "ada"}
    await incident(world, "a", "rates", "high", identified_at=-50_000)
    await incident(world, "b", "rates", "high", identified_at=-30_000, mitigated_at=0)
    await incident(world, "c", "drift", "low")
    await incident(world, "d", "rates", "low", identified_at=-10_000, mitigated_at=60_000, **closed)
    month = -31 * 24 * HOUR
    await incident(world, "e", "stuck", "low", opened_at=month, since=month, identified_at=0, **closed)
    found = await MachineStateReader(pool, 1).state()
    assert [(one.kind, one.severity, one.count) for one in found.incidents] == [
        ("drift", "low", 1),
        ("rates", "high", 2),
    ]
    drift, rates = found.times
    assert (drift.kind, drift.identify_ms, drift.mitigate_ms) == ("drift", None, None)
    assert rates.kind == "rates"
    assert rates.identify_ms is not None
    assert [round(ms, -3) for ms in rates.identify_ms] == [30_000, 48_000]
    assert rates.mitigate_ms is not None
    assert [round(ms, -3) for ms in rates.mitigate_ms] == [90_000, 117_000]


async def test_webhooks_for_which_the_most_waits_are_named_and_the_rest_is_added_up(
    world: Any, pool: engine.Pool
) -> None:
    now = await world.connection.fetchval("select now_ms()")
    for name, waits in (("app", 3), ("other", 1), ("idle", 0), ("gone", 9)):
        endpoint = await world.connection.fetchval(
            "insert into webhook_endpoint (name, form, target, events, made_at, made_by, removed_at, removed_by) values"
            " ($1, 'standard', 'h', '{lane.held}', 1, 'x', case when $1 = 'gone' then 1 end, case when $1 = 'gone' then 'x' end)"
            " returning id",
            name,
        )
        await world.connection.execute(
            "insert into webhook_message (endpoint, event, made_at, due_at, arrived_at)"
            " select $1, 'lane.held', $2::bigint - n * 1000, case when n <= $3 then $2 end, case when n > $3 then $2 end"
            " from generate_series(1, 5) n",
            endpoint,
            now,
            waits,
        )
    found = (await MachineStateReader(pool, 1).state()).webhooks
    assert list(found) == [
        WaitingMessages(name="app", waiting=3, oldest=now - 3_000),
        WaitingMessages(name="other", waiting=1, oldest=now - 1_000),
    ]
    every = (await MachineStateReader(pool, 20).state()).webhooks
    assert [(one.name, one.waiting, one.oldest) for one in every][2] == ("idle", 0, None)
