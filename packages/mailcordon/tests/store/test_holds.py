"""A dispatcher's copy of the holds, on a real database: updated at each reading, and not used when it is too old."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control.governor import Governor
from mailcordon.core.errors import Unavailable
from mailcordon.core.hold import NewHold
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.route import Route
from mailcordon.core.target import Target
from mailcordon.send.decide import RowFacts
from mailcordon.send.holds import VALID_FOR, Holds
from mailcordon.send.moves import Claimed


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watch:
    """One dispatcher's copy of the holds, and the governor that changes them."""

    world: Any
    governor: Governor
    store: QueueStore
    holds: Holds
    clock: Clock
    lanes: dict[str, int] = field(default_factory=dict)
    tenant: int = 0

    async def cordon(self, type: str | None = None, **over: Any) -> int:
        until = over.pop("until", None)
        target = Target(tenant=self.tenant, lane=self.lanes[type] if type else None, **over)
        hold = await self.governor.place(
            NewHold(target=target, owner="person", because="bad list", until=until), actor="kim"
        )
        return hold.id

    async def uncordon(self, hold: int) -> None:
        await self.governor.lift([hold], tenant=self.tenant, actor="kim", because="cleaned")

    def stops(self, type: str, now: int = 1, **mail: Any) -> bool:
        lane = self.lanes[type]
        class_ = Class.MARKETING if type == "newsletter" else Class.URGENT
        claim = Claimed(
            lane=lane,
            id=1,
            tenant=self.tenant,
            attempt=1,
            called_at=1,
            provider=mail.get("provider", 0),
            campaign=mail.get("campaign"),
            list=mail.get("list"),
            to="kim@example.com",
            content=b"",
            facts=RowFacts(suppressed=None),
        )
        route = Route(
            lane=Lane(id=lane, tenant=self.tenant, tenant_key="mc-acme0000", type=type, class_=class_),
            turn=1,
            path="isolated",
            ses_tenant="mc-acme0000",
            configuration_set="mc-marketing",
            domain="acme.example",
        )
        return self.holds.holds_lane(lane) or self.holds.narrow_hold(claim, route, now) is not None


@pytest.fixture
async def watch(world: Any) -> AsyncIterator[Watch]:
    pool = await engine.create_pool(world.database.dsn("governor"))
    store, clock = QueueStore(world.database.dsn("send")), Clock()
    made = Watch(world, Governor(GovernorStore(pool)), store, Holds(store, clock), clock)
    for type in ("newsletter", "password-reset"):
        made.lanes[type] = await world.lane("acme", type)
    made.tenant = await world.connection.fetchval("select id from tenant where slug = 'acme'")
    yield made
    await store.close()
    await pool.close()


def test_holds_that_were_never_read_are_not_trusted(watch: Watch) -> None:
    assert not watch.holds.fresh


async def test_a_reading_is_trusted_for_three_quarters_of_a_second(watch: Watch) -> None:
    await watch.holds.read()
    watch.clock.now += VALID_FOR - 0.01
    assert watch.holds.fresh
    watch.clock.now += 0.01
    assert not watch.holds.fresh


async def test_the_databases_clock_is_known_from_the_first_reading_whatever_this_host_says(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.holds.database_ms is None
    ahead = time.time_ns() + 60 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: ahead)
    monkeypatch.setattr(time, "time", lambda: ahead / 10**9)
    before = await watch.world.connection.fetchval("select now_ms()")
    await watch.holds.read()
    after = await watch.world.connection.fetchval("select now_ms()")
    assert before <= (watch.holds.database_ms or 0) <= after
    watch.clock.now += 0.5
    assert before + 500 <= (watch.holds.database_ms or 0) <= after + 500


async def test_the_age_of_a_slow_reading_counts_from_its_start(watch: Watch) -> None:
    connection = watch.world.connection
    async with connection.transaction():
        await connection.execute("lock table epoch in access exclusive mode")
        reading = asyncio.create_task(watch.holds.read())
        while not await connection.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
        watch.clock.now += VALID_FOR
    await reading
    assert not watch.holds.fresh


async def test_a_hold_stops_its_lane_from_the_next_reading_and_no_other(watch: Watch) -> None:
    await watch.holds.read()
    assert not watch.stops("newsletter")
    hold = await watch.cordon("newsletter")
    await watch.holds.read()
    assert watch.stops("newsletter")
    assert not watch.stops("password-reset")
    await watch.uncordon(hold)
    await watch.holds.read()
    assert not watch.stops("newsletter")


async def test_a_hold_on_the_tenant_stops_each_of_its_lanes(watch: Watch) -> None:
    await watch.cordon()
    await watch.holds.read()
    assert watch.stops("newsletter")
    assert watch.stops("password-reset")


async def test_a_narrow_hold_stops_only_what_it_names(watch: Watch) -> None:
    await watch.cordon("newsletter", campaign="spring", provider=Provider.GMAIL)
    await watch.holds.read()
    assert watch.stops("newsletter", campaign="spring", provider=Provider.GMAIL)
    assert not watch.stops("newsletter", campaign="spring", provider=Provider.YAHOO)
    assert not watch.stops("newsletter", campaign="summer", provider=Provider.GMAIL)
    assert not watch.stops("password-reset", campaign="spring", provider=Provider.GMAIL)


async def test_a_narrow_hold_on_a_class_leaves_the_other_classes_alone(watch: Watch) -> None:
    await watch.cordon(class_=Class.MARKETING, list="bought")
    await watch.holds.read()
    assert watch.stops("newsletter", list="bought")
    assert not watch.stops("password-reset", list="bought")


async def test_a_narrow_hold_past_its_end_stops_nothing_even_if_it_is_lifted_late(watch: Watch) -> None:
    now = await watch.world.connection.fetchval("select now_ms()")
    await watch.cordon("newsletter", campaign="spring", until=now + 60_000)
    await watch.holds.read()
    assert watch.stops("newsletter", now + 59_999, campaign="spring")
    assert not watch.stops("newsletter", now + 60_000, campaign="spring")


async def test_without_the_database_the_last_reading_ages(watch: Watch) -> None:
    await watch.cordon("newsletter")
    await watch.holds.read()
    await watch.world.connection.execute(f'alter database "{watch.world.database.name}" connection limit 0')
    await watch.world.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    watch.clock.now += VALID_FOR
    with pytest.raises(Unavailable):
        await watch.holds.read()
    assert not watch.holds.fresh
    assert watch.stops("newsletter")
