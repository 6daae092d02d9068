"""What follows of signals, over a real database: limits of a domain's mail to a provider, and alarms."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.outside_signal_store import OutsideSignalStore
from mailcordon.control.outside_signals import KEEP_DAYS, Added, OutsideSignals
from mailcordon.core.incident import Alarm, Kind
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust
from mailcordon.core.provider import Provider
from mailcordon_fixtures.cohorts import Cohorts

DOMAIN = "newsletter.acme.example"
POLICY = '{"version": 1, "tier": "strict", "warm_up": {"mode": "%s", "steps": {}, "others": [20]}}'


@dataclass
class Said:
    world: Any
    service: OutsideSignals
    lane: int
    day: int

    def rate(self, share: float, ago: int = 1, **over: Any) -> OutsideSignal:
        made = OutsideSignal(
            source=Source.POSTMASTER,
            domain=DOMAIN,
            day=self.day - ago,
            rate=share,
            trust=Trust.HIGH,
            provider=Provider.GMAIL,
        )
        return replace(made, **over)

    async def policy(self, mode: str) -> None:
        await self.world.connection.execute(
            "insert into lane_policy (lane, tenant, version, document)"
            " values ($1, (select tenant from lane where id = $1), 1, $2::jsonb)"
            " on conflict (lane) do update set document = excluded.document",
            self.lane,
            POLICY % mode,
        )

    async def mail(self, sent: int, ago: int, provider: int = Provider.GMAIL) -> None:
        minute = (self.day - ago) * 1440
        await Cohorts(self.world.connection).add(self.lane, minute=minute, provider=provider, sent=sent)

    async def hear(self, *signals: OutsideSignal) -> Added:
        return await self.service.add(signals, because="from a file", actor="ann")

    async def limits(self) -> list[tuple[Any, ...]]:
        rows = await self.world.connection.fetch(
            "select scope, domain, provider, per, cap, mode, spares_urgent from send_limit where owner = 'outside'"
        )
        return [tuple(row) for row in rows]

    async def alarms(self) -> Sequence[Alarm]:
        return await self.service.alarms()


@pytest.fixture
async def said(world: Any) -> AsyncIterator[Said]:
    lane = await world.lane("acme", "newsletter")
    control = await engine.create_pool(world.database.dsn("control"))
    day = await world.connection.fetchval("select now_ms() / 86400000")
    one = Said(world, OutsideSignals(OutsideSignalStore(control)), lane, day)
    await one.policy("enforce")
    yield one
    await control.close()


async def test_a_rate_that_is_too_high_slows_the_domains_mail_to_that_provider_until_a_later_day_is_better(
    said: Said,
) -> None:
    await said.mail(3_000, ago=2)
    await said.mail(1_000, ago=1)
    await said.mail(9_000, ago=1, provider=Provider.YAHOO)
    await said.mail(9_000, ago=30)
    await said.mail(9_000, ago=0)  # after the signal's day
    await said.hear(said.rate(0.004))
    slowed = ("identity", DOMAIN, Provider.GMAIL, "day", 1_000, "enforce", True)
    assert await said.limits() == [slowed]
    [alarm] = await said.alarms()
    assert (alarm.kind, alarm.severity, alarm.contained) == (Kind.RATES, "high", True)
    assert "0.4 %" in alarm.sentence
    assert "slowed" in alarm.sentence
    assert alarm.tenant == await said.world.connection.fetchval("select id from tenant where slug = 'acme'")
    await said.hear(said.rate(0.002, ago=0))
    assert await said.limits() == []
    assert [(one.severity, one.contained) for one in await said.alarms()] == [("medium", False)]
    await said.hear(said.rate(0.0, ago=0))
    assert await said.alarms() == []


async def test_it_ends_by_itself_when_the_last_figure_is_old(said: Said) -> None:
    await said.mail(1_000, ago=1)
    await said.hear(said.rate(0.004))
    assert len(await said.limits()) == 1
    await said.world.connection.execute("update outside_signal set day = day - 7")
    await said.service.advance()
    assert (await said.limits(), await said.alarms()) == ([], [])


async def test_nothing_is_slowed_on_the_word_of_a_file_that_is_not_trusted_or_by_a_policy_that_observes(
    said: Said,
) -> None:
    await said.mail(1_000, ago=1)
    await said.hear(said.rate(0.9, trust=Trust.MEDIUM))
    assert await said.limits() == []
    assert [one.severity for one in await said.alarms()] == ["medium"]
    await said.hear(said.rate(0.9, trust=Trust.LOW))
    assert (await said.limits(), await said.alarms()) == ([], [])
    await said.hear(said.rate(0.9))
    await said.policy("shadow")
    await said.service.advance()
    assert [row[-2] for row in await said.limits()] == ["shadow"]
    await said.policy("observe")
    await said.service.advance()
    assert await said.limits() == []
    [alarm] = await said.alarms()
    assert not alarm.contained
    assert "slowed" not in alarm.sentence + alarm.next


async def test_without_mail_to_the_provider_there_is_nothing_to_slow_and_nothing_says_so(said: Said) -> None:
    await said.mail(1_000, ago=1, provider=Provider.YAHOO)
    await said.hear(said.rate(0.9))
    assert await said.limits() == []
    assert [one.contained for one in await said.alarms()] == [False]


async def test_of_a_domain_that_several_tenants_send_from_nobody_is_slowed_and_all_are_named(
    said: Said,
) -> None:
    other = await said.world.lane("zen", "newsletter")
    await said.world.connection.execute("update route set domain = $1 where lane = $2", DOMAIN, other)
    await said.mail(1_000, ago=1)
    await said.hear(said.rate(0.9))
    assert await said.limits() == []
    [alarm] = await said.alarms()
    assert (alarm.tenant, len(alarm.tenants), alarm.contained) == (None, 2, False)
    assert "2 tenants send from this domain" in alarm.next
    assert await said.world.connection.fetchval("select tenant from outside_signal") is None


async def test_mail_through_ses_that_fails_dmarc_is_an_incident_and_slows_nothing(said: Said) -> None:
    await said.mail(1_000, ago=1)
    report = said.rate(
        0.5, source=Source.DMARC, trust=Trust.MEDIUM, reporter="google.com", report="1", bad=50, of=100
    )
    await said.hear(report, replace(report, domain="other.example"))
    [alarm] = await said.alarms()
    assert (alarm.kind, alarm.severity, alarm.scope.name) == (Kind.DOMAIN_LAPSED, "medium", DOMAIN)
    assert alarm.command == f"mailcordon identity check {DOMAIN}"
    assert await said.limits() == []


async def test_an_import_is_in_the_audit_trail_and_what_is_old_is_forgotten(said: Said) -> None:
    added = await said.hear(said.rate(0.0, ago=KEEP_DAYS + 1), said.rate(0.0), said.rate(0.001))
    assert added == Added(new=2, changed=0, known=0, not_ours=())
    assert await said.world.connection.fetchval("select array_agg(rate) from outside_signal") == [0.001]
    row = await said.world.connection.fetchrow(
        "select actor, because, after ->> 'new' as new from audit where action = 'signal.import'"
    )
    assert tuple(row) == ("ann", "from a file", "2")
