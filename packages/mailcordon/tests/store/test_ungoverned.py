"""Ungoverned senders on a real database: whose they are, what is expected, SES's count, and what is deleted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.control import ungoverned_alarms
from mailcordon.control.ungoverned import SentCalls, Ungoverned
from mailcordon.core import tags
from mailcordon.core.errors import Invalid, NotFound
from mailcordon.core.event import Attempt
from mailcordon.core.installation import Installation
from mailcordon.core.ungoverned import Fact, SentCall, Sighting
from mailcordon.observe.incidents.sources import Source
from mailcordon_fixtures.incidents import IncidentWorld
from mailcordon_fixtures.plans import rows_read
from mailcordon_fixtures.queue_world import World

OURS = Installation(name="here", mac_key=b"m" * 32, hash_key=b"h" * 32)
DAY = 86_400_000


@dataclass
class Foreign:
    world: World
    store: UngovernedStore
    number: int = 0

    @property
    def db(self) -> Any:
        return self.world.connection

    async def sends(
        self, identity: str, count: int = 1, *, caller: str = "shop", ago_ms: int = 0, to: int = 1
    ) -> None:
        now = await self.store.now()
        found: list[Sighting] = []
        for _ in range(count):
            self.number += 1
            found.append(
                Sighting(
                    identity=identity,
                    caller=caller,
                    ses_id=f"id-{self.number}",
                    at=now - ago_ms,
                    recipients=to,
                    sends=True,
                    facts={Fact.IP: "10.0.3.7"},
                )
            )
        await self.store.record(found)

    async def reads(self, sent: int, *, lag_ms: int = 0) -> None:
        """GetAccount says so now."""
        await self.db.execute(
            "insert into account_rate (cell, ceiling, rate, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)"
            " values ('default', 14, 14, 0, 50000, $1, true, 'HEALTHY', now_ms())"
            " on conflict (cell) do update set sent_24h = excluded.sent_24h,"
            " polled_at = greatest(now_ms(), account_rate.polled_at + 1)",
            float(sent),
        )
        await self.store.count_sent("default", lag_ms)

    async def ours(self, number: int) -> None:
        """So many more recipients left our queues."""
        await self.db.execute(
            "insert into lane_finished (lane, node, deliveries, bytes, refused) values (1, 9, $1 + 3, 0, 3)"
            " on conflict (lane, node) do update set deliveries = lane_finished.deliveries + $1",
            number,
        )

    async def last(self) -> Any:
        return await self.db.fetchrow(
            "select * from ses_count where judged_at is not null order by at desc limit 1"
        )


@pytest.fixture
async def foreign(world: World) -> AsyncIterator[Foreign]:
    pool = await engine.create_pool(world.database.dsn("control"))
    yield Foreign(world, UngovernedStore(pool))
    await pool.close()


async def test_an_identity_belongs_to_the_tenant_whose_domain_is_it_or_is_closest_above(
    foreign: Foreign,
) -> None:
    for slug, domain in (("acme", "shared.example"), ("zen", "zen.shared.example")):
        await foreign.db.execute(
            "with made as (insert into tenant (key, slug) values ($1, $2) returning id)"
            " insert into identity (tenant, domain) select id, $3 from made",
            f"mc-{slug:x<8}",
            slug,
            domain,
        )
    for identity in (
        "shared.example",
        "a.b.shared.example",
        "kim@shared.example",
        "mail.zen.shared.example",
        "evilshared.example",
        "",
        "(more)",
    ):
        await foreign.sends(identity)
    assert {one.identity: one.tenant_slug for one in await foreign.store.senders()} == {
        "shared.example": "acme",
        "a.b.shared.example": "acme",
        "kim@shared.example": "acme",
        "mail.zen.shared.example": "zen",
        "evilshared.example": None,
        "": None,
        "(more)": None,
    }
    [tenant] = {one.tenant for one in await foreign.store.senders() if one.tenant_slug == "zen"}
    assert [one.identity for one in await foreign.store.senders(tenant=tenant)] == ["mail.zen.shared.example"]


async def test_whose_a_sender_is_costs_the_same_however_many_tenants_there_are(foreign: Foreign) -> None:
    for n in range(20):
        await foreign.sends(f"news.more-{n}.example")
    await foreign.db.execute(
        "insert into tenant (key, slug) select 'mc-' || lpad(n::text, 10, '0'), 'more-' || n from generate_series(1, 2000) n;"
        "insert into identity (tenant, domain) select id, slug || '.example' from tenant where slug like 'more-%'; analyze"
    )
    found = await foreign.store.senders(limit=20)
    assert {one.tenant_slug for one in found} == {f"more-{n}" for n in range(20) if n} | {None}
    statement = queries.load("ungoverned_store.sql").senders
    types = "bigint, int, bigint, int, bigint"
    assert await rows_read(foreign.db, statement, types, None, None, None, 20, None) < 1_000


async def test_alarms_read_only_who_sent_lately(foreign: Foreign) -> None:
    await foreign.sends("old.example")
    await foreign.db.execute("update ungoverned set seen_at = seen_at - 3600001")
    await foreign.sends("new.example")
    seen = await foreign.store.seen(ungoverned_alarms.SHOWN_MS)
    assert [one.identity for one in seen.senders] == ["new.example"]


async def test_what_is_declared_has_an_end_and_replaces_what_was_declared_before(foreign: Foreign) -> None:
    service = Ungoverned(foreign.store)
    given: Any = {"because": "moves", "actor": "ops"}
    for _ in range(2):
        await service.expect("Old.Example", "shop", until_seconds=600, **given)
    await service.expect("old.example", None, until_seconds=600, **given)
    assert [
        (one.caller, one.ended_at is None) for one in await foreign.store.expectations(before=None, limit=9)
    ] == [
        (None, True),
        ("shop", True),
        ("shop", False),
    ]
    await foreign.sends("old.example")
    [found] = await foreign.store.senders()
    assert found.expected_at(await foreign.store.now()) is not None
    for id in (2, 3):
        await service.unexpect(id, actor="ops", because="moved")
    [found] = await foreign.store.senders()
    assert found.expected_at(await foreign.store.now()) is None
    with pytest.raises(NotFound):
        await service.unexpect(3, actor="ops", because="again")
    audited = await foreign.db.fetch(
        "select action, object from audit where action like 'ungoverned.%' order by id"
    )
    assert [tuple(row) for row in audited][-1] == ("ungoverned.unexpect", "old.example")


async def test_a_declaration_without_an_end_a_reason_or_an_identity_is_refused(foreign: Foreign) -> None:
    for identity, caller, seconds, because in (
        ("", None, 600, "x"),
        ("no-dot", None, 600, "x"),
        ("a.example\u202e", None, 600, "x"),
        ("*", "shop", 600, "x"),
        ("a.example", "", 600, "x"),
        ("a.example", None, 59, "x"),
        ("a.example", None, 91 * 86_400, "x"),
        ("a.example", None, 600, " "),
    ):
        with pytest.raises(Invalid):
            await Ungoverned(foreign.store).expect(
                identity, caller, until_seconds=seconds, because=because, actor="ops"
            )


async def test_calls_of_ours_are_left_out_of_what_cloudtrail_reports(foreign: Foreign) -> None:
    attempt = Attempt(installation="here", tenant_key="mc-acme", type="x", delivery=7, attempt=1, called_at=1)
    seen = [
        Sighting(identity="mail.acme.example", caller="c", ses_id=str(n), at=await foreign.store.now())
        for n in range(2)
    ]
    calls = [
        SentCall(sighting=seen[0], tags=tags.sign(OURS.mac_key, attempt)),
        SentCall(sighting=seen[1], tags=None),
    ]
    assert await SentCalls(foreign.store.record, OURS).take(calls) == {"sent-by-us": 1, "ungoverned": 1}
    [found] = await foreign.store.senders()
    assert found.mails == 1


async def test_ses_count_is_explained_by_what_left_our_queues_and_by_what_other_nets_saw(
    foreign: Foreign,
) -> None:
    await foreign.ours(100)
    for _ in range(3):
        await foreign.reads(5_000)  # mail of the day before the first reading
    await foreign.ours(50)
    await foreign.sends("seen.example", 20, to=2)
    await foreign.reads(5_090)
    await foreign.reads(5_090)
    last = await foreign.last()
    assert (last["compared"], last["excess"], last["over_since"]) == (True, 0, None)
    await foreign.reads(5_390)
    await foreign.reads(5_390)
    last = await foreign.last()
    assert last["excess"] == 300
    assert last["over_since"] is not None


async def test_mail_whose_outcome_nobody_knows_yet_explains_ses_count(foreign: Foreign) -> None:
    """A dispatcher died in its calls: until others settle them, SES has mail that no ledger row tells of."""
    lane = await foreign.world.lane("acme", "newsletter")
    for _ in range(4):
        await foreign.reads(0)
    for table, columns, values in (
        ("ready", "id, state, worker", "1000 + n, 1, 1"),
        ("waiting", "id, why, code, reason, since", "2000 + n, 2, 'outcome-unknown', 'x', 1"),
    ):
        await foreign.db.execute(
            f"insert into {table} (lane, tenant, attempt, hash, called_at, {columns})"
            f" select l.id, l.tenant, 1, '\\x00', 1, {values} from lane l, generate_series(1, 40) n where l.id = $1",
            lane,
        )
    await foreign.reads(80)
    await foreign.reads(80)
    assert (await foreign.last())["over_since"] is None
    await foreign.reads(90)
    await foreign.reads(90)
    assert (await foreign.last())["excess"] == 10


async def test_ses_count_is_compared_only_when_ses_was_asked_again(foreign: Foreign) -> None:
    await foreign.reads(10)
    for _ in range(3):
        await foreign.store.count_sent("default", 0)
    assert await foreign.db.fetchval("select count(*)::int from ses_count") == 1
    await foreign.store.count_sent("elsewhere", 0)
    assert await foreign.db.fetchval("select count(*)::int from ses_count") == 1


async def test_one_reading_a_minute_is_kept(foreign: Foreign) -> None:
    for _ in range(40):
        await foreign.reads(10)
    assert await foreign.db.fetchval("select count(*)::int from ses_count") <= 5


async def test_a_restored_database_begins_a_new_series(foreign: Foreign) -> None:
    await foreign.ours(100)
    await foreign.reads(200)
    await foreign.reads(200)
    await foreign.db.execute("update lane_finished set deliveries = 10")
    await foreign.reads(200)
    await foreign.reads(200)
    assert await foreign.db.fetchval("select count(distinct first_at)::int from ses_count") == 2
    assert (await foreign.last())["over_since"] is None


async def test_an_excess_names_the_identities_that_are_not_ours_and_may_be_expected(foreign: Foreign) -> None:
    await foreign.reads(0)
    await foreign.reads(0)
    for _ in range(3):
        await foreign.reads(90)
    await foreign.db.execute(
        "insert into finding (kind, severity, resource_kind, resource, member, detail, repair, row_kind, row_name, touched_kind,"
        " touched_name, touched_member, found_by) values ('extra-identity', 'low', 'identity', 'old.example', '', '{}', '[]',"
        " 'identities', 'all', 'identity', 'old.example', '', 'scan')"
    )
    [count] = await foreign.store.counts()
    assert (count.excess, list(count.identities), count.expected) == (90, ["old.example"], False)
    service = Ungoverned(foreign.store)
    made = await service.expect("old.example", None, until_seconds=600, because="moves", actor="ops")
    assert [one.expected for one in await foreign.store.counts()] == [True]
    await service.unexpect(made.id, actor="ops", because="x")
    assert [one.expected for one in await foreign.store.counts()] == [False]
    await service.expect("old.example", None, until_seconds=600, because="moves", actor="ops")
    await foreign.db.execute(
        "insert into finding (kind, severity, resource_kind, resource, member, detail, repair, row_kind, row_name, touched_kind,"
        " touched_name, touched_member, found_by) select kind, severity, resource_kind, n || resource, member, detail, repair,"
        " row_kind, row_name, touched_kind, n || touched_name, touched_member, found_by from finding, generate_series(1, 11) n"
    )
    for n in range(2, 12):  # all but 1old.example, which is older than the ten that are named
        await service.expect(f"{n}old.example", None, until_seconds=600, because="moves", actor="ops")
    [count] = await foreign.store.counts()
    assert (count.expected, "1old.example" in count.identities) == (False, True)
    await service.expect("*", None, until_seconds=600, because="moves", actor="ops")
    assert [one.expected for one in await foreign.store.counts()] == [True]


async def test_what_is_old_is_deleted_and_leaves_room(foreign: Foreign) -> None:
    await foreign.sends("gone.example", 2)
    await foreign.db.execute("update ungoverned set last_at = last_at - $1, seen_at = seen_at - $1", 91 * DAY)
    await foreign.sends("kept.example", 3)
    await foreign.db.execute(
        "update ungoverned_mail set at = at - $1 where ses_id in ('id-3', 'id-4')", 3 * DAY
    )
    await foreign.store.purge(90 * DAY)
    rows = await foreign.db.fetch("select identity, kept, mails from ungoverned")
    assert [tuple(row) for row in rows] == [("kept.example", 1, 3)]
    assert await foreign.db.fetchval("select count(*)::int from ungoverned_mail") == 1


async def test_all_mail_of_a_sender_is_one_incident_however_many_and_closes_when_it_is_declared(
    incidents: IncidentWorld, foreign: Foreign
) -> None:
    async def read() -> Any:
        return ungoverned_alarms.alarms(await foreign.store.seen(ungoverned_alarms.SHOWN_MS), lag_ms=0)

    incidents.sources.append(Source(name="ungoverned mail", read=read))
    await foreign.sends("old.example", 500)
    await foreign.sends("old.example", 1, caller="ci")
    await incidents.round()
    await foreign.sends("old.example", 500)
    await incidents.round()
    rows = await foreign.db.fetch(
        "select cause, culprit, closed_at from incident where kind = 'ungoverned' order by cause"
    )
    assert [tuple(row) for row in rows] == [
        ("ungoverned:old.example/ci", "caller ci", None),
        ("ungoverned:old.example/shop", "caller shop", None),
    ]
    await Ungoverned(foreign.store).expect(
        "old.example", "ci", until_seconds=600, because="moves", actor="ops"
    )
    await incidents.round()
    await incidents.round(pass_ms=3_600_000)
    closed = await foreign.db.fetch(
        "select cause from incident where kind = 'ungoverned' and closed_at is not null"
    )
    assert [row["cause"] for row in closed] == ["ungoverned:old.example/ci"]
