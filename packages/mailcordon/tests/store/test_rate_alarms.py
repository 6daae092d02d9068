"""Alarms about rates from the tables: what is read of a lane, who is at fault since when, and when an alarm ends."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine, rate_alarm_store
from mailcordon.adapters.db.rate_alarm_store import RateAlarmStore
from mailcordon.core.incident import Alarm, ScopeKind
from mailcordon.core.provider import Provider
from mailcordon.observe import rate_watch
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


async def bad_list(rates: Rates, lane: str = "acme/newsletter", ago: int = 40) -> None:
    await rates.mail(lane, 140, ago=ago, list="bought", hard_bounced=31)


async def hold(rates: Rates, slug: str, **of: Any) -> int:
    columns = {"list": None, "campaign": None, **of}
    return await rates.world.connection.fetchval(
        "insert into hold (tenant, list, campaign, owner, because, by, since)"
        " select id, $2, $3, 'person', 'a bought list', 'ana', now_ms() from tenant where slug = $1 returning id",
        slug,
        columns["list"],
        columns["campaign"],
    )


async def test_an_alarm_keeps_its_cause_and_onset_in_another_process(rates: Rates) -> None:
    await bad_list(rates)
    first = await rates.only()
    await rates.mail("acme/newsletter", 900, ago=45, list="june", hard_bounced=20)
    await rates.mail("acme/newsletter", 140, ago=50, list="bought", hard_bounced=30)
    rates.restart()
    second = await rates.only()
    assert (second.key, second.cause, second.since) == (first.key, first.cause, first.since)
    assert await rates.world.connection.fetchval("select count(*) from rate_alarm") == 1


@pytest.mark.parametrize("started_after", [False, True])
async def test_of_mail_of_the_last_minutes_the_onset_is_known_to_the_second(
    rates: Rates, started_after: bool
) -> None:
    store = ObservedStore(rates.control)
    rates.watch = RateWatch(store, EAGER)
    begins = (rates.now - 3) * 60_000
    await rates.mail("acme/newsletter", 50, ago=4, list="bought")
    if not started_after:
        store.now = begins - 1_000
        await rates.read()
    await rates.mail("acme/newsletter", 140, ago=3, list="bought")
    await rates.world.connection.execute("update cohort_feed set at = $1", begins + 17_000)
    await rates.mail("acme/newsletter", 0, ago=3, list="bought", hard_bounced=31)
    store.now = begins + 20_000
    assert (await rates.only()).since == begins + 16_000


async def test_a_hold_on_the_culprit_contains_it_and_another_does_not(rates: Rates) -> None:
    await bad_list(rates)
    assert not (await rates.only()).contained
    await hold(rates, "acme", campaign="june")
    assert not (await rates.only()).contained
    id = await hold(rates, "acme", list="bought")
    alarm = await rates.only()
    assert alarm.contained
    assert alarm.command is None
    assert [(one.key, one.author) for one in alarm.actions] == [(f"hold:{id}", "ana")]
    await rates.world.connection.execute("update hold set lifted_at = now_ms() where id = $1", id)
    assert not (await rates.only()).contained


async def test_mail_of_which_none_has_left_for_an_hour_does_no_more_harm(rates: Rates) -> None:
    await bad_list(rates, ago=61)
    assert (await rates.only()).contained


async def test_mail_to_a_provider_does_no_more_harm_once_the_lane_has_sent_none_for_an_hour(
    rates: Rates,
) -> None:
    await rates.mail("acme/receipt", 400, ago=61)
    await rates.mail("acme/receipt", 140, ago=61, provider=Provider.GMAIL, hard_bounced=31)
    alarm = await rates.only()
    assert (alarm.scope.kind, alarm.contained) == (ScopeKind.PROVIDER, True)
    await rates.mail("acme/receipt", 1, ago=5)
    assert not (await rates.only()).contained


async def test_an_alarm_ends_when_good_mail_outweighs_the_bad(rates: Rates) -> None:
    await rates.mail("acme/receipt", 200, ago=40, hard_bounced=31)
    assert (await rates.only()).cause == f"lane:{rates.lanes['acme/receipt']}/rates"
    await rates.mail("acme/receipt", 2_000, ago=20, hard_bounced=2)
    assert await rates.read() == []
    assert await rates.world.connection.fetchval("select count(*) from rate_alarm") == 0


async def test_an_alarm_of_a_tenant_that_is_retired_ends(rates: Rates) -> None:
    await bad_list(rates)
    assert await rates.only()
    await rates.world.connection.execute("update tenant set retired_at = now()")
    assert await rates.read() == []
    assert await rates.world.connection.fetchval("select count(*) from rate_alarm") == 0


async def test_a_second_bad_list_of_the_lane_is_an_alarm_of_its_own(rates: Rates) -> None:
    await bad_list(rates)
    await rates.only()
    await rates.mail("acme/newsletter", 200, ago=20, list="scraped", hard_bounced=50)
    lane = rates.lanes["acme/newsletter"]
    assert [one.cause for one in await rates.read()] == [
        f"lane:{lane}/list:bought",
        f"lane:{lane}/list:scraped",
    ]


async def test_bounces_and_complaints_of_a_list_have_one_cause(rates: Rates) -> None:
    await rates.mail("acme/newsletter", 1_000, ago=50, list="bought", hard_bounced=150, complained=40)
    alarms = await rates.read()
    assert len(alarms) == 2
    assert len({one.cause for one in alarms}) == 1


@pytest.mark.parametrize("name", ["bought", None])
async def test_complaints_are_a_share_of_the_mail_whose_providers_report_them(
    rates: Rates, name: str | None
) -> None:
    for provider, sent, complained in ((Provider.GMAIL, 100_000, 3), (Provider.YAHOO, 2_000, 14)):
        await rates.mail(
            "acme/newsletter", sent, ago=600, list=name, provider=provider, complained=complained
        )
    alarm = await rates.only()
    assert alarm.cause == f"lane:{rates.lanes['acme/newsletter']}/" + (
        "rates" if name is None else f"list:{name}"
    )
    assert (alarm.evidence["signal"], alarm.evidence["events"], alarm.evidence["sent"]) == (
        "complaints",
        14,
        2_000,
    )


async def test_a_provider_that_refuses_the_mail_of_several_tenants_is_itself_the_cause(rates: Rates) -> None:
    for slug in ("acme", "zen", "otto"):
        await rates.mail(f"{slug}/receipt", 300, ago=40, provider=Provider.GMAIL, hard_bounced=90)
        await rates.mail(f"{slug}/receipt", 900, ago=40, provider=Provider.YAHOO, hard_bounced=4)
    *of_lanes, of_provider = await rates.read()
    assert (of_provider.cause, of_provider.tenant, len(of_provider.tenants)) == ("provider:gmail", None, 3)
    assert [one.explained_by[-1] for one in of_lanes] == ["provider:gmail"] * 3


async def test_of_a_lane_with_more_lists_than_are_told_apart_the_worst_is_still_named(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_alarm_store, "MOST_SLICES", 3)
    for n in range(6):
        await rates.mail("acme/newsletter", 400, ago=30 - n, list=f"weekly-{n}", hard_bounced=2)
    await bad_list(rates)
    assert (await rates.only()).scope.name == "bought"


async def test_on_a_quiet_system_a_round_reads_no_counts(rates: Rates) -> None:
    await rates.mail("zen/newsletter", 5_000, ago=40, hard_bounced=40)
    await rates.read()
    store = ObservedStore(rates.control)
    rates.watch = RateWatch(store, EAGER)
    await rates.read()
    store.lanes_read.clear()
    await rates.mail("zen/newsletter", 5_000, ago=10)
    for _ in range(3):
        await rates.read()
    assert store.lanes_read == []


async def test_a_round_judges_a_bounded_number_of_lanes_and_forgets_none(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_watch, "MOST_LANES", 2)
    for n in range(5):
        await bad_list(rates, f"t{n}/newsletter")
    rates.restart(Intervals(few_events=0, again=3_600_000, open=3_600_000))
    assert [len(await rates.read()) for _ in range(3)] == [2, 4, 5]


async def test_lanes_are_judged_also_after_the_clock_of_the_database_was_set_back(rates: Rates) -> None:
    store = ObservedStore(rates.control)
    rates.watch = RateWatch(store, Intervals())
    await bad_list(rates)
    store.now = (rates.now + 120) * 60_000
    assert len(await rates.read()) == 1
    await rates.mail("acme/newsletter", 2_000, list="bought")
    store.now = rates.now * 60_000
    assert await rates.read() == []


async def test_many_alarms_keep_no_other_lane_and_no_alarm_from_its_turn(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObservedStore(rates.control)
    rates.watch = RateWatch(store, EAGER)
    for n in range(4):
        await bad_list(rates, f"t{n}/newsletter")
    assert len(await rates.read()) == 4
    monkeypatch.setattr(rate_watch, "MOST_LANES", 2)
    await bad_list(rates, "zen/newsletter")
    assert len(await rates.read()) == 5
    store.lanes_read.clear()
    for _ in range(5):
        await rates.read()
    assert {lane for read in store.lanes_read for lane in read} == set(rates.lanes.values())


class ObservedStore(RateAlarmStore):
    """Remembers what was read, and can be told what time it is."""

    def __init__(self, control: engine.Pool) -> None:
        super().__init__(control)
        self.lanes_read: list[Sequence[int]] = []
        self.now: int | None = None

    async def changes(self, fold: int | None) -> rate_watch.Changes:
        found = await super().changes(fold)
        return found if self.now is None else dataclasses.replace(found, now=self.now)

    async def lanes(self, ids: Sequence[int], now: int) -> Sequence[rate_watch.LaneFacts]:
        self.lanes_read.append(ids)
        return await super().lanes(ids, now)


async def test_a_bad_list_is_no_part_of_the_incident_of_the_lane_whose_backlog_it_fills(rates: Rates) -> None:
    await bad_list(rates)
    one = await rates.only()
    assert f"lane:{rates.lanes['acme/newsletter']}" not in (one.cause, *one.explained_by)
