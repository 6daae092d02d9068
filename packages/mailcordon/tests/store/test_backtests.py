"""A back-test of recorded mail says what the breaker's own loop decided about it, and which counts it reads."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import backtest_store, engine
from mailcordon.adapters.db.backtest_store import BacktestStore
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.control.backtests import Backtests
from mailcordon.control.governor import Governor
from mailcordon.core.errors import Invalid
from mailcordon.core.provider import Provider
from mailcordon.guard import backtest_job
from mailcordon.guard.backtest import LaneResult
from mailcordon.guard.backtest_job import Answer, Record
from mailcordon.observe.breaker.intervals import Intervals
from mailcordon.observe.breaker.loop import BreakerLoop
from mailcordon.observe.breaker.records import part_of
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World

EAGER = Intervals(arming=0, facts=0, carried=0, account=0, follow=0)
HOUR, DAY = 60, 1440


async def here(record: Record) -> Answer:
    return backtest_job.run(record)


@dataclass
class Past:
    world: World
    cohorts: Cohorts
    control: engine.Pool
    governor: engine.Pool
    now: int  #: minutes since 1970

    async def mail(
        self, lane: int, sent: int, *, ago: int, provider: int = Provider.YAHOO, **of: Any
    ) -> None:
        await self.cohorts.add(lane, minute=self.now - ago, provider=provider, sent=sent, **of)

    async def test(
        self, document: dict[str, Any], *, tenant: int | None = None, minutes: int = 2 * DAY
    ) -> tuple[Record, dict[int, LaneResult]]:
        tests = Backtests(BacktestStore(self.control), here)
        record, answer = await tests.test(document, tenant=tenant, minutes=minutes)
        return record, {one.lane.facts.lane: one for one in answer.results}

    async def forget_when(self) -> None:
        """As if all that is counted had been counted more than a day ago."""
        await self.world.connection.execute("delete from cohort_feed")


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    control = await engine.create_pool(world.database.dsn("control"))
    governor = await engine.create_pool(world.database.dsn("governor"))
    now = await world.connection.fetchval("select now_ms() / 60000")
    yield Past(world, Cohorts(world.connection), control, governor, now)
    await control.close()
    await governor.close()


def document(mode: str = "enforce", **of_acme: Any) -> dict[str, Any]:
    part = {"because": "a test", "breaker": {"mode": mode}, **of_acme}
    return {"version": 1, "tenants": {"acme": part}}


async def test_it_says_of_the_recorded_stream_what_the_loop_decided_when_it_came(past: Past) -> None:
    lane = await past.world.lane("acme", "newsletter")
    other = await past.world.lane("zen", "newsletter")
    for day in range(20, 2, -1):
        await past.mail(lane, 1_000, ago=day * DAY, list="own", hard_bounced=8)
    await past.world.connection.execute("update cohort_feed set at = at - 7200000, minute = minute - 1")
    loop = BreakerLoop(
        BreakerStore(past.world.database.dsn("control"), past.control),
        Governor(GovernorStore(past.governor)),
        LimitStore(past.control),
        intervals=EAGER,
    )
    try:
        assert await loop.advance()
        for ago, sent, bounced in ((50, 40, 0), (49, 40, 3), (48, 40, 14), (47, 40, 22), (46, 40, 19)):
            await past.mail(other, 300, ago=ago, hard_bounced=1)
            await past.mail(lane, 60, ago=ago, list="own", hard_bounced=1)
            await past.mail(lane, sent, ago=ago, list="bought", hard_bounced=bounced)
            await loop.advance()
    finally:
        await loop.close()
    decided = await past.world.connection.fetch(
        "select lane, part, level, signal, half, since / 60000 as since, document from breaker_decision order by id"
    )
    assert {row["part"] for row in decided} >= {"list:bought"}
    record, found = await past.test(document("shadow"), minutes=3 * HOUR)
    assert record.exact_since <= past.now - 50
    assert found[other].decisions == []
    said = {
        (one.lane, part_of(one.guilty)): (int(one.level), str(one.signal), str(one.half), one.since)
        for one in found[lane].decisions
        if not one.over
    }
    # The loop is a second behind at most, so its minute may be another one; what it saw in the end is not. Within a second the
    # loop may have judged twice, so that the past spoke before the ceiling.
    assert said == {
        (row["lane"], row["part"]): (row["level"], row["signal"], row["half"], row["since"])
        for row in decided
    }
    assert found[lane].breaker.mails == 0


async def test_counts_of_hours_and_minutes_are_each_read_once(past: Past) -> None:
    lane = await past.world.lane("acme", "newsletter")
    zen = await past.world.lane("zen", "newsletter")
    for ago in (40 * DAY, 20 * DAY, 5 * DAY, 3 * HOUR, 10):
        await past.mail(lane, 500, ago=ago, campaign="june", hard_bounced=3, delivered=490)
    await past.mail(zen, 70, ago=4 * HOUR)
    await past.world.connection.execute("delete from cohort_minute where minute < $1", past.now - 13 * DAY)
    _, found = await past.test(document(), minutes=30 * DAY)
    assert {id: (one.sent, one.bad) for id, one in found.items()} == {lane: (2_000, 12), zen: (70, 0)}
    await past.forget_when()
    record, found = await past.test(document(), minutes=30 * DAY)
    assert {id: (one.sent, one.bad) for id, one in found.items()} == {lane: (2_000, 12), zen: (70, 0)}
    assert sum(delta.sent for delta in record.history) == 500
    # The hour in which minutes begin may not be whole, so it is read as an hour.
    assert sum(delta.sent for delta in record.hours) in (500, 1_000)
    assert sum(delta.sent for delta in (*record.hours, *record.minutes)) == 2_070
    tenant = await past.world.connection.fetchval("select tenant from lane where id = $1", zen)
    _, own = await past.test(document(), tenant=tenant, minutes=30 * DAY)
    assert set(own) == {zen}


async def test_a_policy_holds_a_bought_list_and_its_caps_count_what_is_left(past: Past) -> None:
    lane = await past.world.lane("acme", "newsletter")
    for day in range(25, 1, -1):
        await past.mail(lane, 2_000, ago=day * DAY, list="own", hard_bounced=16)
    for ago in range(20 * HOUR, 20 * HOUR - 40, -1):
        await past.mail(lane, 50, ago=ago, list="bought", hard_bounced=15)
    await past.forget_when()
    caps = {"lane": {"day": {"mails": 1_500, "mode": "shadow"}}}
    _, found = await past.test(document(caps=caps), minutes=10 * DAY)
    one = found[lane]
    assert "bought" in {slice.value for decision in one.decisions for slice in decision.guilty}
    assert 1_000 < one.breaker.mails < 2_000
    assert one.breaker.good == pytest.approx(0.7 * one.breaker.mails, rel=0.05)
    assert [(limit.cap, limit.mode) for limit, _ in one.shadow.values()] == [(1_500, "shadow")]
    assert {stop.peer.name for stop in one.peers} >= {"usual"}
    _, shadow = await past.test(document("shadow", caps=caps), minutes=10 * DAY)
    assert shadow[lane].breaker.mails == 0


async def test_what_could_not_be_applied_or_is_too_much_is_refused(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid) as unknown:
        await past.test({"version": 1, "tenants": {"nobody": "strict"}})
    assert [fault.field for fault in unknown.value.faults] == ["tenants.nobody"]
    lane = await past.world.lane("acme", "newsletter")
    for ago in (10, 130, 250):
        await past.mail(lane, 5, ago=ago)
    monkeypatch.setattr(backtest_store, "MOST_ROWS", 1)
    with pytest.raises(Invalid) as much:
        await past.test(document())
    assert [fault.field for fault in much.value.faults] == ["minutes"]
    monkeypatch.setattr(backtest_store, "MOST_ROWS", 100)
    monkeypatch.setattr(backtest_store, "MOST_MINUTES", 59)
    await past.mail(lane, 500, ago=300)
    await past.forget_when()
    await past.world.connection.execute("delete from cohort_minute")
    with pytest.raises(Invalid) as minutes:
        await past.test(document())
    assert "59 counts" in minutes.value.faults[0].problem
