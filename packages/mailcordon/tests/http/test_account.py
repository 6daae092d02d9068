"""GET /v1/account: who may read it, and what it shows."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.adapters.http import account
from mailcordon_fixtures import route

CALLS = {
    "calls_per_second": 1.0,
    "calls_per_second_now": 0.5,
    "calls_slowed_seconds_ago": 30,
    "calls_used": {"scan": 40, "urgent": 2},
    "scan": {
        "resources": 40_012,
        "period_seconds": 39_600,
        "longest_period_seconds": 260_000,
        "shared_seconds": 60,
    },
}


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Any]:
    async with route.asked(
        world.database, "/v1/account", lambda pool: account.routes(AccountReader(pool))
    ) as get:
        yield get


async def test_only_a_platform_key_that_may_read_sees_the_account(world: Any, ask: Any) -> None:
    for key in (None, "nonsense"):
        assert (await ask(key)).status_code == 401
    for slug in ("acme", "zen"):
        answer = await ask(world.tenant_keys[slug])
        assert (answer.status_code, answer.json()["code"]) == (403, "platform-only")
    for scope in ("send", "operate", "admin"):
        answer = await ask(await world.key(None, scope))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert (await ask(await world.key(None, "read"))).status_code == 200


async def test_without_a_control_process_there_is_no_budget(world: Any, ask: Any) -> None:
    found = (await ask(await world.key(None, "read"))).json()
    assert found.pop("review") == [
        {"signal": "bounces", "mails": 0, "events": 0, "rate": None, "review_at": 0.05, "pause_at": 0.1},
        {
            "signal": "complaints",
            "mails": 0,
            "events": 0,
            "rate": None,
            "review_at": 0.001,
            "pause_at": 0.005,
        },
    ]
    assert found == {"limits": [], "calls": None, "forecast": None}


async def test_the_accounts_rates_are_of_a_day_and_complaints_of_mail_whose_provider_reports_them(
    world: Any, ask: Any
) -> None:
    await world.owner.execute(
        "insert into cohort_fleet (span, minute, type, provider, sent, hard_bounced, complained, silent_sent, silent_complained)"
        " select 60, (now_ms() / 3600000 - ago) * 60, (select min(id) from message_type), 1, 2000, 50, 3, 500, 1"
        " from unnest(array[1, 40]) ago"
    )
    bounces, complaints = (await ask(await world.key(None, "read"))).json()["review"]
    assert (bounces["mails"], bounces["events"], bounces["rate"]) == (2_000, 50, 0.025)
    assert (complaints["mails"], complaints["events"]) == (1_500, 2)


async def test_the_answer_shows_what_uses_the_calls_what_waits_and_when_a_newcomer_is_ready(
    world: Any, ask: Any
) -> None:
    owner = await engine.connect(world.database.dsn("owner"))
    await owner.execute(
        "update ses_resource set work = 'bulk', state = 'pending', next_try_at = now() - interval '1 h'"
    )
    resources = await owner.fetchval("select count(*) from ses_resource")
    tenants = await owner.fetchval("select count(distinct tenant) from ses_resource")
    await owner.execute(
        "insert into account_rate (cell, ceiling, rate, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)"
        " values ('default', 14, 14, 0, 50000, 7, true, 'HEALTHY', 1795879380000)"
    )
    await owner.close()
    store = HealthStore(world.database.dsn("control"), role="control", instance="a", host="mail-1", pid=7)
    await store.beat({"calls": CALLS})
    await store.close()
    found = (await ask(await world.key(None, "read"))).json()
    [limits] = found["limits"]
    assert limits == {
        "cell": "default",
        "polled_at": "2026-11-28T15:23:00.000Z",
        "max_send_rate": 14,
        "max_24h": 50000,
        "sent_24h": 7,
        "sending_enabled": True,
        "enforcement": "HEALTHY",
    }
    calls = found["calls"]
    assert (calls["per_second"], calls["per_second_now"]) == (1.0, 0.5)
    assert calls["slowed_at"] is not None
    shares = {one["work"]: one for one in calls["shares"]}
    assert shares["scan"]["used_last_minute"] == 40
    assert (shares["bulk"]["waiting"], shares["bulk"]["tenants"]) == (resources, tenants)
    assert shares["bulk"]["since"] is not None
    assert sum(one["share"] for one in shares.values()) == pytest.approx(1)  # pyright: ignore[reportUnknownMemberType]
    # Half a call a second, three quarters of which are a newcomer's while only a bulk waits beside it.
    assert calls["newcomer"]["seconds"] == round(calls["newcomer"]["calls"] / (0.5 * 30 / 40), 1)
    assert calls["scan"]["period"] == 39_600


async def test_the_answer_says_when_the_quota_ends_at_this_pace(world: Any, ask: Any) -> None:
    owner = await engine.connect(world.database.dsn("owner"))
    await owner.execute(
        "insert into account_rate (cell, ceiling, rate, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)"
        " values ('default', 14, 14, 0, 50000, 40000, true, 'HEALTHY', 1795879380000)"
    )
    # 1,000 mails a minute for ten minutes, of the fifteen that are looked at.
    await owner.execute(
        "insert into cohort_fleet (span, minute, type, provider, sent)"
        " select 1, (now_ms() / 60000)::int - n, 1, 1, 1000 from generate_series(3, 12) n"
    )
    now = await owner.fetchval("select now_ms()")
    await owner.close()
    found = (await ask(await world.key(None, "read"))).json()["forecast"]
    assert found["pace"] == 40_000
    assert datetime.fromisoformat(found["ends_at"]).timestamp() >= now / 1000 + 15 * 60
    assert (
        found["says"]
        == f"At this pace (40,000 mails an hour) the quota ends at {found['ends_at'][11:16]} UTC."
    )
