"""Stops on a real PostgreSQL: which lanes one covers, what its end releases, who tests it and when."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.control.governor import Governor
from mailcordon.core.hold import NewHold
from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop, Stop, StopScope
from mailcordon.core.target import Target

ACME_KEY = "select key from tenant where slug = 'acme'"


class StopWorld:
    """Two tenants, each with an urgent lane on the shared set mc-urgent; acme has a newsletter too."""

    def __init__(self, world: Any, governor: Governor) -> None:
        self.world = world
        self.owner = world.connection
        self.governor = governor
        self.stops = governor.stops

    async def stopped(self) -> list[str]:
        rows = await self.owner.fetch(
            "select t.slug || ' ' || y.name as lane from lane l join tenant t on t.id = l.tenant"
            " join message_type y on y.id = l.type where l.stopped order by 1"
        )
        return [row["lane"] for row in rows]

    async def place(
        self, scope: StopScope, name: str, cause: Reason = Reason.SET_PAUSED, **over: Any
    ) -> Stop:
        new = NewStop(scope=scope, name=name, cause=cause, because="refused", **over)
        return await self.stops.place(new, actor="dispatch")

    async def enqueue(self, lane: int) -> None:
        await self.owner.execute(
            "insert into ready (lane, id, tenant, hash)"
            " select id, (now_ms() - 1767225600000) << 22, tenant, '\\x00' from lane where id = $1",
            lane,
        )

    async def turn_due(self, lane: int) -> bool:
        return await self.owner.fetchval(
            "select t.next_at is not null from turn t join lane l on l.turn = t.id where l.id = $1", lane
        )


@pytest.fixture
async def stops(world: Any) -> AsyncIterator[StopWorld]:
    for slug, type in (("acme", "password-reset"), ("acme", "newsletter"), ("zen", "password-reset")):
        await world.lane(slug, type)
    pool = await engine.create_pool(world.database.dsn("governor"), max_size=4)
    yield StopWorld(world, Governor(GovernorStore(pool)))
    await pool.close()


async def lane_of(stops: StopWorld, slug: str, type: str) -> int:
    return await stops.owner.fetchval(
        "select l.id from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = $1 and y.name = $2",
        slug,
        type,
    )


async def test_a_stop_of_a_shared_set_covers_the_lanes_of_all_tenants_that_use_it(stops: StopWorld) -> None:
    await stops.place(StopScope.SET, "mc-urgent")
    assert await stops.stopped() == ["acme password-reset", "zen password-reset"]


@pytest.mark.parametrize(
    ("scope", "name", "covered"),
    [
        (StopScope.IDENTITY, "newsletter.acme.example", ["acme newsletter"]),
        (StopScope.TENANT, ACME_KEY, ["acme newsletter", "acme password-reset"]),
        (StopScope.SET, "no-such-set", []),
        (StopScope.CELL, "default", []),
        (StopScope.WORKER, "7", []),
    ],
)
async def test_a_stop_covers_what_it_names_and_nothing_else(
    stops: StopWorld, scope: StopScope, name: str, covered: list[str]
) -> None:
    await stops.place(scope, await stops.owner.fetchval(name) if name == ACME_KEY else name)
    assert await stops.stopped() == covered


async def test_its_end_wakes_the_turns_and_starts_the_ramp_where_mail_has_gathered(stops: StopWorld) -> None:
    lane = await lane_of(stops, "zen", "password-reset")
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.enqueue(lane)
    [ended] = await stops.stops.end([stop.id], actor="ann", because="SES accepted a test mail")
    assert (ended.ended_by, ended.ended_because) == ("ann", "SES accepted a test mail")
    assert await stops.stopped() == []
    assert await stops.turn_due(lane)
    ramps = "select id from lane where released_at is not null"
    assert [row["id"] for row in await stops.owner.fetch(ramps)] == [lane]


async def test_a_lane_under_two_stops_opens_when_both_have_ended(stops: StopWorld) -> None:
    one = await stops.place(StopScope.SET, "mc-urgent")
    other = await stops.place(StopScope.IDENTITY, "password-reset.zen.example", Reason.IDENTITY)
    await stops.stops.end([one.id], actor="ann", because="x")
    assert await stops.stopped() == ["zen password-reset"]
    await stops.stops.end([other.id], actor="ann", because="x")
    assert await stops.stopped() == []


async def test_holds_and_stops_of_a_lane_do_not_change_each_other(stops: StopWorld) -> None:
    lane = await lane_of(stops, "zen", "password-reset")
    tenant = await stops.owner.fetchval("select tenant from lane where id = $1", lane)
    stop = await stops.place(StopScope.SET, "mc-urgent")
    new = NewHold(target=Target(tenant=tenant), owner="person", because="unpaid")
    hold = await stops.governor.place(new, actor="ann")
    both = "select held, stopped from lane where id = $1"
    assert tuple(await stops.owner.fetchrow(both, lane)) == (True, True)
    await stops.stops.end([stop.id], actor="ann", because="x")
    assert tuple(await stops.owner.fetchrow(both, lane)) == (True, False)
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.governor.lift([hold.id], tenant=tenant, actor="ann", because="paid")
    assert tuple(await stops.owner.fetchrow(both, lane)) == (False, True)


async def test_a_new_lane_inherits_the_stop_of_its_set(stops: StopWorld) -> None:
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.world.lane("new", "password-reset")
    assert "new password-reset" not in await stops.stopped()
    await stops.governor.align_all()
    assert "new password-reset" in await stops.stopped()


async def test_many_refusals_at_once_are_one_stop_and_counted(stops: StopWorld) -> None:
    placed = await asyncio.gather(
        *(stops.place(StopScope.SET, "mc-urgent", said=f"word {n}") for n in range(5))
    )
    assert len({stop.id for stop in placed}) == 1
    assert max(stop.hits for stop in placed) == 5


async def test_placing_and_ending_are_audited(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.place(StopScope.SET, "mc-urgent")
    await stops.stops.end([stop.id], actor="ann", because="it works again")
    rows = await stops.owner.fetch("select actor, action, object, because from audit order by id")
    assert [tuple(row) for row in rows] == [
        ("dispatch", "stop.place", f"stop {stop.id} of set mc-urgent", "refused"),
        ("ann", "stop.end", f"stop {stop.id} of set mc-urgent", "it works again"),
    ]


async def due(stops: StopWorld, stop: Stop) -> None:
    await stops.owner.execute("update stop set probe_at = now_ms() where id = $1", stop.id)


async def test_one_dispatcher_tests_a_stop_and_the_pauses_double_to_half_a_minute_for_urgent_mail(
    stops: StopWorld,
) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    assert stop.probe_at - stop.since == 1_000
    assert await stops.stops.take_probes(1, 1_000) == []
    pauses: list[int] = []
    for _ in range(7):
        await due(stops, stop)
        taken = await asyncio.gather(*(stops.stops.take_probes(worker, 1_000) for worker in (1, 2, 3)))
        assert sorted(map(len, taken)) == [0, 0, 1]
        now = await stops.owner.fetchval("select now_ms()")
        [[row]] = [one for one in taken if one]
        pauses.append(round((row.probe_at - now) / 1000))
    assert pauses == [2, 4, 8, 16, 30, 30, 30]


async def test_a_stop_without_urgent_mail_is_tested_every_minute_at_last(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-marketing")
    await stops.owner.execute("update stop set probes = 20, probe_at = now_ms() where id = $1", stop.id)
    [row] = await stops.stops.take_probes(1, 1_000)
    assert round((row.probe_at - await stops.owner.fetchval("select now_ms()")) / 1000) == 60


async def test_a_stop_that_comes_back_at_once_continues_its_pauses(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    await stops.owner.execute("update stop set probes = 3 where id = $1", stop.id)
    await stops.stops.end([stop.id], actor="ann", because="x")
    again = await stops.place(StopScope.SET, "mc-urgent")
    assert (again.id != stop.id, again.probe_at - again.since) == (True, 8_000)


async def test_a_dispatcher_does_not_test_the_stop_of_another(stops: StopWorld) -> None:
    await due(stops, await stops.place(StopScope.WORKER, "7", Reason.SES_UNREACHABLE))
    assert await stops.stops.take_probes(8, 1_000) == []
    assert len(await stops.stops.take_probes(7, 1_000)) == 1


async def test_a_test_uses_no_lane_that_a_hold_closes(stops: StopWorld) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    acme, zen = [await lane_of(stops, slug, "password-reset") for slug in ("acme", "zen")]
    await stops.owner.execute("update lane set held = true where id = $1", acme)
    assert await stops.stops.probe_lane(stop) == zen
    await stops.owner.execute("update lane set held = true where id = $1", zen)
    assert await stops.stops.probe_lane(stop) is None


async def test_a_test_prefers_a_lane_without_another_stop_and_takes_one_if_there_is_no_better(
    stops: StopWorld,
) -> None:
    stop = await stops.place(StopScope.SET, "mc-urgent")
    acme, zen = [await lane_of(stops, slug, "password-reset") for slug in ("acme", "zen")]
    await stops.place(StopScope.IDENTITY, "password-reset.acme.example", Reason.IDENTITY)
    assert await stops.stops.probe_lane(stop) == zen
    await stops.place(StopScope.IDENTITY, "password-reset.zen.example", Reason.IDENTITY)
    assert await stops.stops.probe_lane(stop) in (acme, zen)


async def test_the_stops_of_a_dead_dispatcher_end(stops: StopWorld) -> None:
    worker = "insert into worker (heartbeat, host, pid) values (0, 'h', 1) returning id"
    live, dead = await stops.owner.fetchval(worker), await stops.owner.fetchval(worker)
    for id in (live, dead):
        await stops.place(StopScope.WORKER, str(id), Reason.OUTAGE)
    assert await stops.stops.end_of_gone_workers() == 0
    await stops.owner.execute("update worker set ended_at = now_ms() where id = $1", dead)
    assert await stops.stops.end_of_gone_workers() == 1
    assert [stop.name for stop in await stops.stops.open()] == [str(live)]


async def test_a_stop_of_the_account_ends_only_if_the_account_agrees(stops: StopWorld) -> None:
    quota = await stops.place(StopScope.CELL, "default", Reason.DAILY_QUOTA)
    paused = await stops.place(StopScope.CELL, "default", Reason.ACCOUNT_PAUSED)
    unknown = await stops.place(StopScope.CELL, "default", Reason.RATE_UNKNOWN)

    async def agreed() -> list[bool]:
        return [await stops.stops.account_agrees(stop, "default") for stop in (quota, paused, unknown)]

    assert await agreed() == [False, False, False]
    await stops.world.account()
    assert await agreed() == [True, True, True]
    await stops.owner.execute("update account_rate set max_24h = 100, sent_24h = 90, taken = 10")
    assert await agreed() == [False, True, True]
    await stops.owner.execute("update account_rate set max_24h = -1, sending_enabled = false")
    assert await agreed() == [True, False, True]
