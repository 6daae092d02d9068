"""Budgets of domains that are new to a provider, over a real database: computed from the counts of days."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.warm_up_store import WarmUpStore
from mailcordon.control.pacing.warm_ups import WarmUps
from mailcordon.core.provider import Provider
from mailcordon_fixtures.cohorts import Cohorts

POLICY = '{"version": 1, "tier": "strict", "warm_up": {"mode": "%s", "steps": {"gmail": [50, 100, 500]}, "others": [20, 40]}}'


@dataclass
class Warmth:
    world: Any
    cohorts: Cohorts
    warm_ups: WarmUps
    lane: int
    tenant: int
    day: int

    async def policy(self, mode: str = "enforce", lane: int | None = None) -> None:
        await self.world.connection.execute(
            "insert into lane_policy (lane, tenant, version, document) values ($1, $2, 1, $3::jsonb)"
            " on conflict (lane) do update set document = excluded.document",
            lane or self.lane,
            self.tenant,
            POLICY % mode,
        )

    async def mail(
        self,
        sent: int,
        *,
        ago: int = 0,
        lane: int | None = None,
        provider: int = Provider.GMAIL,
        **counts: Any,
    ) -> None:
        minute = (self.day - ago) * 1440
        await self.cohorts.add(lane or self.lane, minute=minute, provider=provider, sent=sent, **counts)

    async def look(self) -> dict[str, tuple[int, int, int | None]]:
        """By provider: step from 1 on, of how many, budget."""
        await self.warm_ups.advance()
        rows = await self.world.connection.fetch(
            "select provider, step, steps, cap from warm_up where domain = 'newsletter.acme.example'"
        )
        return {Provider(row["provider"]).word: (row["step"] + 1, row["steps"], row["cap"]) for row in rows}

    async def limits(self) -> dict[tuple[str, str], tuple[int, str, str]]:
        rows = await self.world.connection.fetch(
            "select domain, provider, cap, mode, per, spares_urgent, because from send_limit where owner = 'warm-up' order by id"
        )
        assert all(row["per"] == "day" and row["spares_urgent"] for row in rows)
        return {
            (row["domain"], Provider(row["provider"]).word): (row["cap"], row["mode"], row["because"])
            for row in rows
        }


@pytest.fixture
async def warmth(world: Any) -> AsyncIterator[Warmth]:
    lane = await world.lane("acme", "newsletter")
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    control = await engine.create_pool(world.database.dsn("control"))
    day = await world.connection.fetchval("select now_ms() / 86400000")
    one = Warmth(world, Cohorts(world.connection), WarmUps(WarmUpStore(control)), lane, tenant, day)
    await one.policy()
    yield one
    await control.close()


async def test_a_new_domain_has_a_budget_at_each_large_provider_before_its_first_mail(warmth: Warmth) -> None:
    at = await warmth.look()
    assert at["gmail"] == (1, 3, 50)
    assert {at[name] for name in ("microsoft", "yahoo", "apple", "other", "unknown")} == {(1, 2, 20)}
    assert (await warmth.limits())["newsletter.acme.example", "gmail"] == (
        50,
        "enforce",
        "newsletter.acme.example is new to gmail: 50 mails today, on day 1 of 3.",
    )


async def test_each_day_with_its_mail_is_a_step_and_the_last_ends_the_limit(warmth: Warmth) -> None:
    await warmth.mail(50, ago=2)
    await warmth.mail(90, ago=1)
    assert (await warmth.look())["gmail"] == (3, 3, 500)
    assert (await warmth.limits())["newsletter.acme.example", "gmail"][2].endswith(
        "500 mails today, on day 3 of 3."
    )
    await warmth.mail(400)
    await warmth.world.connection.execute("update warm_up set day = day - 1, last_day = last_day - 1")
    await warmth.world.connection.execute("update cohort_day set day = day - 1")
    at = await warmth.look()
    assert at["gmail"] == (4, 3, None)
    assert ("newsletter.acme.example", "gmail") not in await warmth.limits()
    assert ("newsletter.acme.example", "yahoo") in await warmth.limits()


async def test_lanes_that_share_a_domain_share_its_budget(warmth: Warmth) -> None:
    other = await warmth.world.lane("acme", "announcement")
    await warmth.world.connection.execute(
        "update route set domain = 'newsletter.acme.example' where lane = $1", other
    )
    await warmth.world.connection.execute("delete from route_moved")
    await warmth.mail(20, ago=1)
    await warmth.mail(30, ago=1, lane=other)
    assert (await warmth.look())["gmail"] == (2, 3, 100)
    assert [domain for domain, _ in await warmth.limits()].count("newsletter.acme.example") == 6
    await warmth.policy("shadow")
    await warmth.policy("enforce", other)
    await warmth.look()
    assert (await warmth.limits())["newsletter.acme.example", "gmail"][1] == "enforce", (
        "the strictest of its lanes'"
    )


async def test_mail_from_before_a_lane_moved_to_the_domain_is_none_of_its(warmth: Warmth) -> None:
    await warmth.mail(400, ago=1)
    await warmth.world.connection.execute(
        "update route set domain = 'new.acme.example' where lane = $1", warmth.lane
    )
    await warmth.warm_ups.advance()
    assert (await warmth.limits())["new.acme.example", "gmail"][0] == 50


async def test_a_provider_that_defers_cuts_the_day(warmth: Warmth) -> None:
    await warmth.mail(50, ago=1)
    assert (await warmth.look())["gmail"] == (2, 3, 100)
    await warmth.mail(40, delayed=20)
    assert (await warmth.look())["gmail"] == (2, 3, 50)
    assert (await warmth.limits())["newsletter.acme.example", "gmail"][2] == (
        "gmail defers mail of newsletter.acme.example: only 50 mails today, on day 2 of 3."
    )


async def test_in_shadow_it_says_what_it_would_have_held_and_when_it_observes_it_limits_nothing(
    warmth: Warmth,
) -> None:
    await warmth.policy("shadow")
    await warmth.look()
    assert {mode for _, mode, _ in (await warmth.limits()).values()} == {"shadow"}
    await warmth.policy("observe")
    assert (await warmth.look())["gmail"] == (1, 3, 50)
    assert await warmth.limits() == {}


async def test_a_provider_without_a_budget_gets_one_when_mail_went_to_it(warmth: Warmth) -> None:
    await warmth.look()
    await warmth.mail(12, provider=Provider.PROTON)
    assert (await warmth.look())["proton"] == (1, 2, 20)


async def test_the_same_standing_whether_days_were_followed_or_are_read_at_once(warmth: Warmth) -> None:
    await warmth.mail(50, ago=3)
    await warmth.mail(20, ago=2)
    await warmth.mail(80, ago=1, delayed=40)
    followed = await warmth.look()
    await warmth.world.connection.execute("delete from warm_up")
    assert await warmth.look() == followed


async def test_a_domain_that_no_lane_sends_from_any_more_is_forgotten(warmth: Warmth) -> None:
    await warmth.look()
    await warmth.world.connection.execute(
        "update route set domain = 'new.acme.example' where lane = $1", warmth.lane
    )
    await warmth.warm_ups.advance()
    assert {domain for domain, _ in await warmth.limits()} == {"new.acme.example"}


async def test_a_lane_with_a_shared_path_warms_up_by_what_left_on_its_own(warmth: Warmth) -> None:
    await warmth.policy()
    await warmth.world.share(warmth.lane)
    minute = (warmth.day - 1) * 1440
    await warmth.cohorts.add(warmth.lane, minute=minute, path="shared", provider=Provider.GMAIL, sent=5_000)
    await warmth.cohorts.add(warmth.lane, minute=minute, path="isolated", provider=Provider.GMAIL, sent=45)
    assert (await warmth.look())["gmail"] == (2, 3, 100)
    shared = await warmth.world.connection.fetchval(
        "select count(*) from warm_up where domain = 'mail.platform.example'"
    )
    assert shared == 0


async def test_a_pool_is_cold_and_the_way_back_to_the_shared_addresses_is_not(warmth: Warmth) -> None:
    """The shared addresses are warm. A way back that took no history along would hold most of the lane's mail."""
    await warmth.mail(600, ago=1)
    assert (await warmth.look())["gmail"] == (4, 3, None)
    put = "update route set ip_pool = $2 where lane = $1"
    await warmth.world.connection.execute(put, warmth.lane, "bulk")
    await warmth.warm_ups.advance()
    assert (await warmth.limits())["newsletter.acme.example", "gmail"][0] == 50
    await warmth.world.connection.execute(put, warmth.lane, None)
    await warmth.warm_ups.advance()
    assert ("newsletter.acme.example", "gmail") not in await warmth.limits()
