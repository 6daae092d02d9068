"""Ten incidents that the breaker finds in the counters, and what people read of them: the sentences of docs/observe.md."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.breaker_reader import BreakerAlarms, BreakerEditor
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.control.governor import Governor
from mailcordon.core.provider import Provider
from mailcordon.guard.arming import Wish
from mailcordon.observe.breaker.intervals import Intervals
from mailcordon.observe.breaker.loop import BreakerLoop
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World

PAGE = Path(__file__).resolve().parents[4] / "docs/observe.md"
EAGER = Intervals(arming=0, facts=0, carried=0, account=0, follow=0)
TIME = re.compile(r"\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2} UTC")


class Incidents:
    def __init__(self, world: World, loop: BreakerLoop, control: engine.Pool, now: int) -> None:
        self.world, self.loop, self.control, self.now = world, loop, control, now
        self.cohorts = Cohorts(world.connection)

    async def lane(self, slug: str, type: str = "newsletter", *, proved: bool = True) -> int:
        lane = await self.world.lane(slug, type)
        if proved:
            await self.prove(lane)
        return lane

    async def prove(self, lane: int) -> None:
        await self.world.connection.execute(
            "insert into proof (tenant, lane, asked_at, asked_by, limit_ms, ended_at, proved, counts, because, parts)"
            " select tenant, id, now_ms(), 'test', 60000, now_ms(), true, true, 'proved', proof_parts(id) from lane"
            " where id = $1",
            lane,
        )

    async def mail(
        self, lane: int, sent: int, *, ago: int = 5, provider: int = Provider.YAHOO, **of: Any
    ) -> None:
        await self.cohorts.add(lane, minute=self.now - ago, provider=provider, sent=sent, **of)

    async def past(
        self, lane: int, days: int, sent: int, *, provider: int = Provider.YAHOO, **of: Any
    ) -> None:
        """Mail of each of these days."""
        for day in range(days, 1, -1):
            await self.cohorts.add(
                lane,
                minute=self.now - day * 1440,
                provider=provider,
                sent=sent,
                delivered=sent,
                fold=False,
                **of,
            )
        await self.cohorts.fold()

    async def decided(self, lane: int, which: str = "true") -> str:
        """What people read of the newest decision about a lane."""
        row = await self.world.connection.fetchrow(
            f"select * from breaker_decision where lane = $1 and {which} and part not like 'pool:%'"
            " and signal <> 'account' order by id desc limit 1",
            lane,
        )
        assert row is not None, await self.world.connection.fetch("select lane, seen from breaker_decision")
        return f"{row['seen']} {row['done']}"


@pytest.fixture
async def incidents(world: World) -> AsyncIterator[Incidents]:
    dsn = world.database.dsn
    control = await engine.create_pool(dsn("control"))
    governors = await engine.create_pool(dsn("governor"))
    now = await world.connection.fetchval("select now_ms() / 60000")
    loop = BreakerLoop(
        BreakerStore(dsn("control"), control),
        Governor(GovernorStore(governors)),
        LimitStore(control),
        intervals=EAGER,
    )
    yield Incidents(world, loop, control, now)
    await loop.close()
    await control.close()
    await governors.close()


async def test_ten_incidents_are_told_as_the_page_says(incidents: Incidents) -> None:
    said: list[str] = []
    one = incidents
    await one.loop.advance()

    bought = await one.lane("acme")
    await one.mail(bought, 300, list="members", hard_bounced=1)
    await one.mail(bought, 120, list="import-7", hard_bounced=29)
    await one.loop.advance()
    said += [await one.decided(bought, "part <> ''"), await one.decided(bought, "part = ''")]

    whole = await one.lane("bloom")
    for campaign in ("may", "june", "july"):
        await one.mail(whole, 200, campaign=campaign, hard_bounced=14)
    await one.loop.advance()
    said.append(await one.decided(whole))

    shadow = await one.lane("corner", proved=False)
    await one.mail(shadow, 150, campaign="sale", hard_bounced=40)
    await one.loop.advance()
    said.append(await one.decided(shadow, "part <> ''"))

    warned = await one.lane("dune")
    await one.mail(warned, 200, ago=180, hard_bounced=19)
    await one.loop.advance()
    said.append(await one.decided(warned))

    complaints = await one.lane("ember")
    await one.mail(complaints, 2_000, ago=600, campaign="june", complained=14)
    await one.mail(complaints, 2_000, ago=600, campaign="may")
    await one.loop.advance()
    said.append(await one.decided(complaints, "part <> ''"))

    unusual = await one.lane("fern")
    await one.past(unusual, 40, 2_000, hard_bounced=4)
    await one.mail(unusual, 6_000, campaign="relaunch", hard_bounced=100)
    await one.loop.advance()
    said.append(await one.decided(unusual))

    blocked = await one.lane("glow", "receipt")
    await one.past(blocked, 10, 500, provider=Provider.GMAIL)
    await one.mail(blocked, 600, provider=Provider.GMAIL, soft_bounced=60, sender_reputation=60)
    await one.loop.advance()
    said.append(await one.decided(blocked))

    lost = await one.lane("haven")
    await one.past(lost, 10, 100)
    await one.loop.advance()
    tenant = await one.world.connection.fetchval("select id from tenant where slug = 'haven'")
    await BreakerEditor(one.control).wish(
        tenant, "haven", "newsletter", Wish.ARMED, actor="ana", because="shadow was right"
    )
    await one.world.connection.execute(
        "update proof set proved = false, because = 'no bounce came back within 60 s' where lane = $1", lost
    )
    await one.loop.advance()
    alarm = next(one for one in await BreakerAlarms(one.control).read() if one.lane == lost)
    said.append(f"{alarm.sentence} {alarm.next}")

    hold = await one.world.connection.fetchval(
        "select hold from breaker_decision where lane = $1 and part <> ''", bought
    )
    await one.world.connection.execute(
        "update hold set lifted_at = now_ms(), lifted_by = 'ana', lifted_because = 'the list was cleaned' where id = $1",
        hold,
    )
    await one.loop.advance()
    ended = await one.world.connection.fetchval(
        "select ended_because from breaker_decision where hold = $1", hold
    )
    said.append(f"It is over: {ended}.")

    page = " ".join(PAGE.read_text().split())
    missing = [each for each in said if TIME.sub("TIME", each) not in TIME.sub("TIME", page)]
    assert missing == []
    assert len(said) == 10
