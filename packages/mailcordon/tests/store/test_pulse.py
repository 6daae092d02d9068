"""What one look at the database says. The number of transactions is the whole server's, which other tests use too: so what is
news is tested here, and what is none by the sequence of this database that says so."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.advice_store import AdviceStore
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.adapters.db.pulse_store import PulseStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control.administration import SesAccount
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.news import Topic
from mailcordon.core.pulse import Pulse

TROUBLE = ("hard_bounced", "soft_bounced", "complained", "delayed", "sender_reputation", "content", "policy")


@pytest.fixture
async def pulse(world: Any) -> AsyncIterator[PulseStore]:
    store = PulseStore(world.database.dsn("control"))
    yield store
    await store.close()


async def quiet(world: Any) -> int:
    return await world.connection.fetchval("select last_value from quiet_write")


async def test_what_is_written_is_news(world: Any, pulse: PulseStore) -> None:
    sees = Pulse()
    assert sees.news(await pulse.look()) == set(Topic)
    await world.connection.execute("update epoch set value = value where name = 'desired'")
    assert Topic.ANYTHING in sees.news(await pulse.look())


async def test_what_is_open_at_a_look_is_not_still(world: Any, pulse: PulseStore) -> None:
    first = world.connection.transaction()
    await first.start()
    await world.connection.execute("update epoch set value = value where name = 'desired'")
    other = PulseStore(world.database.dsn("control"))
    store = HealthStore(world.database.dsn("control"), role="control", instance="a", host="h", pid=1)
    await store.beat({})  # it commits after the first one has begun
    assert not (await other.look()).is_still
    await first.rollback()
    await store.close()
    await other.close()


async def test_decisions_and_the_end_of_holds_are_news_for_control(world: Any, pulse: PulseStore) -> None:
    sees = Pulse()
    sees.news(await pulse.look())
    await world.connection.execute("update epoch set value = value + 1 where name = 'hold'")
    assert Topic.CONTROL in sees.news(await pulse.look())
    assert Topic.CONTROL not in sees.news(await pulse.look())
    await world.connection.execute(
        "insert into role_health (role, instance, host, pid, started, beat) values ('observe', 'b', 'h', 2, 0, now_ms() - 11000)"
    )
    assert Topic.CONTROL in sees.news(await pulse.look())


async def test_a_report_and_a_fold_of_nothing_are_no_news(world: Any) -> None:
    store = HealthStore(world.database.dsn("control"), role="control", instance="a", host="h", pid=1)
    await store.beat({})
    before = await quiet(world)
    assert await store.beat({})
    assert await quiet(world) == before + 1
    await store.close()
    counts = CohortStore(world.database.dsn("observe"))
    assert await counts.fold(10) == 0
    assert await quiet(world) == before + 2
    await counts.close()


async def test_what_is_counted_again_for_the_list_of_all_tenants_is_no_news(world: Any) -> None:
    pool = await engine.create_pool(world.database.dsn("control"))
    try:
        await AdviceStore(pool).count_senders()
        before = await quiet(world)
        await AdviceStore(pool).count_senders()
    finally:
        await pool.close()
    assert await quiet(world) == before + 1


async def test_bounces_complaints_blocks_and_delays_are_trouble_once(world: Any, pulse: PulseStore) -> None:
    fold = (await pulse.look()).fold
    assert not (await pulse.look()).is_trouble
    columns = {name: COLUMNS.index(name) + 1 for name in ("sent", "delivered", "opened", *TROUBLE)}
    for name, place in columns.items():
        fold += 1
        await world.connection.execute("update cohort_fold set fold = $1", fold)
        await world.connection.execute(
            "insert into cohort_feed (fold, at, minute, slice, provider, counts) "
            "select $1, now_ms(), 1, 1, 0, array_agg(case n when $2 then 1 else 0 end) from generate_series(1, $3::int) n",
            fold,
            place,
            len(COLUMNS),
        )
        assert (await pulse.look()).is_trouble == (name in TROUBLE), name
        assert not (await pulse.look()).is_trouble


async def test_a_report_says_whether_control_reports(world: Any) -> None:
    api = HealthStore(world.database.dsn("control"), role="api", instance="a", host="h", pid=1)
    control = HealthStore(world.database.dsn("control"), role="control", instance="a", host="h", pid=2)
    assert not await api.beat({})
    await control.beat({})
    assert await api.beat({})
    await world.connection.execute("update role_health set beat = beat - 11000 where role = 'control'")
    assert not await api.beat({})
    await api.close()
    await control.close()


async def test_it_is_no_news_that_ses_says_the_same_of_the_account_and_counts_no_more(world: Any) -> None:
    pool = await engine.create_pool(world.database.dsn("control"))
    said = SesAccount(
        max_send_rate=14.0, max_24h=50_000.0, sent_24h=7.0, sending_enabled=True, enforcement="HEALTHY"
    )

    async def polled(account: SesAccount) -> int:
        before = await quiet(world)
        await UpkeepStore(pool).write_account("main", account)
        await UngovernedStore(pool).count_sent("main", 0)
        return await quiet(world) - before

    try:
        await world.connection.execute("delete from account_rate")
        await world.connection.execute(
            "select nextval('quiet_write')"
        )  # the first one leaves `last_value` as it is
        await polled(said)
        assert await polled(said) == 2
        assert await polled(dataclasses.replace(said, sent_24h=8.0)) == 1  # what was counted before it
        assert await polled(dataclasses.replace(said, sent_24h=8.0, enforcement="PROBATION")) == 1
    finally:
        await pool.close()
