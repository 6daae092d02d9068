"""Objectives from the tables: what is read of a lane, what is an alarm, and how times of delivery add up."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.objective_store import ObjectiveReader, ObjectiveStore
from mailcordon.core.incident import Alarm
from mailcordon.core.provider import Provider
from mailcordon.guard.objectives import TIME_CLASSES, Goal, Judged, Standing, time_class
from mailcordon.observe import objectives
from mailcordon.observe.objectives import Intervals, ObjectiveScope, ObjectiveWatch
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World

LANE = "acme/newsletter"


@dataclass
class Budgets:
    world: World
    cohorts: Cohorts
    control: engine.Pool
    reader: engine.Pool
    now: int  #: minutes since 1970
    lanes: dict[str, int] = field(default_factory=dict[str, int])
    watch: ObjectiveWatch = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.watch = ObjectiveWatch(ObjectiveStore(self.control), Intervals(again=0, fold=0))

    async def lane(self, name: str = LANE, **objectives: Any) -> int:
        """`objectives`: of the lane's policy; without them it has the built-in one."""
        if name not in self.lanes:
            self.lanes[name] = await self.world.lane(*name.split("/"))
        if objectives:
            await self.world.connection.execute(
                "insert into lane_policy (lane, tenant, version, document)"
                " values ($1, (select tenant from lane where id = $1), 1, $2)"
                " on conflict (lane) do update set document = excluded.document",
                self.lanes[name],
                json.dumps({"version": 1, "tier": "standard", "objectives": objectives}),
            )
        return self.lanes[name]

    async def mail(
        self, sent: int, *, of: str = LANE, ago: int = 30, provider: int = Provider.YAHOO, **counts: Any
    ) -> None:
        await self.cohorts.add(
            await self.lane(of), minute=self.now - ago, provider=provider, sent=sent, **counts
        )

    async def delivered(
        self, count: int, seconds: float, *, of: str = LANE, ago: int = 30, provider: int = Provider.YAHOO
    ) -> None:
        counts = [0] * TIME_CLASSES
        counts[time_class(seconds)] = count
        minute = (self.now - ago) // 10 * 10
        await self.world.connection.execute(
            "insert into delivery_time_change (tenant, lane, minute, provider, counts)"
            " values ((select tenant from lane where id = $1), $1, $2, $3, $4)",
            await self.lane(of),
            minute,
            provider,
            counts,
        )

    async def read(self) -> Sequence[Alarm]:
        return await self.watch.read()

    async def judged(
        self, goal: Goal, provider: str | None = None, *, of: str = LANE, as_tenant: bool = False
    ) -> Judged:
        slug, type = of.split("/")
        tenant = await self.world.connection.fetchval("select id from tenant where slug = $1", slug)
        reads = ObjectiveReader(self.control, self.reader)
        (facts,) = await reads.page(
            ObjectiveScope(tenant=tenant, as_tenant=as_tenant), type=type, after=0, limit=10
        )
        found = objectives.judge(facts, self.now)
        return next(one for one in found if (one.objective.goal, one.objective.provider) == (goal, provider))


@pytest.fixture
async def budgets(world: World) -> AsyncIterator[Budgets]:
    control = await engine.create_pool(world.database.dsn("control"))
    reader = await engine.create_pool(world.database.dsn("reader"))
    now = await world.connection.fetchval("select now_ms() / 60000")
    yield Budgets(world, Cohorts(world.connection), control, reader, now)
    await control.close()
    await reader.close()


async def test_a_tenants_key_reads_the_same_of_its_own_lanes_and_nothing_of_others(budgets: Budgets) -> None:
    await budgets.lane(delivered_seconds=30, providers=["yahoo"])
    await budgets.mail(
        1_000, delivered=940, hard_bounced=30, recipient_gone=20, soft_bounced=10, complained=1
    )
    await budgets.mail(3_000, ago=10 * 1440, provider=Provider.GMAIL, delivered=2_990, hard_bounced=10)
    await budgets.delivered(900, 3)
    await budgets.delivered(40, 100)
    await budgets.read()
    other = await budgets.lane("zen/newsletter")
    await budgets.mail(500, of="zen/newsletter", hard_bounced=400)
    wanted = {
        (Goal.BOUNCES, None): (40, 4_000),
        (Goal.DELIVERED, None): (30, 3_960),
        (Goal.COMPLAINTS, None): (1, 1_000),
        (Goal.DELIVERY_TIME, None): (40, 940),
        (Goal.BOUNCES, "yahoo"): (30, 1_000),
        (Goal.DELIVERED, "yahoo"): (20, 960),
        (Goal.DELIVERY_TIME, "yahoo"): (40, 940),
    }
    for as_tenant in (False, True):
        for (goal, provider), (bad, of) in wanted.items():
            found = await budgets.judged(goal, provider, as_tenant=as_tenant)
            assert found.whole.bad == bad, (goal, provider, as_tenant)
            # Young mail counts by the share of its feedback that has come, which depends on where in the day it is.
            least = {Goal.BOUNCES: 0.75, Goal.COMPLAINTS: 0.0}.get(goal, 1.0)
            assert least * of <= found.whole.of <= of, (goal, provider, as_tenant)
    assert (await budgets.judged(Goal.DELIVERY_TIME)).p95_seconds == 5.0
    tenant = await budgets.world.connection.fetchval("select tenant from lane where id = $1", other)
    reads = ObjectiveReader(budgets.control, budgets.reader)
    own = await reads.page(ObjectiveScope(tenant=tenant, as_tenant=True), type=None, after=0, limit=10)
    assert [facts.lane for facts in own] == [other]
    everybody = await reads.page(ObjectiveScope(tenant=None), type=None, after=0, limit=10)
    assert len(everybody) == 2
    first = await reads.page(ObjectiveScope(tenant=None), type=None, after=0, limit=1)
    rest = await reads.page(ObjectiveScope(tenant=None), type=None, after=first[0].lane, limit=1)
    assert [facts.lane for facts in (*first, *rest)] == [facts.lane for facts in everybody]


async def test_a_budget_that_goes_fast_is_an_alarm_until_it_no_longer_does(budgets: Budgets) -> None:
    lane = await budgets.lane(bounces=0.02, delivered=None, complaints=None)
    await budgets.mail(3_000, ago=5 * 1440, hard_bounced=20)
    await budgets.mail(50, ago=30, hard_bounced=1)
    assert await budgets.read() == []
    await budgets.mail(100, ago=25, hard_bounced=50)
    await budgets.mail(100, ago=2, hard_bounced=50)
    (alarm,) = await budgets.read()
    assert (alarm.kind, alarm.cause, alarm.severity, alarm.lane) == (
        "objective",
        f"lane:{lane}/objective",
        "high",
        lane,
    )
    assert (budgets.now - 40) * 60_000 <= alarm.since <= (budgets.now - 20) * 60_000
    assert f"lane:{lane}/rates" in alarm.explained_by
    assert "101 of" in alarm.sentence
    assert not alarm.contained
    budgets.restart()
    (again,) = await budgets.read()
    assert (again.key, again.since) == (alarm.key, alarm.since)
    await budgets.mail(200_000, ago=5)
    assert await budgets.read() == []
    assert await budgets.world.connection.fetchval("select count(*) from objective_alarm") == 0


async def test_mail_that_is_late_is_an_alarm_also_while_it_waits_and_contained_while_it_is_held(
    budgets: Budgets,
) -> None:
    await budgets.lane("acme/password-reset")
    await budgets.delivered(3_000, 2, of="acme/password-reset", ago=3_000)
    for ago in (30, 2):
        await budgets.delivered(60, 400, of="acme/password-reset", ago=ago)
    (alarm,) = await budgets.read()
    assert alarm.evidence["goal"] == "delivery-time"
    assert "role:dispatch" in alarm.explained_by
    await budgets.world.connection.execute(
        "insert into hold (tenant, owner, because, by, since)"
        " select id, 'person', 'x', 'ana', now_ms() from tenant where slug = 'acme'"
    )
    (held,) = await budgets.read()
    assert held.contained


async def test_mail_that_ended_unsent_counts_as_not_delivered(budgets: Budgets) -> None:
    lane = await budgets.lane(delivered=0.98, bounces=None, complaints=None)
    await budgets.mail(900, ago=30, delivered=900)
    before = (await budgets.judged(Goal.DELIVERED)).whole
    for ago, expired in ((2_000, 5), (20, 45)):
        await budgets.world.connection.execute(
            "insert into lane_count"
            " (lane, at, tenant, accepted, sent, refused, expired, cancelled, given_up, rejected, no_outcome)"
            " values ($1, now_ms() - $2 * 60000::bigint, (select tenant from lane where id = $1), 945, 900, 0, $3, 0, 0, 0, 0)",
            lane,
            ago,
            expired,
        )
    found = await budgets.judged(Goal.DELIVERED)
    assert (before.bad, found.whole.bad, found.whole.of) == (0, 45, 945)
    by_window = {burn.pace.name: (burn.long.bad, burn.short_rate) for burn in found.burns}
    assert by_window["fast"] == (40, 0.0)
    assert by_window["slow"][0] == 40


async def test_an_open_decision_of_the_breaker_explains_a_budget(budgets: Budgets) -> None:
    lane = await budgets.lane(bounces=0.02, delivered=None, complaints=None)
    await budgets.mail(3_000, ago=5 * 1440, hard_bounced=20)
    await budgets.mail(100, ago=25, hard_bounced=50)
    await budgets.mail(100, ago=2, hard_bounced=50)
    decided = (
        "insert into breaker_decision"
        " (tenant, lane, part, signal, half, level, mode, at, since, seen, done, document, ended_at, ended_because)"
        " select tenant, id, $2, $3, 'absolute', 3, 'shadow', now_ms(), now_ms(), 'x', 'y', $4, $5::bigint,"
        " case when $5::bigint is not null then 'over' end from lane where id = $1"
    )
    for part, signal, document, ended in (
        ("list:bought+provider:gmail", "bounces", "{}", None),
        ("", "blocks", '{"at_fault": "campaign:a+b"}', None),
        ("list:over", "bounces", "{}", 1),
        ("", "volume", '{"at_fault": "list:volume"}', None),
    ):
        await budgets.world.connection.execute(decided, lane, part, signal, document, ended)
    (alarm,) = await budgets.read()
    assert {f"lane:{lane}/list:bought", f"lane:{lane}/campaign:a+b"} <= set(alarm.explained_by)
    assert not [one for one in alarm.explained_by if one.endswith(("over", "volume"))]


async def test_after_a_restart_all_alarms_that_last_are_said_at_once(
    budgets: Budgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objectives, "MOST_LANES", 1)
    for of in ("acme/newsletter", "zen/newsletter"):
        await budgets.lane(of, bounces=0.02, delivered=None, complaints=None)
        for ago in (25, 2):
            await budgets.mail(100, of=of, ago=ago, hard_bounced=50)
    await budgets.read()
    both = {alarm.key for alarm in await budgets.read()}
    budgets.restart()
    assert ({alarm.key for alarm in await budgets.read()}, len(both)) == (both, 2)


async def test_a_budget_of_days_is_the_same_beside_one_of_weeks(budgets: Budgets) -> None:
    week = await budgets.lane(delivered=0.98, bounces=None, complaints=None, days=7)
    await budgets.lane("zen/newsletter", delivered=0.98, bounces=None, complaints=None, days=28)
    await budgets.mail(900, ago=30, delivered=900)
    for ago, expired in ((30_000, 5), (20_000, 45)):
        await budgets.world.connection.execute(
            "insert into lane_count"
            " (lane, at, tenant, accepted, sent, refused, expired, cancelled, given_up, rejected, no_outcome)"
            " values ($1, now_ms() - $2 * 60000::bigint, (select tenant from lane where id = $1), 945, 900, 0, $3, 0, 0, 0, 0)",
            week,
            ago,
            expired,
        )
    reads = ObjectiveReader(budgets.control, budgets.reader)
    page = await reads.page(ObjectiveScope(tenant=None), type=None, after=0, limit=10)
    assert [objectives.judge(facts, budgets.now)[0].whole.bad for facts in page] == [0, 0]


async def test_times_of_delivery_add_up_once_in_buckets_of_three_sizes(budgets: Budgets) -> None:
    lane = await budgets.lane()
    for seconds in (3, 15, 16, 3, 100_000):
        await budgets.delivered(2, seconds)
        await budgets.read()
    await budgets.read()
    rows = await budgets.world.connection.fetch(
        "select span, counts, slow from delivery_time where lane = $1", lane
    )
    wanted = [0] * TIME_CLASSES
    wanted[time_class(3)], wanted[time_class(15)], wanted[time_class(16)], wanted[-1] = 4, 2, 2, 2
    assert sorted(tuple(row) for row in rows) == [(span, wanted, 4) for span in (10, 60, 1440)]
    assert await budgets.world.connection.fetchval("select count(*) from pending_time") == 0


async def test_a_lane_without_mail_meets_nothing_and_breaks_nothing(budgets: Budgets) -> None:
    await budgets.lane()
    found = await budgets.judged(Goal.BOUNCES)
    assert found.standing is Standing.UNKNOWN
    assert await budgets.read() == []
