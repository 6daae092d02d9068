"""Alarms about rates from the tables: what is read of a lane, who is at fault since when, and when an alarm ends."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.rate_alarm_store import RateAlarmStore
from mailcordon.core.incident import Alarm, ScopeKind
from mailcordon.core.provider import Provider
from mailcordon.observe.rate_watch import Intervals, RateWatch
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World

EAGER = Intervals(few_events=0, again=0, open=0)


@dataclass
class Rates:
    world: World
    cohorts: Cohorts
    control: engine.Pool
    now: int  #: minutes since 1970
    lanes: dict[str, int] = field(default_factory=dict[str, int])
    watch: RateWatch = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, intervals: Intervals = EAGER) -> None:
        self.watch = RateWatch(RateAlarmStore(self.control), intervals)

    async def mail(
        self, lane: str, sent: int, *, ago: int = 30, provider: int = Provider.YAHOO, **of: Any
    ) -> None:
        if lane not in self.lanes:
            self.lanes[lane] = await self.world.lane(*lane.split("/"))
        await self.cohorts.add(self.lanes[lane], minute=self.now - ago, provider=provider, sent=sent, **of)

    async def read(self) -> Sequence[Alarm]:
        return await self.watch.read()

    async def only(self) -> Alarm:
        (alarm,) = await self.read()
        return alarm


@pytest.fixture
async def rates(world: World) -> AsyncIterator[Rates]:
    control = await engine.create_pool(world.database.dsn("control"))
    now = await world.connection.fetchval("select now_ms() / 60000")
    yield Rates(world, Cohorts(world.connection), control, now)
    await control.close()


async def test_a_bad_list_is_named_with_the_minute_in_which_its_mail_began(rates: Rates) -> None:
    await rates.mail("acme/newsletter", 2_000, ago=300, list="good", campaign="may", hard_bounced=9)
    await rates.mail("acme/newsletter", 500, ago=47, list="good", campaign="june", hard_bounced=3)
    await rates.mail("zen/newsletter", 5_000, ago=40, hard_bounced=40)
    assert await rates.read() == []
    await rates.mail("acme/newsletter", 70, ago=44, list="bought", campaign="june", hard_bounced=14)
    await rates.mail("acme/newsletter", 70, ago=43, list="bought", campaign="june", hard_bounced=17)
    alarm = await rates.only()
    lane = rates.lanes["acme/newsletter"]
    assert (alarm.cause, alarm.scope.kind, alarm.scope.name) == (
        f"lane:{lane}/list:bought",
        ScopeKind.LIST,
        "bought",
    )
    assert alarm.since == (rates.now - 44) * 60_000
    assert (alarm.evidence["events"], alarm.evidence["sent"]) == (31, 140)
    assert alarm.command == (
        "mailcordon cordon acme --type newsletter --list bought --because 'too many hard bounces'"
    )
    assert alarm.culprit is not None
    assert alarm.culprit.startswith("list bought of acme/newsletter (")
    assert not alarm.contained
