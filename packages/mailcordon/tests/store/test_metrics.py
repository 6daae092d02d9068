"""Counts and rates from the tables: which mail a line counts, of what it is a share, and how it is looked up."""

import itertools
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import cohort_rebuild, engine, metrics_reading, metrics_statements
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control.upkeep import Purged
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.delays import Signal
from mailcordon.observe.metrics_view import MetricLine, MetricQuery, MetricScope, Page, TopQuery, rates_of
from mailcordon.observe.rates import evidence
from mailcordon.observe.windows import DAY, HOUR, Window
from mailcordon_fixtures.cohorts import Cohorts


@dataclass
class Fleet:
    """Lanes of tenants, and mail of theirs as cohorts."""

    owner: engine.Connection
    reader: PostgresMetricsReader
    now: int  #: minutes since 1970
    control: engine.Pool

    async def lane(self, tenant: str, type: str, *, pool: str | None = None) -> int:
        key = f"mc-{tenant}".ljust(11, "0")
        id = await self.owner.fetchval(
            "insert into tenant (key, slug) values ($1, $2) on conflict (slug) do update set slug = $2 returning id",
            key,
            tenant,
        )
        turn = await self.owner.fetchval(
            "insert into turn (tenant, class) select $1, class from message_type where name = $2"
            " on conflict (tenant, class) do update set class = excluded.class returning id",
            id,
            type,
        )
        lane = await self.owner.fetchval(
            "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
            " select $1, id, class, $2, 86400000, 60000, false from message_type where name = $3"
            " on conflict (tenant, type) do update set resend = false returning id",
            id,
            turn,
            type,
        )
        await self.owner.execute(
            "insert into configuration_set (name, kind) values ('set', 'shared') on conflict do nothing"
        )
        domain = f"{tenant}.example"
        identity = await self.owner.fetchval("select id from identity where domain = $1", domain)
        if identity is None:
            identity = await self.owner.fetchval(
                "insert into identity (tenant, domain) values ($1, $2) returning id", id, domain
            )
        await self.owner.execute(
            "insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set, ip_pool)"
            " values ($1, $2, 'shared', 't', $3, $4, 'set', $5) on conflict do nothing",
            lane,
            id,
            identity,
            domain,
            pool,
        )
        return lane

    async def tenant(self, slug: str) -> MetricScope:
        return MetricScope(tenant=await self.owner.fetchval("select id from tenant where slug = $1", slug))

    async def mail(
        self,
        lane: int,
        sent: int,
        *,
        ago: int = 30,
        provider: Provider = Provider.YAHOO,
        campaign: str | None = None,
        list: str | None = None,
        **counts: int,
    ) -> None:
        """`ago`: minutes."""
        await Cohorts(self.owner).add(
            lane,
            minute=self.now - ago,
            path="shared",
            campaign=campaign,
            list=list,
            provider=provider,
            **({"sent": sent, "delivered": sent} | counts),  # pyright: ignore[reportArgumentType]
        )

    async def read(self, scope: MetricScope | None = None, **query: Any) -> Page:
        minutes = query.pop("minutes", 60)
        window = query.pop("window", Window(self.now - minutes, self.now + 1))
        return await self.reader.metrics(
            scope or MetricScope(tenant=None), MetricQuery(**({"by": "lane", "window": window} | query))
        )

    async def top(self, **query: Any) -> Page:
        minutes = query.pop("minutes", 60)
        window = Window(self.now - minutes, self.now + 1)
        return await self.reader.top(
            TopQuery(**({"per": "lane", "ranking": "bounces", "window": window} | query))
        )


@pytest.fixture
async def fleet(database: Any) -> AsyncIterator[Fleet]:
    owner = await engine.connect(database.dsn("owner"))
    pools = [await engine.create_pool(database.dsn(login)) for login in ("control", "reader")]
    now = await owner.fetchval("select now_ms() / 60000")
    yield Fleet(owner, PostgresMetricsReader(pools[0], pools[1]), now, pools[0])
    await owner.close()
    for pool in pools:
        await pool.close()


def said(page: Page, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(shown(line, name) for name in names) for line in page.lines]


def shown(line: MetricLine, name: str) -> Any:
    value = line.counts[name] if name in line.counts else getattr(line, name)
    return value.word if isinstance(value, Class | Provider) else value


async def test_a_platform_key_reads_all_tenants_and_a_tenant_its_own(fleet: Fleet) -> None:
    acme, zen = await fleet.lane("acme", "newsletter"), await fleet.lane("zen", "receipt")
    await fleet.mail(acme, 100, hard_bounced=7)
    await fleet.mail(zen, 50)
    everyone = await fleet.read()
    assert said(everyone, "tenant", "type", "sent", "hard_bounced") == [
        ("acme", "newsletter", 100, 7),
        ("zen", "receipt", 50, 0),
    ]
    scope = await fleet.tenant("acme")
    assert said(await fleet.read(scope), "tenant", "sent") == [("acme", 100)]
    own = MetricScope(tenant=scope.tenant, as_tenant=True)
    assert said(await fleet.read(own), "tenant", "sent") == [("acme", 100)]
    assert said(await fleet.read(own, minutes=20 * DAY), "tenant", "sent") == [("acme", 100)]


async def test_every_question_counts_the_same_mail(fleet: Fleet) -> None:
    """Whatever table answers it, by the length of the window and by what is asked."""
    lane, other = await fleet.lane("acme", "newsletter", pool="p1"), await fleet.lane("acme", "receipt")
    await fleet.mail(lane, 60, hard_bounced=4, provider=Provider.GMAIL, campaign="spring", list="all")
    await fleet.mail(lane, 40, complained=2, provider=Provider.YAHOO, campaign="spring")
    await fleet.mail(other, 10, provider=Provider.UNKNOWN)
    await fleet.mail(other, 1000, ago=40 * DAY)
    for all_tenants, minutes in itertools.product((True, False), (60, DAY, 7 * DAY, 30 * DAY)):
        case = f"{'all tenants' if all_tenants else 'acme'}, {minutes} minutes"
        scope = None if all_tenants else await fleet.tenant("acme")
        kinds = ["lane", "tenant", "type", "class", "provider", "domain", "pool"]
        if not (all_tenants and minutes > 8 * DAY):
            kinds += ["campaign", "list"]
        kinds += ["day"] + (["hour"] if minutes <= 7 * DAY else []) + (["minute"] if minutes <= DAY else [])
        for by in kinds:
            page = await fleet.read(scope, by=by, minutes=minutes)
            if all_tenants and by in ("campaign", "list"):
                # Of all tenants, only mail that has one.
                wanted = ("spring", 100) if by == "campaign" else ("all", 60)
                assert said(page, by, "sent") == [wanted], case
                continue
            sums = [
                sum(line.counts[name] for line in page.lines)
                for name in ("sent", "hard_bounced", "complained")
            ]
            assert sums == [110, 4, 2], (case, by)
            found = [rates_of(line) for line in page.lines]
            exposed = sum(one[Signal.COMPLAINTS].sent for one in found)
            assert exposed == 50, (case, by)
            for one in found:
                assert one[Signal.BOUNCES].exposure <= one[Signal.BOUNCES].sent + 1e-6, (case, by)
        at_gmail = await fleet.read(scope, minutes=minutes, provider=Provider.GMAIL)
        assert said(at_gmail, "type", "sent", "hard_bounced") == [("newsletter", 60, 4)], case
        of_type = await fleet.read(scope, minutes=minutes, by="provider", type="newsletter")
        assert said(of_type, "provider", "sent") == [("gmail", 60), ("yahoo", 40)], case
        of_class = await fleet.read(scope, minutes=minutes, by="tenant", class_=Class.MARKETING)
        assert said(of_class, "tenant", "sent") == [("acme", 100)], case


async def test_some_tenants_of_all_are_counted_alone(fleet: Fleet) -> None:
    for slug, sent in (("acme", 60), ("otto", 40), ("zen", 20)):
        await fleet.mail(await fleet.lane(slug, "newsletter"), sent, hard_bounced=sent // 10)
    for minutes in (60, DAY, 30 * DAY):
        page = await fleet.read(None, by="tenant", minutes=minutes, tenants=["zen", "acme", "nobody"])
        assert said(page, "tenant", "sent", "hard_bounced") == [("acme", 60, 6), ("zen", 20, 2)], minutes
    assert said(await fleet.read(None, by="tenant", tenants=["nobody"]), "tenant", "sent") == []


async def test_one_complaint_of_21_mails_of_which_20_went_to_gmail_is_not_4_76_percent(fleet: Fleet) -> None:
    lane = await fleet.lane("acme", "newsletter")
    await fleet.mail(lane, 20, ago=5 * DAY, provider=Provider.GMAIL)
    await fleet.mail(lane, 1, ago=5 * DAY, provider=Provider.YAHOO, complained=1)
    for scope in (None, await fleet.tenant("acme")):
        for by in ("lane", "tenant", "class", "domain", "day"):
            [line] = (await fleet.read(scope, by=by, minutes=7 * DAY)).lines
            rate = rates_of(line)[Signal.COMPLAINTS]
            assert (rate.events, rate.sent, round(rate.left_out, 3)) == (1, 1, 0.952), by
            assert rate.rate == 1.0
            assert round(1 / 21, 4) == 0.0476
            assert rate.low > 0.0476


async def test_a_mail_that_moves_to_another_provider_moves_in_every_sum(fleet: Fleet) -> None:
    """A delivery's provider is learnt later: what was counted is taken back."""
    lane = await fleet.lane("acme", "newsletter")
    await fleet.mail(lane, 5, provider=Provider.UNKNOWN)
    await fleet.mail(lane, -5, delivered=-5, provider=Provider.UNKNOWN)
    await fleet.mail(lane, 5, provider=Provider.GMAIL)
    for minutes in (60, 7 * DAY):
        [line] = (await fleet.read(minutes=minutes)).lines
        assert (line.counts["sent"], line.silent_sent) == (5, 5)
        providers = await fleet.read(by="provider", minutes=minutes)
        assert [line for line in said(providers, "provider", "sent") if line[1]] == [("gmail", 5)]


async def test_campaigns_of_the_same_name_of_two_tenants_are_two(fleet: Fleet) -> None:
    for tenant, sent in (("acme", 3), ("zen", 4)):
        await fleet.mail(await fleet.lane(tenant, "newsletter"), sent, campaign="spring")
    found = await fleet.read(by="campaign")
    assert said(found, "tenant", "campaign", "sent") == [("acme", "spring", 3), ("zen", "spring", 4)]
    one = await fleet.read(await fleet.tenant("acme"), by="list", campaign="spring")
    assert said(one, "tenant", "list", "sent") == [("acme", None, 3)]


async def test_a_line_is_compared_with_its_own_past_and_with_its_class(fleet: Fleet) -> None:
    lane, other = await fleet.lane("acme", "newsletter"), await fleet.lane("zen", "newsletter")
    for day in range(2, 6):
        await fleet.mail(lane, 1000, ago=day * DAY, hard_bounced=8)
    await fleet.mail(lane, 420, hard_bounced=31)
    await fleet.mail(other, 9_580, hard_bounced=9)
    page = await fleet.read()
    line = next(line for line in page.lines if line.lane == lane)
    past, all_marketing = page.past[line.key], page.fleet[Class.MARKETING]
    assert (past.counts["sent"], past.counts["hard_bounced"]) == (4000, 32)
    assert all_marketing.counts["sent"] == 10_000
    own = await fleet.read(MetricScope(tenant=(await fleet.tenant("acme")).tenant, as_tenant=True))
    assert own.past[line.key].counts["sent"] == 4000
    assert own.fleet == {}


async def test_pages_go_on_after_the_last_key(fleet: Fleet) -> None:
    for index in range(5):
        await fleet.mail(await fleet.lane(f"tenant{index}", "receipt"), index + 1)
    seen: list[int] = []
    after = None
    for _ in range(3):
        page = await fleet.read(limit=2, after=after)
        seen += [line.counts["sent"] for line in page.lines]
        after = page.next
    assert (seen, after) == ([1, 2, 3, 4, 5], None)


async def test_the_worst_is_the_lane_with_the_most_evidence_not_one_bounce_of_two(fleet: Fleet) -> None:
    for tenant, sent, bounced in (("small", 2, 1), ("bad", 1000, 80), ("good", 50_000, 200), ("none", 10, 0)):
        await fleet.mail(await fleet.lane(tenant, "receipt"), sent, hard_bounced=bounced)
    ranked = await fleet.top()
    assert said(ranked, "tenant") == [("bad",), ("small",), ("good",)]
    by_volume = await fleet.top(ranking="volume", per="tenant", limit=2)
    assert said(by_volume, "tenant", "sent") == [("good", 50_000), ("bad", 1000)]


async def test_a_ranking_may_be_of_one_provider_or_class(fleet: Fleet) -> None:
    acme, zen = await fleet.lane("acme", "newsletter"), await fleet.lane("zen", "receipt")
    await fleet.mail(acme, 100, provider=Provider.GMAIL, hard_bounced=5)
    await fleet.mail(zen, 100, provider=Provider.YAHOO, hard_bounced=50)
    for minutes in (60, DAY, 20 * DAY):
        at_gmail = await fleet.top(provider=Provider.GMAIL, minutes=minutes)
        assert said(at_gmail, "tenant", "sent", "hard_bounced") == [("acme", 100, 5)]
        of_class = await fleet.top(class_=Class.TRANSACTIONAL, minutes=minutes, per="domain")
        assert said(of_class, "domain", "hard_bounced") == [("zen.example", 50)]


@pytest.mark.parametrize("per", ["lane", "tenant", "domain"])
async def test_a_ranking_at_one_provider_does_not_depend_on_how_many_candidates_are_looked_at(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, per: Any
) -> None:
    """By the day of its bounces alone, `large` is the worst; with its mail of the other days it is the best."""
    wanted = ["third", "second", "first", "large"]
    for place, tenant in enumerate(wanted):
        lane = await fleet.lane(tenant, "newsletter")
        bounced = 90 if tenant == "large" else 20 * (3 - place) + 20
        await fleet.mail(lane, 100, ago=3 * DAY, hard_bounced=bounced)
        await fleet.mail(lane, 2_000_000 if tenant == "large" else 10, ago=2 * DAY)
    query = {"per": per, "provider": Provider.YAHOO, "minutes": 7 * DAY, "limit": 1}
    for candidates in (1, 2, 100):
        monkeypatch.setattr(metrics_reading, "_CANDIDATES", candidates)
        monkeypatch.setattr(metrics_reading, "_CANDIDATES_OF_ONE", 1)
        page = await fleet.top(**query)
        name = "domain" if per == "domain" else "tenant"
        assert [getattr(line, name).removesuffix(".example") for line in page.lines] == ["third"], candidates


async def test_what_has_few_lines_ranks_by_the_same_rules_as_lanes(fleet: Fleet) -> None:
    """One lane of each type and pool."""
    chance = random.Random(5)
    for index, type in enumerate(("newsletter", "receipt", "password-reset")):
        lane = await fleet.lane("acme", type, pool=f"pool-{index}")
        for ago in (5 * DAY, 16 * DAY):
            counts = {name: chance.randint(1, 40) for name in ("hard_bounced", "complained", "policy")}
            await fleet.mail(lane, chance.randint(100, 5000), ago=ago, **counts)  # pyright: ignore[reportArgumentType]
    rankings: tuple[Any, ...] = ("bounces", "complaints", "blocks")
    for ranking, movers in itertools.product(rankings, (True, False)):
        case = (ranking, movers)
        pages = [
            await fleet.top(per=per, ranking=ranking, movers=movers, minutes=7 * DAY)
            for per in ("lane", "type", "pool")
        ]
        sent = [[line.counts["sent"] for line in page.lines] for page in pages]
        assert len(sent[0]) >= 1 if movers else len(sent[0]) == 3, case
        assert sent[1] == sent[0], case
        assert sent[2] == sent[0], case
        shares = [sorted(page.shares.values()) for page in pages]
        assert shares[1] == pytest.approx(shares[0], rel=0.02), case
        assert shares[2] == pytest.approx(shares[0]), case


async def test_complaints_rank_without_the_providers_that_report_none(fleet: Fleet) -> None:
    many, few = await fleet.lane("many", "newsletter"), await fleet.lane("few", "newsletter")
    await fleet.mail(many, 100_000, ago=5 * DAY, provider=Provider.GMAIL)
    await fleet.mail(many, 1_000, ago=5 * DAY, complained=9)
    await fleet.mail(few, 10_000, ago=5 * DAY, complained=20)
    assert said(await fleet.top(ranking="complaints", minutes=7 * DAY), "tenant") == [("many",), ("few",)]


async def test_who_moved_the_rate_is_who_is_worse_than_the_whole_was(fleet: Fleet) -> None:
    grew, bad = await fleet.lane("grew", "receipt"), await fleet.lane("bad", "receipt")
    for day in range(2, 15):
        await fleet.mail(grew, 1000, ago=day * DAY, hard_bounced=10)
        await fleet.mail(bad, 1000, ago=day * DAY, hard_bounced=10)
    await fleet.mail(grew, 20_000, ago=20 * HOUR, hard_bounced=200)
    await fleet.mail(bad, 1000, ago=20 * HOUR, hard_bounced=90)
    page = await fleet.top(movers=True, minutes=DAY)
    assert said(page, "tenant") == [("bad",), ("grew",)]
    shares = [page.shares[line.key] for line in page.lines]
    assert page.total is not None
    assert page.total.now is not None
    assert page.total.before is not None
    change = [rates_of(line)[Signal.BOUNCES].rate or 0 for line in (page.total.now, page.total.before)]
    assert sum(shares) == pytest.approx(change[0] - change[1], abs=1e-4)
    assert abs(shares[1]) < shares[0] / 4


@pytest.mark.parametrize("per", ["lane", "pool"])
async def test_movers_are_those_who_moved_the_rate_the_way_it_went(fleet: Fleet, per: Any) -> None:
    names = ("worse", "better", "same")
    for name in names:
        lane = await fleet.lane(name, "receipt", pool=name)
        await fleet.mail(lane, 1000, ago=16 * DAY, hard_bounced=10)
        bounced = {"worse": 60, "better": 2, "same": 10}[name]
        await fleet.mail(lane, 1000, ago=5 * DAY, hard_bounced=bounced)
    page = await fleet.top(movers=True, minutes=7 * DAY, per=per)
    assert [line.counts["hard_bounced"] for line in who_moved(page)] == [60]
    await fleet.mail(await fleet.lane("better", "receipt"), 100_000, ago=5 * DAY)
    page = await fleet.top(movers=True, minutes=7 * DAY, per=per)
    assert [line.counts["sent"] for line in who_moved(page)] == [101_000]


def who_moved(page: Page) -> list[MetricLine]:
    """Without shares below a hundredth of the first. Where the mail is in the week that is still filling, how much feedback can
    have come by now is an estimate of the whole week, and a rate that stayed the same seems to have moved by a hair."""
    least = abs(page.shares[page.lines[0].key]) / 100
    return [line for line in page.lines if abs(page.shares[line.key]) >= least]


async def test_the_evidence_in_the_database_is_that_of_the_rates(fleet: Fleet) -> None:
    for events, exposure in ((31, 420.0), (1, 2.0), (0, 10.0), (7, 6.5), (1, 0.0), (200, 50_000.0)):
        found = await fleet.owner.fetchval("select rate_evidence($1, $2, 0.008)", float(events), exposure)
        assert found == pytest.approx(evidence(events, exposure, 0.008), abs=1e-9)


async def test_a_lane_whose_domain_changed_in_the_window_says_so(fleet: Fleet) -> None:
    lane = await fleet.lane("acme", "newsletter", pool="old")
    await fleet.mail(lane, 10)
    assert said(await fleet.read(by="pool"), "pool", "moved") == [("old", False)]
    await fleet.owner.execute("update route set ip_pool = 'new' where lane = $1", lane)
    assert said(await fleet.read(by="pool"), "pool", "moved") == [("new", True)]
    assert said(await fleet.read(by="pool", window=Window(fleet.now - DAY, fleet.now + 1)), "moved") == [
        (True,)
    ]


async def test_rebuilding_the_sums_gives_what_the_folds_gave(fleet: Fleet) -> None:
    lane = await fleet.lane("acme", "newsletter")
    for ago in (1, 9, 70, HOUR * 30, DAY * 9):
        for provider in (Provider.GMAIL, Provider.YAHOO):
            await fleet.mail(lane, 10 + ago, ago=ago, provider=provider, hard_bounced=1)
    tables = ("cohort_lane", "cohort_fleet")
    folded = {
        table: {tuple(row) for row in await fleet.owner.fetch(f"select * from {table}")} for table in tables
    }
    await fleet.owner.execute("select rebuild_cohort_sums(0)")
    for table in tables:
        rebuilt = {tuple(row) for row in await fleet.owner.fetch(f"select * from {table}")}
        assert rebuilt == folded[table]


async def test_sums_that_are_not_those_of_their_cohorts_are_found_and_made_right(fleet: Fleet) -> None:
    """In every size of bucket, of lanes and of the fleet, by a count too much and by one that is missing."""
    lane = await fleet.lane("acme", "newsletter")
    for ago in (1, 70, HOUR * 30, DAY * 9):
        for provider in (Provider.GMAIL, Provider.YAHOO):
            await fleet.mail(lane, 10, ago=ago, provider=provider, complained=1)
    since = fleet.now - 10 * DAY

    async def check() -> int:
        return (await cohort_rebuild.rebuild(fleet.owner, since, check=True)).sums

    assert await fleet.owner.fetchval("select count_wrong_cohort_sums($1)", since) == 0
    at_first = await check()  # the fixture has no ledger
    sizes = [("cohort_lane", span) for span in (10, 60, 360, 1440, 10080, 40320)]
    for table, span in [*sizes, *(("cohort_fleet", span) for span in (1, 60, 1440))]:
        newest = f"where span = {span} and minute = (select max(minute) from {table} where span = {span})"
        for wrong in (
            f"update {table} set sent = sent + 1 {newest}",
            f"update {table} set silent_sent = 99 {newest}",
            f"delete from {table} {newest}",
        ):
            await fleet.owner.execute(wrong)
            assert await check() > at_first, wrong
            await fleet.owner.execute("select rebuild_cohort_sums($1)", since)
            assert await check() == at_first


async def test_old_sums_are_purged_by_the_size_of_their_bucket(fleet: Fleet) -> None:
    lane = await fleet.lane("acme", "newsletter")
    for ago in (1, 3 * DAY, 20 * DAY, 100 * DAY):
        await fleet.mail(lane, 10, ago=ago)
    await fleet.owner.execute(
        "insert into cohort_lane (span, minute, lane, isolated, tenant) select x, 0, $1, false, tenant"
        " from lane, unnest('{10,60,360,1440,10080,40320}'::int[]) x where id = $1",
        lane,
    )
    await fleet.owner.execute(
        "insert into cohort_fleet (span, minute, type, provider) select x, 0, 1, 1 from unnest('{1,60,1440}'::int[]) x"
    )
    before = await fleet.read(minutes=30 * DAY)
    store = UpkeepStore(fleet.control)
    assert await store.purge(Purged.LANE_SUMS, 365 * 86_400_000, 1000) == 6
    assert await store.purge(Purged.FLEET_SUMS, 365 * 86_400_000, 1000) >= 3
    assert await fleet.owner.fetchval("select count(*) from cohort_lane where minute = 0") == 0
    after = await fleet.read(minutes=30 * DAY)  # its exposure has grown by the age of the youngest mail
    assert [line.counts for line in after.lines] == [line.counts for line in before.lines]


async def test_lost_feedback_marks_the_lines_that_it_concerns(fleet: Fleet) -> None:
    lane, other = await fleet.lane("acme", "newsletter"), await fleet.lane("zen", "receipt")
    await fleet.mail(lane, 100)
    await fleet.mail(other, 50)
    await fleet.owner.execute("insert into configuration_set (name, kind) values ('lost', 'shared')")
    await fleet.owner.execute("update route set configuration_set = 'lost' where lane = $1", lane)
    await fleet.owner.execute("delete from route_before")
    await fleet.owner.execute(
        "insert into feedback_loss (signal, configuration_set, since, raised_at, cause, because, missing, counted_at)"
        " select 'send', 'lost', now_ms() - 3000000, now_ms(), 'destination', 'x', 100, now_ms()"
    )
    for by, marked in (("lane", [True, False]), ("tenant", [True, False]), ("class", [False, True])):
        page = await fleet.read(by=by)
        assert [bool(line.marks) for line in page.lines] == marked, by
    assert all(line.marks for line in (await fleet.read(by="provider")).lines)
    for scope, marked in ((await fleet.tenant("acme"), True), (await fleet.tenant("zen"), False)):
        own = MetricScope(tenant=scope.tenant, as_tenant=True)
        assert [bool(line.marks) for line in (await fleet.read(own)).lines] == [marked]
    before = Window(fleet.now - 3 * HOUR, fleet.now - HOUR)
    assert (await fleet.read(window=before)).marks == []
    assert [bool(line.marks) for line in (await fleet.top(ranking="volume")).lines] == [True, False]


#: What the cells of each question may read, and by what: the first columns of a key, never a whole table.
KEYS = {
    "lane": ("cohort_lane_hour", "span = b.span"),
    "minute": ("cohort_minute_default", "minute = b.minute"),
    "hour": ("cohort_hour_default", "hour = (b.minute / 60)"),
    "day": ("cohort_day", "day = (b.minute / 1440)"),
}


async def test_each_bucket_is_looked_up_by_its_key(fleet: Fleet) -> None:
    """With many rows of other buckets, and buckets that lie apart."""
    lane = await fleet.lane("acme", "newsletter")
    await fleet.mail(lane, 1)
    await fleet.owner.execute(
        "insert into cohort_lane (span, minute, lane, isolated, tenant)"
        " select 60, 60 * (n / 50), n % 50 + 1000000, false, 1 from generate_series(1, 20000) n"
    )
    for name in ("minute", "hour"):
        await fleet.owner.execute(
            f"insert into cohort_{name} ({name}, slice, provider)"
            " select n / 50, n % 50 + 1000000, 1 from generate_series(1, 20000) n"
        )
    await fleet.owner.execute(
        "insert into cohort_day (day, lane, provider, tenant)"
        " select n / 50, n % 50 + 1000000, 1, 1 from generate_series(1, 20000) n"
    )
    await fleet.owner.execute("analyze")
    for (table, (relation, condition)), some in itertools.product(KEYS.items(), (False, True)):
        spans, minutes = [60] * 3, [0, 60_000, 120_000]
        weights = [[1.0] * 3] * 4
        scope = [
            [1] if some and table in ("lane", "day") else None,
            [1] if some and table in ("minute", "hour") else None,
        ]
        scope.append([fleet.now] if scope[1] else None)
        for at_one in (False, True) if table != "lane" else (False,):
            statement = metrics_statements.counted(table, some, COLUMNS, timed=False, at_one=at_one)
            rows = await fleet.owner.fetch(
                f"explain (costs off) {statement}",
                *(spans, minutes, *weights, *scope, 1 if at_one else None),
                *("lane", None, 100, None, None, None, 0),
            )
            text = "\n".join(row[0] for row in rows)
            assert not re.search(rf"Seq Scan on {relation}", text), text
            assert condition in text, text


async def test_candidates_of_a_ranking_are_looked_up_among_the_days_on_which_something_happened(
    fleet: Fleet,
) -> None:
    await fleet.owner.execute(
        "insert into cohort_day (day, lane, provider, tenant, sent, hard_bounced)"
        " select n / 200, n % 200, 1, 1, 9, case when n % 20 = 0 then 1 end from generate_series(1, 40000) n"
    )
    await fleet.owner.execute("analyze cohort_day")
    what = metrics_statements.Ranked("day", happened=True)
    for ranking in ("bounces", "complaints", "blocks"):
        rows = await fleet.owner.fetch(
            f"explain (costs off) {metrics_statements.ranked(what, 'lane', ranking, at_one=True)}",
            *([1440] * 3, [0, 72_000, 144_000], *([[1.0] * 3] * 4), None, None, None, 1, None, 10),
        )
        assert "cohort_day_bad" in "\n".join(row[0] for row in rows), ranking
