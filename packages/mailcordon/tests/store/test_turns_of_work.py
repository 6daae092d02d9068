"""What is due next at SES: kinds of work apart from each other, and tenants in the order in which they came."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.provision_store import BY_INDEX, ProvisionStore
from mailcordon.control.provisioning import Outcome
from mailcordon.control.resources import Reading
from mailcordon.control.work import WORK_OF_ROWS, Work
from mailcordon_fixtures import plans

_SQL = queries.load("provision_store.sql")

TENANTS = """
insert into tenant (slug, key) select 't' || i, 'mc-' || lpad(i::text, 8, '0') from generate_series(1, {tenants}) i
"""
RESOURCES = """
insert into ses_resource (kind, name, phase, tenant, desired, work, state, next_try_at)
select kind, case kind when 'identity' then t.slug || '.example' else t.key end, phase, t.id,
       case kind when 'association' then jsonb_build_object('resources', array['identity/' || t.slug || '.example'])
                 else '{}' end,
       $1, $2, now() - make_interval(secs => $3::float8 - t.id * 0.001)
from tenant t, (values ('identity', 3), ('tenant', 4), ('policy', 5), ('association', 6)) k (kind, phase)
"""


class World:
    def __init__(self, owner: engine.Connection, pool: engine.Pool) -> None:
        self.owner = owner
        self.store = ProvisionStore(pool)

    async def fill(
        self,
        tenants: int,
        *,
        work: Work = Work.BULK,
        state: str = "pending",
        ago: float = 3600,
        analyze: bool = True,
    ) -> None:
        """Tenants 1, 2, ... with four resources each, due since `ago` in the order of their numbers."""
        await self.owner.execute(TENANTS.format(tenants=tenants))
        await self.owner.execute(RESOURCES, work, state, ago)
        if analyze:
            await self.owner.execute("analyze ses_resource")

    async def set(self, tenant: int, **members: Any) -> None:
        for name, value in members.items():
            await self.owner.execute(f"update ses_resource set {name} = $2 where tenant = $1", tenant, value)

    async def next(self, work: Work, limit: int = 100, **more: Any) -> list[tuple[int | None, str]]:
        rows = await self.store.due(limit, work, **more)
        return [(row.tenant, row.resource.kind.word) for row in rows]

    async def apply(self, work: Work, **more: Any) -> int | None:
        """Records that the next row is as desired. Returns its tenant."""
        row = (await self.store.due(1, work, **more))[0]
        await self.store.applied(row, Outcome(reading=Reading(whole={}), members={}), again_in=3600)
        return row.tenant


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    pool = await engine.create_pool(database.dsn("control"))
    try:
        yield World(owner, pool)
    finally:
        await pool.close()
        await owner.close()


async def test_a_tenant_is_made_ready_before_the_next_one_is_begun(world: World) -> None:
    await world.fill(3)
    assert [await world.apply(Work.BULK) for _ in range(12)] == [1] * 4 + [2] * 4 + [3] * 4
    assert await world.store.kinds_due() == []


async def test_a_tenant_for_which_a_call_is_made_gives_way_to_the_next(world: World) -> None:
    await world.fill(3)
    assert (await world.next(Work.BULK, busy=[1]))[0] == (2, "identity")
    assert await world.next(Work.BULK, busy=[1, 2, 3]) == []


async def test_a_kind_of_work_is_due_whatever_waits_in_the_others(world: World) -> None:
    await world.fill(5)
    await world.set(4, work="onboarding")
    await world.set(5, work="urgent")
    assert await world.store.kinds_due() == [Work.URGENT, Work.ONBOARDING, Work.BULK]
    assert (await world.next(Work.ONBOARDING))[0] == (4, "identity")
    assert (await world.next(Work.URGENT))[0] == (5, "identity")
    assert {tenant for tenant, _ in await world.next(Work.BULK)} == {1, 2, 3}


async def test_what_waits_for_something_that_failed_is_not_passed_over_again_and_again(world: World) -> None:
    await world.fill(2)
    for row in await world.store.due(10, Work.BULK):
        if row.resource.kind.word == "tenant":
            await world.store.failed(row, "no", None, again_in=3600)
    due = await world.owner.fetch("select kind from ses_resource where next_try_at <= now() order by 1")
    assert [row["kind"] for row in due] == ["identity", "identity"]


async def test_what_keeps_failing_leaves_the_share_of_those_for_whom_somebody_waits(world: World) -> None:
    await world.fill(1, work=Work.ONBOARDING)
    for _ in range(5):
        (row,) = (
            row for row in await world.store.due(9, Work.ONBOARDING) if row.resource.kind.word == "identity"
        )
        await world.store.failed(row, "no", None, again_in=0)
    assert ("identity", "repair") in [
        tuple(r) for r in await world.owner.fetch("select kind, work from ses_resource")
    ]
    assert (1, "identity") not in await world.next(Work.ONBOARDING)


async def test_what_the_scan_could_not_repair_is_not_behind_what_it_reads(world: World) -> None:
    await world.fill(2, work=Work.SCAN, state="applied")
    read, unread = await world.store.due(2, Work.SCAN)
    outcome = Outcome(reading=Reading(whole={}), members={})
    await world.store.failed(read, "no", outcome, again_in=0)
    await world.store.failed(unread, "no", None, again_in=0)
    assert await world.next(Work.REPAIR) == [(read.tenant, read.resource.kind.word)]


async def test_a_newcomer_is_next_whoever_waits_and_those_who_waited_longest_are_not_forgotten(
    world: World,
) -> None:
    await world.fill(50, work=Work.ONBOARDING)
    await world.set(33, next_try_at=await world.owner.fetchval("select now() - interval '5 s'"))
    assert (await world.next(Work.ONBOARDING))[0][0] == 1
    assert (await world.next(Work.ONBOARDING, busy=[1], newest=True))[0][0] == 33
    for _ in range(4):
        assert await world.apply(Work.ONBOARDING, busy=[1], newest=True) == 33
    assert (await world.next(Work.ONBOARDING, busy=[1], newest=True))[0][0] == 2  # nobody else came just now


async def test_of_several_newcomers_the_last_is_next(world: World) -> None:
    await world.fill(9, work=Work.ONBOARDING)
    for tenant, ago in ((5, 20), (7, 10), (6, 5)):
        await world.set(tenant, next_try_at=await world.owner.fetchval(f"select now() - interval '{ago} s'"))
    assert [(await world.next(Work.ONBOARDING, newest=True))[0][0] for _ in range(2)] == [6, 7]
    # Both were put first: the one that came last is before the other.
    assert [tenant for tenant, kind in await world.next(Work.ONBOARDING) if kind == "tenant"][:3] == [7, 6, 1]


async def test_what_is_as_it_should_be_is_looked_at_in_the_share_of_the_scan(world: World) -> None:
    await world.fill(1, work=Work.ONBOARDING)
    await world.apply(Work.ONBOARDING)
    assert await world.owner.fetchval("select work from ses_resource where kind = 'identity'") == "scan"


async def test_what_all_share_is_every_second_look_of_the_scan_however_much_waits(world: World) -> None:
    await world.fill(3, work=Work.SCAN, state="applied")
    await world.owner.execute(
        "insert into ses_resource (kind, name, phase, desired, work, state, next_try_at)"
        " select 'configuration-set', 'mc-' || i, 1, '{}', 'scan', 'applied', now() from generate_series(1, 2) i"
    )
    looks = [await world.apply(Work.SCAN, shared=turn % 2 == 0) for turn in range(6)]
    assert looks == [None, 1, None, 1, 1, 1]


async def test_after_a_start_what_was_read_longest_ago_is_read_first(world: World) -> None:
    await world.fill(3, work=Work.SCAN, state="applied", ago=-86400)
    for tenant, hours in ((1, 2), (2, 9), (3, 5)):
        await world.owner.execute(
            "update ses_resource set observed_at = now() - make_interval(hours => $2) where tenant = $1",
            tenant,
            hours,
        )
    assert await world.next(Work.SCAN) == []
    await world.store.recheck_all()
    assert [tenant for tenant, kind in await world.next(Work.SCAN) if kind == "tenant"] == [2, 3, 1]


async def test_nothing_is_deleted_while_something_needs_it(world: World) -> None:
    await world.fill(1, work=Work.BULK, state="applied")
    await world.set(1, wanted=False, observed='{"resources": ["identity/t1.example"]}')
    assert await world.next(Work.BULK) == [(1, "policy"), (1, "association")]
    await world.owner.execute("delete from ses_resource where kind = 'association'")
    assert await world.next(Work.BULK) == [(1, "identity"), (1, "tenant"), (1, "policy")]


@pytest.mark.parametrize("analyze", [False, True])
async def test_what_is_due_is_found_by_the_index_however_much_waits(world: World, analyze: bool) -> None:
    """Also if the statistics are those of an empty table."""
    await world.owner.execute("analyze ses_resource")
    await world.fill(3000, analyze=analyze)
    await world.owner.execute(_SQL.by_index.replace("true", "false"))
    for work in WORK_OF_ROWS:
        text = await plans.plan(world.owner, _SQL.due, "text, int, int[]", work, 1, "{}")
        assert "Index Scan using ses_resource_turn on ses_resource r" in text, text
        assert "Sort" not in text, text
        assert "Seq Scan on ses_resource" not in text, text
    for name, types, argument in (
        ("kinds_due", "text[]", "{urgent,bulk}"),
        ("put_newest_first", "int[]", "{}"),
        ("put_shared_first", "", ""),
    ):
        text = await plans.plan(world.owner, _SQL[name], types, *([argument] if argument else []))
        assert "using ses_resource_turn" in text or "using ses_resource_shared" in text, text
        assert "Seq Scan on ses_resource" not in text, text


async def test_connections_that_read_by_the_index_need_no_transaction(world: World, database: Any) -> None:
    await world.owner.execute("analyze ses_resource")
    await world.fill(3000, analyze=False)
    others = await engine.create_pool(database.dsn("control"))
    await others.close()  # nothing is asked of these
    async with await engine.create_pool(database.dsn("control"), max_size=1, settings=BY_INDEX) as by_index:
        store = ProvisionStore(others, by_index)
        assert await store.kinds_due() == [Work.BULK]
        assert [row.tenant for row in await store.due(1, Work.BULK)] == [1]
        async with by_index.acquire() as conn:
            await conn.execute(f"prepare hot (text, int, int[]) as {_SQL.due}")
            rows = await conn.fetch("explain (costs off) execute hot ('bulk', 1, '{}')")
    text = "\n".join(row[0] for row in rows)
    assert "Index Scan using ses_resource_turn on ses_resource r" in text, text
    assert "Sort" not in text, text


@pytest.mark.parametrize("work", [Work.BULK, Work.ONBOARDING])
async def test_deciding_what_is_due_reads_few_pages_of_a_table_that_is_all_due(
    world: World, work: Work
) -> None:
    """Counted, not timed; the table has more than 500 pages."""
    await world.fill(3000)
    await world.owner.execute(_SQL.by_index.replace("true", "false"))
    await world.owner.execute(f"prepare hot (text, int, int[]) as {_SQL.due}")
    explain = f"explain (analyze, buffers, costs off) execute hot ('{work}', 1, '{{}}')"
    await world.owner.fetch(explain)  # the first reads the catalogue
    rows = await world.owner.fetch(explain)
    read = re.findall(r"shared hit=(\d+)(?: read=(\d+))?", rows[1][0])
    assert sum(int(n or 0) for n in read[0]) < 60, "\n".join(row[0] for row in rows)
