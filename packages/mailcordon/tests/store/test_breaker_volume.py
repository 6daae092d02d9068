"""The breaker's loop and volume: a lane that sends without end is slowed; of one without usual hours people are only told."""

from typing import Any

from mailcordon.adapters.db.breaker_reader import BreakerEditor
from mailcordon.core.cohort import COLUMNS
from mailcordon.guard.arming import Wish
from mailcordon.observe.breaker.intervals import Intervals
from mailcordon.observe.breaker.loop import BreakerLoop
from mailcordon_fixtures.breaker_watching import Watching

EACH_ROUND = Intervals(arming=0, facts=0, carried=0, account=0, follow=0, volume=0)


async def hours(watching: Watching, lane: int, *, days: int, an_hour: int) -> None:
    """Mail of each hour of these days, until an hour ago."""
    await watching.world.connection.execute(
        "insert into cohort_change (tenant, lane, minute, path, provider, counts)"
        " select l.tenant, l.id, g.minute, 'isolated', 3, array[$3, 0, $3] || array_fill(0, array[$4 - 3])"
        " from lane l, generate_series($1 - $2 * 1440, $1 - 60, 60) g (minute) where l.id = $5",
        watching.now,
        days,
        an_hour,
        len(COLUMNS),
        lane,
    )
    await watching.cohorts.fold()


async def armed(watching: Watching, slug: str, *, an_hour: int = 40) -> tuple[BreakerLoop, int]:
    """An armed lane with 12 usual days."""
    lane = await watching.world.lane(slug, "newsletter")
    await watching.prove(lane)
    await hours(watching, lane, days=12, an_hour=an_hour)
    loop = watching.start(intervals=EACH_ROUND)
    assert await loop.advance()
    await BreakerEditor(watching.control).wish(
        1, slug, "newsletter", Wish.ARMED, actor="ana", because="its hours are known"
    )
    await loop.advance()
    assert await decisions(watching) == []
    return loop, lane


async def decisions(watching: Watching) -> list[tuple[Any, ...]]:
    return await watching.rows("select signal, mode, ended_at is null from breaker_decision order by id")


async def rates(watching: Watching) -> list[tuple[Any, ...]]:
    return await watching.rows("select lane, stops, rate from hold where lifted_at is null")


async def test_an_armed_lane_that_sends_without_end_is_slowed_to_twice_its_usual_hours(
    watching: Watching,
) -> None:
    loop, lane = await armed(watching, "acme")
    other = await watching.world.lane("zen", "newsletter")
    await watching.mail(other, 30, ago=1)
    await watching.mail(lane, 9_000, ago=1)
    await loop.advance()
    assert await decisions(watching) == [("volume", "enforce", True)]
    ((slowed, stops, rate),) = await rates(watching)
    assert (slowed, stops) == (lane, False)
    assert 80 / 3600 <= rate <= 160 / 3600
    ((seen, done),) = await watching.rows("select seen, done from breaker_decision")
    assert seen.startswith("acme/newsletter: 9,0")
    assert "at these hours of the week " in seen
    assert seen.endswith(" A program that repeats itself looks like this.")
    assert done.startswith("Slowed: acme/newsletter to ")
    assert "mails an hour, twice its busiest usual hour; the rest waits. All other mail of acme" in done
    assert "Next: ask acme whether this is a launch or a loop." in done
    # A restart knows it, and makes it no second time.
    await loop.close()
    next_ = watching.start(intervals=EACH_ROUND)
    await next_.advance()
    await next_.advance()
    assert await decisions(watching) == [("volume", "enforce", True)]
    assert len(await rates(watching)) == 1
    # Hours later it sends as usual again.
    await watching.mail(lane, -9_000, ago=1)
    await watching.mail(lane, 30, ago=1)
    await next_.advance()
    await next_.advance()
    assert await decisions(watching) == [("volume", "enforce", False)]
    assert await rates(watching) == []


async def test_a_person_who_says_that_a_launch_is_normal_is_not_told_again(watching: Watching) -> None:
    loop, lane = await armed(watching, "acme")
    await watching.mail(lane, 9_000, ago=1)
    await loop.advance()
    await BreakerEditor(watching.control).accept(1, actor="ana", because="the launch")
    await loop.advance()
    await watching.mail(lane, 3_000, ago=1)
    await loop.advance()
    assert await decisions(watching) == [("volume", "enforce", False)]
    assert await rates(watching) == []
    # After a day, what left around that day is usual; without it, the same volume is not.
    await watching.rows("update breaker_decision set ended_at = ended_at - 86460000 returning id")
    await watching.mail(lane, 1_000, ago=1)
    await loop.advance()
    assert len(await decisions(watching)) == 1
    await watching.rows("update breaker_decision set ended_at = ended_at - 345600000 returning id")
    await watching.mail(lane, 1, ago=1)
    await loop.advance()
    assert len(await decisions(watching)) == 2


async def test_a_new_lanes_first_large_day_is_told_and_never_slowed(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    loop = watching.start(intervals=EACH_ROUND)
    await loop.advance()
    await watching.mail(lane, 40_000, ago=1)
    await loop.advance()
    assert await decisions(watching) == [("volume", "shadow", True)]
    assert await rates(watching) == []
    ((seen, done),) = await watching.rows("select seen, done from breaker_decision")
    assert "; the lane is new, and nobody announced so much. " in seen
    assert "Nothing is held or slowed: acme/newsletter has no usual hours of the week" in done
    # Also not once it is armed: nothing is known of its hours.
    await watching.rows(
        "update breaker_lane set wish = 'armed', wish_at = 1, wish_by = 'ana', wish_because = 'x' returning lane"
    )
    await watching.rows("update slice set first_minute = first_minute - 14400 returning id")
    await loop.advance()
    await loop.advance()
    assert [row[:2] for row in await decisions(watching)] == [("volume", "shadow")]
    assert await rates(watching) == []


async def test_an_announced_day_and_a_lane_that_is_not_armed(watching: Watching) -> None:
    new = await watching.world.lane("zen", "newsletter")
    await watching.rows(
        "insert into tenant_fact (tenant, planned_per_day, told_at, told_by)"
        " select id, 30000, 1, 'ana' from tenant where slug = 'zen' returning tenant"
    )
    usual = await watching.world.lane("acme", "newsletter")
    await watching.prove(usual)
    await hours(watching, usual, days=12, an_hour=40)
    loop = watching.start(intervals=EACH_ROUND)
    await loop.advance()
    await watching.mail(new, 40_000, ago=1)
    await watching.mail(usual, 9_000, ago=1)
    await loop.advance()
    assert await watching.rows("select lane, mode from breaker_decision") == [(usual, "shadow")]
    assert await rates(watching) == []


async def test_a_person_who_lifts_the_accounts_hold_is_obeyed(watching: Watching) -> None:
    bad = await watching.world.lane("acme", "newsletter")
    await watching.prove(bad)
    await watching.mail(bad, 2_000, ago=90, hard_bounced=120)
    loop = watching.start()
    await loop.advance()
    await loop.advance()
    ((hold,),) = await watching.rows("select id from hold where lifted_at is null")
    await watching.governor.lift([hold], tenant=1, actor="ana", because="the list was cleaned")
    for _ in range(3):
        await loop.advance()
    assert await rates(watching) == []
    assert await watching.rows("select signal, ended_by from breaker_decision where signal = 'account'") == [
        ("account", "ana")
    ]
    assert watching.engine.freed == []
