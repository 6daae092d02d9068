"""Steps of releases over a real database: opened by what came back, with the limit that dispatchers obey."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.release_store import ReleaseStore
from mailcordon.control.pacing.releases import Look, Releases
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.provider import Provider
from mailcordon_fixtures.cohorts import Cohorts

MINUTE = 60_000


@dataclass
class Batch:
    world: Any
    cohorts: Cohorts
    store: ReleaseStore
    releases: Releases
    lane: int
    tenant: int
    id: int
    minute: int

    async def mail(self, sent: int, *, ago: int = 3, campaign: str | None = "sale", **counts: Any) -> None:
        """Mail of Yahoo's, all of it delivered unless `counts` say otherwise."""
        counts.setdefault("delivered", sent - counts.get("hard_bounced", 0))
        await self.cohorts.add(
            self.lane,
            minute=self.minute - ago,
            campaign=campaign,
            provider=Provider.YAHOO,
            sent=sent,
            **counts,
        )

    async def later(self, ms: int) -> None:
        """So much time has passed, as far as the release knows."""
        await self.world.connection.execute(
            "update release set began_at = began_at - $1::bigint, opened_at = opened_at - $1::bigint,"
            " left_at = left_at - $1::bigint",
            ms,
        )

    async def look(self) -> Any:
        await self.releases.advance()
        return await self.world.connection.fetchrow("select * from release where id = $1", self.id)

    async def caps(self) -> dict[str | None, tuple[int, str]]:
        rows = await self.world.connection.fetch(
            "select campaign, cap, because from send_limit where owner = 'release' order by id"
        )
        return {row["campaign"]: (row["cap"], row["because"]) for row in rows}

    async def cap(self) -> int | None:
        found = (await self.caps()).get("sale")
        return None if found is None else found[0]


@pytest.fixture
async def control(world: Any) -> AsyncIterator[engine.Pool]:
    pool = await engine.create_pool(world.database.dsn("control"))
    yield pool
    await pool.close()


@pytest.fixture
async def batch(world: Any, control: engine.Pool) -> Batch:
    lane = await world.lane("acme", "newsletter")
    await world.account(rate=500)
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    send = await engine.connect(world.database.dsn("send"))
    try:
        await send.execute(
            "select begin_release($1, $2, 'campaign', 'sale', 1500, false, 'size', 'enforce', 'sale leaves in steps')",
            tenant,
            lane,
        )
        id = await world.connection.fetchval("select id from release")
        await send.execute(
            "insert into release_intake (release, node, tenant, deliveries, last_at) values ($1, 1, $2, 100000, now_ms())",
            id,
            tenant,
        )
    finally:
        await send.close()
    store = ReleaseStore(control)
    minute = await world.connection.fetchval("select now_ms() / 60000")
    one = Batch(world, Cohorts(world.connection), store, Releases(store), lane, tenant, id, minute)
    await one.later(3 * MINUTE)
    return one


async def test_a_step_opens_when_its_feedback_is_good_and_the_limit_with_it(batch: Batch) -> None:
    assert (await batch.look())["why"] == "nothing-left"
    await batch.mail(1500, hard_bounced=12)
    row = await batch.look()
    assert (row["why"], row["cap"], await batch.cap()) == ("age", 1500, 1500)
    assert (row["sent"], row["heard"], row["bounces"]) == (1500, 1500, 12)
    await batch.later(2 * MINUTE)
    row = await batch.look()
    assert (row["step"], row["cap"], await batch.cap()) == (1, 6000, 6000)
    assert "6,000 mails" in (await batch.caps())["sale"][1]


async def test_bounces_close_it_and_what_was_seen_then_stays_the_reason(batch: Batch) -> None:
    await batch.mail(1500, hard_bounced=150)
    row = await batch.look()
    assert (row["phase"], row["why"], row["cap"]) == ("closed", "bounces", 1500)
    assert await batch.cap() == 0
    said = (await batch.caps())["sale"][1]
    assert said.startswith("Campaign sale has stopped: 150 hard bounces of 1,500 mails, where at most ")
    await batch.mail(0, hard_bounced=5, delivered=-5)
    assert (await batch.look())["bounces"] == 155
    assert (await batch.caps())["sale"][1] == said


async def test_silence_opens_nothing(batch: Batch) -> None:
    await batch.mail(1500, delivered=10)
    await batch.look()
    await batch.later(20 * MINUTE)
    row = await batch.look()
    assert (row["why"], row["step"], await batch.cap()) == ("silence", 0, 1500)


async def test_calls_that_failed_do_not_use_a_step_up_for_good(batch: Batch) -> None:
    """SES answered none of the first step's calls: their mail is tried again, and must find room."""

    async def called(calls: int, minutes_ago: int) -> None:
        await batch.world.connection.execute(
            "update limit_use set ever = $1, minute = (now_ms() / 60000)::int - $2 where campaign = 'sale'",
            calls,
            minutes_ago,
        )

    await batch.world.connection.execute("update cohort_fold set folded_at = now_ms()")
    await called(1500, 1)
    await batch.look()
    assert await batch.cap() == 1500  # their results may be on the way
    await called(1500, 10)
    assert (await batch.look())["why"] == "nothing-left"
    assert await batch.cap() == 3000
    await batch.mail(100)
    await called(3000, 10)
    await batch.look()
    await batch.later(2 * MINUTE)
    row = await batch.look()
    assert (row["why"], row["step"], await batch.cap()) == ("unused", 0, 4400)
    await batch.world.connection.execute("update cohort_fold set folded_at = now_ms() - 600000")
    await called(4400, 10)
    await batch.look()
    assert await batch.cap() == 4400  # counts are behind


async def test_mail_of_other_campaigns_and_alarms_about_others_change_nothing(batch: Batch) -> None:
    await batch.mail(9000, campaign="news", hard_bounced=900)
    await batch.mail(9000, campaign=None, hard_bounced=900)
    row = await batch.look()
    assert (row["phase"], row["sent"], row["bounces"]) == ("steps", 0, 0)
    other = await batch.world.lane("zen", "newsletter")
    await batch.world.connection.execute(
        "insert into rate_alarm (lane, signal, part, value, since, raised_at) values ($1, 'bounces', 'list', 'sale', 0, 0),"
        " ($2, 'bounces', '', '', 0, 0)",
        batch.lane,
        other,
    )
    assert (await batch.look())["phase"] == "steps"


async def test_complaints_of_providers_that_report_none_are_no_measure(batch: Batch) -> None:
    await batch.cohorts.add(
        batch.lane,
        minute=batch.minute - 3,
        campaign="sale",
        provider=Provider.GMAIL,
        sent=1000,
        delivered=1000,
        complained=1,
    )
    await batch.mail(500)
    row = await batch.look()
    assert (row["sent"], row["complaints"]) == (1500, 0)
    assert row["usual_complaints"] < 0.5


async def test_an_alarm_closes_it_and_its_end_begins_the_steps_anew(batch: Batch) -> None:
    await batch.mail(1000)
    await batch.world.connection.execute(
        "insert into rate_alarm (lane, signal, part, value, since, raised_at) values ($1, 'bounces', 'campaign', 'sale', 0, 0)",
        batch.lane,
    )
    row = await batch.look()
    assert (row["phase"], row["why"], await batch.cap()) == ("closed", "warned", 0)
    await batch.world.connection.execute("delete from rate_alarm")
    assert (await batch.look())["phase"] == "closed", "not at once"
    await batch.later(2 * MINUTE)
    await batch.world.connection.execute("update limit_use set ever = 990")
    row = await batch.look()
    assert (row["phase"], row["step"], row["cap"]) == ("steps", 0, 2500)
    assert await batch.cap() == 2490, "as many more as a step has, by the limit's own counter"


async def test_a_decision_of_the_breaker_closes_it_if_the_breaker_may_decide_so(batch: Batch) -> None:
    await batch.mail(1000)
    for part, half, mode, closes in (
        ("campaign:other", "absolute", "enforce", False),
        ("campaign:sale", "relative", "shadow", False),
        ("campaign:sale", "absolute", "observe", False),
        ("campaign:sale", "absolute", "shadow", True),
    ):
        await batch.world.connection.execute("delete from breaker_decision")
        await batch.world.connection.execute(
            "insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, document)"
            " values ($1, $2, $3, 'bounces', $4, 1, $5, 0, 0, 'x', 'y', '{}')",
            *(batch.tenant, batch.lane, part, half, mode),
        )
        assert ((await batch.look())["why"] == "warned") is closes, (part, half, mode)


async def test_the_limit_goes_when_the_steps_are_wider_than_the_lane_is_fast(batch: Batch) -> None:
    await batch.mail(60_000)
    await batch.look()
    await batch.world.connection.execute(
        "update release set step = 4, cap = 90000, opened_at = opened_at - 120000"
    )
    row = await batch.look()
    assert (row["phase"], row["why"], await batch.caps()) == ("open", "healthy", {})


async def test_it_is_over_when_it_was_quiet_and_nothing_of_it_is_queued(batch: Batch) -> None:
    await batch.world.connection.execute("update release_intake set last_at = last_at - 31 * 60000")
    await batch.world.connection.execute(
        "insert into ready (lane, id, tenant, hash, campaign) values ($1, 65, $2, 'x', 'sale')",
        batch.lane,
        batch.tenant,
    )
    assert (await batch.look())["phase"] == "steps"
    await batch.world.connection.execute("delete from ready")
    batch.releases = Releases(batch.store)  # it looks at the queue once a minute
    row = await batch.look()
    assert (row["phase"], row["ended_at"] is not None, await batch.caps()) == ("over", True, {})


async def test_two_processes_that_look_at_the_same_time_open_one_step(batch: Batch) -> None:
    await batch.mail(1500)
    await batch.look()
    await batch.later(2 * MINUTE)
    others = [Releases(batch.store) for _ in range(3)]
    await asyncio.gather(*(each.advance() for each in others))
    row = await batch.world.connection.fetchrow("select step, cap from release")
    assert tuple(row) == (1, 6000)


class Late(ReleaseStore):
    """Is suspended before it stores what it decided."""

    looks: Sequence[Look] = ()

    async def save(self, looks: Sequence[Look]) -> None:
        self.looks = looks


async def test_what_a_suspended_process_decided_changes_nothing_that_was_decided_since(
    batch: Batch, control: engine.Pool
) -> None:
    await batch.mail(1500)
    await batch.look()
    await batch.later(2 * MINUTE)
    late = Late(control)
    await Releases(late).advance()
    assert [look.after.step for look in late.looks] == [1]
    await batch.look()
    await batch.later(MINUTE)
    await batch.mail(4500, ago=2)
    assert (await batch.look())["step"] == 2
    await batch.store.save(late.looks)
    assert (await batch.world.connection.fetchval("select step from release"), await batch.cap()) == (
        2,
        19_500,
    )


async def test_the_database_shows_a_tenants_key_no_other_tenants_rows(batch: Batch) -> None:
    await batch.world.connection.execute(
        "insert into warm_up values ($1, 'a.example', '', 1, 20000, 2, 20, null, 'advanced', null, 500, 'enforce', 20000)",
        batch.tenant,
    )
    reader = await engine.connect(batch.world.database.dsn("reader"))
    try:
        for tenant, rows in ((batch.tenant + 1, 0), (batch.tenant, 1)):
            await reader.execute(f"set mailcordon.tenant = '{tenant}'")
            for table in ("release", "release_intake", "warm_up"):
                assert await reader.fetchval(f"select count(*) from {table}") == rows, (table, tenant)
    finally:
        await reader.close()


async def test_other_releases_of_the_lane_and_the_tenant_keep_their_limits(batch: Batch) -> None:
    promo = await batch.world.lane("acme", "announcement")
    send = await engine.connect(batch.world.database.dsn("send"))
    for lane, name in ((batch.lane, "news"), (promo, "promo")):
        await send.execute(
            "select begin_release($1, $2, 'campaign', $3, 1500, false, 'size', 'enforce', 'steps')",
            batch.tenant,
            lane,
            name,
        )
    await send.close()
    await batch.mail(1500, hard_bounced=150)
    await batch.look()
    assert {name: cap for name, (cap, _) in (await batch.caps()).items()} == {
        "sale": 0,
        "news": 1500,
        "promo": 1500,
    }


async def test_a_person_lets_all_of_it_leave_and_the_trail_says_who(batch: Batch) -> None:
    await batch.mail(1500, hard_bounced=150)
    await batch.look()
    with pytest.raises(NotFound):
        await batch.store.open(batch.id + 1, actor="ann", because="checked")
    await batch.store.open(batch.id, actor="ann", because="checked")
    assert await batch.caps() == {}
    row = await batch.look()
    assert (row["phase"], row["why"], row["opened_by"], row["bounces"]) == ("open", "person", "ann", 150)
    trail = await batch.world.connection.fetchrow(
        "select actor, action, because from audit order by id desc limit 1"
    )
    assert tuple(trail) == ("ann", "release.open", "checked")
    await batch.world.connection.execute("update release set phase = 'over', ended_at = now_ms()")
    with pytest.raises(Conflict):
        await batch.store.open(batch.id, actor="ann", because="again")


async def test_the_lanes_busy_day_says_how_large_a_large_batch_is(batch: Batch) -> None:
    day = batch.minute // 1440
    for ago in range(1, 11):
        await batch.cohorts.add(
            batch.lane, minute=(day - ago) * 1440, provider=Provider.YAHOO, sent=1000 * ago, fold=False
        )
    await batch.cohorts.fold()
    assert (await batch.store.busy_days([batch.lane]))[batch.lane] == pytest.approx(9100)


async def test_mail_of_many_hours_is_counted_once(batch: Batch) -> None:
    await batch.later(9 * 60 * MINUTE)
    for ago in (3, 200, 400, 430, 500):
        await batch.mail(100, ago=ago)
    assert (await batch.look())["sent"] == 500
