"""The facts of the service's status, read from the rows that the planes write."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine, status_reader
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.control import problem, status, status_facts
from mailcordon.control.status_facts import Facts
from mailcordon.core import ids

MINUTE = 60_000


@pytest.fixture
async def control(world: Any) -> AsyncIterator[engine.Connection]:
    connection = await engine.connect(world.database.dsn("control"))
    yield connection
    await connection.close()


async def ready(world: Any, lane: int, age_ms: int, index: int = 1) -> int:
    now = await world.connection.fetchval("select now_ms()")
    id = ids.first_of(now - age_ms) + index
    await world.connection.execute(
        "insert into ready (lane, id, tenant, hash) select $1, $2, tenant, '' from lane where id = $1",
        lane,
        id,
    )
    return id


async def waiting(world: Any, lane: int, age_ms: int, why: int, **over: Any) -> int:
    now = await world.connection.fetchval("select now_ms()")
    id = ids.first_of(now - age_ms) + 1
    values = {"until": now, "attempt": 1, "hash": b"", "reason": "x", "since": now, "code": "retry", **over}
    names = ", ".join(values)
    await world.connection.execute(
        f"insert into waiting (lane, id, tenant, why, {names}) select $1, $2, tenant, $3, "
        + ", ".join(f"${n}" for n in range(4, 4 + len(values)))
        + " from lane where id = $1",
        lane,
        id,
        why,
        *values.values(),
    )
    return id


def age(facts: Facts) -> list[tuple[str, str, int]]:
    return [(one.class_.word, one.type, round((facts.now - one.since) / MINUTE)) for one in facts.waiting]


async def test_every_check_can_be_made_with_the_rights_of_the_control_role(
    control: engine.Connection,
) -> None:
    facts = await status_reader.read(control)
    assert facts.unread == {}
    assert status.judge(facts).checked == problem.CHECKS


async def test_the_longest_wait_of_each_class_is_at_the_head_of_a_lane(
    world: Any, control: engine.Connection
) -> None:
    reset = await world.lane("acme", "password-reset")
    code = await world.lane("acme", "login-code")
    news = await world.lane("acme", "newsletter")
    for lane, minutes in ((reset, 2), (reset, 5), (code, 9), (news, 30)):
        await ready(world, lane, minutes * MINUTE)
    found = await status_reader.read(control)
    assert age(found) == [("urgent", "login-code", 9), ("marketing", "newsletter", 30)]


async def test_held_mail_does_not_wait_for_its_turn_and_waits_anew_from_its_release(
    world: Any, control: engine.Connection
) -> None:
    lane = await world.lane("acme", "password-reset")
    await ready(world, lane, 18 * MINUTE)
    await world.connection.execute("update lane set held = true")
    assert age(await status_reader.read(control)) == []
    await world.connection.execute("update lane set held = false, released_at = now_ms() - 120000")
    assert age(await status_reader.read(control)) == [("urgent", "password-reset", 2)]


async def test_mail_that_is_retried_waits_and_mail_under_a_narrow_hold_does_not(
    world: Any, control: engine.Connection
) -> None:
    receipt = await world.lane("acme", "receipt")
    news = await world.lane("acme", "newsletter")
    await waiting(world, receipt, 20 * MINUTE, 1)
    await waiting(world, news, 30 * MINUTE, 3, until=None, hold=1)
    assert age(await status_reader.read(control)) == [("transactional", "receipt", 20)]


async def test_an_unknown_outcome_is_overdue_five_minutes_after_its_grace(
    world: Any, control: engine.Connection
) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=MINUTE)
    now = await world.connection.fetchval("select now_ms()")
    await waiting(world, lane, 5 * MINUTE, 2, called_at=now - 5 * MINUTE)
    assert (await status_reader.read(control)).overdue is None
    await waiting(world, lane, 7 * MINUTE, 2, called_at=now - 7 * MINUTE)
    assert (await status_reader.read(control)).overdue == status_facts.Overdue(1, now - 7 * MINUTE)


async def test_mail_set_aside_is_counted(world: Any, control: engine.Connection) -> None:
    lane = await world.lane("acme", "receipt")
    await waiting(world, lane, MINUTE, 1, code="set-aside")
    await waiting(world, lane, 2 * MINUTE, 1, code="retry")
    assert (await status_reader.read(control)).set_aside == 1


async def test_stopping_holds_are_read_with_what_they_cover(world: Any, control: engine.Connection) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.connection.execute(
        "insert into hold (tenant, lane, owner, because, by, since) "
        "select tenant, id, 'person', 'bad list', 'Ana', now_ms() from lane where id = $1",
        lane,
    )
    await world.connection.execute(
        "insert into hold (tenant, owner, because, by, since, lifted_at) "
        "select tenant, 'person', 'over', 'Ana', 1, 2 from lane"
    )
    [hold] = (await status_reader.read(control)).holds
    assert (hold.tenant, hold.mail) == ("acme", "newsletter mail of acme")
    assert hold.sentence.startswith("Held by Ana since ")


async def test_a_retired_lane_is_read_while_a_hold_keeps_its_mail(
    world: Any, control: engine.Connection
) -> None:
    lane = await world.lane("acme", "newsletter", held=True)
    await world.lane("zen", "newsletter", held=True)
    await world.connection.execute(
        "update lane set retiring_at = now(), retire_mail = 'drain', retired_with = 'lane' where id = $1",
        lane,
    )
    assert (await status_reader.read(control)).retirements == []
    await world.connection.execute("insert into ready (lane, id, tenant, hash) values ($1, 1, 1, '')", lane)
    [found] = (await status_reader.read(control)).retirements
    assert (found.tenant, found.type) == ("acme", "newsletter")
    await world.connection.execute("update lane set held = false")
    assert (await status_reader.read(control)).retirements == []


async def test_reports_accounts_resources_and_events_are_read(world: Any, control: engine.Connection) -> None:
    await world.account()
    await world.connection.execute("update account_rate set enforcement = 'SHUTDOWN'")
    await world.connection.execute(
        "insert into send_seen (configuration_set, called_at) values ('a', 5), ('b', 7)"
    )
    await world.connection.execute(
        "insert into ses_resource (kind, name, phase, desired, state, error) values "
        "('tenant', 'mc-1', 1, '{}', 'failing', 'no'), ('tenant', 'mc-2', 1, '{}', 'applied', null)"
    )
    store = HealthStore(world.database.dsn("send"), role="dispatch", instance="a", host="h", pid=1)
    await store.beat({"sent": 3})
    await store.close()
    found = await status_reader.read(control)
    assert [(beat.role, beat.facts) for beat in found.beats] == [("dispatch", {"sent": 3})]
    assert [one.enabled for one in found.accounts] == [False]
    assert found.seen_call == 7
    assert [(one.name, one.error) for one in found.failing] == [("mc-1", "no")]


async def test_the_partitions_and_sizes_are_those_of_the_database(
    world: Any, control: engine.Connection
) -> None:
    found = (await status_reader.read(control)).storage
    assert found is not None
    assert found.days_left == 1, "the template keeps those of tomorrow"
    assert found.bytes > 0


async def test_a_check_that_fails_leaves_the_others_alone(world: Any, control: engine.Connection) -> None:
    await world.connection.execute("alter table account_rate rename to gone")
    found = await status_reader.read(control)
    assert list(found.unread) == ["account"]
    assert "account_rate" in found.unread["account"]


async def test_open_stops_are_read_with_the_sentence_that_every_surface_shows(
    world: Any, control: engine.Connection
) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.connection.execute(
        "insert into stop (scope, name, tenant, lane, cause, because, urgent, since, last_seen, probe_at, ended_at, ended_by) "
        "values ('cell', 'default', null, null, 'daily-quota', 'Quota gone', true, 1, 1, 1, null, null), "
        "('cell', 'default', null, null, 'account-paused', 'over', true, 1, 1, 1, 2, 'dispatch')"
    )
    await world.connection.execute(
        "insert into stop (scope, name, tenant, lane, cause, because, urgent, since, last_seen, probe_at) "
        "select 'lane', id::text, tenant, id, 'set-up', 'no', false, 1, 1, 1 from lane where id = $1",
        lane,
    )
    found = await status_reader.read(control)
    assert [(stop.cause, stop.tenant, stop.type) for stop in found.stops] == [
        ("daily-quota", None, None),
        ("set-up", "acme", "newsletter"),
    ]
    assert found.stops[0].sentence.startswith("Stopped since 1 Jan 1970 00:00 UTC: Quota gone.")


async def limited(world: Any, lane: int, owner: str, **over: Any) -> int:
    """A limit of the lane, for which one mail waits."""
    values = {"scope": "lane", "per": "day", "cap": 500, "mode": "enforce", "because": "a new lane", **over}
    names = ", ".join(values)
    id = await world.connection.fetchval(
        f"insert into send_limit (tenant, owner, lane, since, {names}) select tenant, $2, id, 1, "
        + ", ".join(f"${n}" for n in range(3, 3 + len(values)))
        + " from lane where id = $1 returning id",
        lane,
        owner,
        *values.values(),
    )
    await waiting(world, lane, MINUTE, 5, send_limit=id, code="limit")
    return id


async def test_urgent_mail_over_a_limit_is_told_before_it_expires(
    world: Any, control: engine.Connection
) -> None:
    use = "insert into limit_use (tenant, scope, lane) select tenant, 'lane', id from lane where id = $1 returning id"
    for type in ("newsletter", "password-reset"):
        lane = await world.lane("acme", type)
        await limited(world, lane, "new-sender", use=await world.connection.fetchval(use, lane))
    [found] = (await status_reader.read(control)).over_limits
    assert (found.type, found.because) == ("password-reset", "a new lane")
    [problem] = [
        one
        for one in status.judge(await status_reader.read(control)).problems
        if one.code == "urgent-over-limit"
    ]
    assert problem.sentence.startswith("acme/password-reset: urgent mail waits for a limit (a new lane)")


async def test_a_release_that_bad_feedback_closed_has_a_voice(world: Any, control: engine.Connection) -> None:
    lane = await world.lane("acme", "newsletter")
    use = await world.connection.fetchval(
        "insert into limit_use (tenant, scope, lane, campaign) select tenant, 'campaign', id, 'sale' from lane returning id"
    )
    await world.connection.execute(
        "insert into release (tenant, lane, kind, name, began_at, phase, cap, use_before, opened_at, why, limit_cap, mode,"
        " because, fresh) select tenant, id, 'campaign', 'sale', 1, 'closed', 1500, 0, now_ms(), 'bounces', 0, 'enforce',"
        " 'Campaign sale has stopped.', false"
        " from lane"
    )
    assert (await status_reader.read(control)).stopped_releases == []  # nothing waits for it
    await limited(world, lane, "release", scope="campaign", campaign="sale", per="ever", cap=0, use=use)
    found = status.judge(await status_reader.read(control))
    [problem] = [one for one in found.problems if one.code == "release-closed"]
    assert problem.sentence.startswith(
        "acme/newsletter: Campaign sale has stopped. The rest waits, and expires "
    )
    assert problem.about is not None
    assert problem.about.cause == f"lane:{lane}/campaign:sale"
    assert problem.about.command == "mailcordon campaign show acme sale --type newsletter"
    change = "update release set why = $1, phase = $2, opened_at = now_ms() - $3::bigint"
    for why, phase, ago, said in (
        ("warned", "closed", 0, []),  # the alarm that warns says it
        ("silence", "steps", MINUTE, []),
        ("silence", "steps", 11 * MINUTE, ["release-silent"]),
        ("pace", "steps", 11 * MINUTE, []),
    ):
        await world.connection.execute(change, why, phase, ago)
        judged = status.judge(await status_reader.read(control)).problems
        assert [one.code for one in judged if one.code.startswith("release-")] == said
