"""Counts begin with the acceptance and add up, per lane and window."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.observe.metrics_view import Flow, Keeping, MetricQuery, MetricScope
from mailcordon.observe.windows import Window
from mailcordon.send.accept import Accept
from mailcordon_fixtures.queue_world import accepting, allowed

#: The ledger's states of mail that SES did not take, and the counts that they are in.
UNSENT = {10: "refused", 11: "expired", 12: "cancelled", 13: "given_up", 14: "rejected", 28: "no_outcome"}


class Counting:
    def __init__(self, world: Any, control: engine.Pool, reader: engine.Pool, accept: Accept) -> None:
        self.world, self.accept = world, accept
        self.reader = PostgresMetricsReader(control, reader)
        self.upkeep = UpkeepStore(control)

    async def put(self, submission: Any, slug: str = "acme") -> None:
        await self.accept.enqueue(slug, submission, api_key=1, key=None, still_allowed=allowed)

    async def finish(self, n: int, state: int) -> None:
        """The next `n` deliveries leave the queue so."""
        await self.world.connection.execute(
            "select queue_finish(array_agg(lane), array_agg(id), null, 1, array_agg($2::smallint), null, null, "
            "array_agg('x'::text), array_agg('x'::text), 0) from (select lane, id from ready order by id limit $1) x",
            n,
            state,
        )

    async def flow(self, minutes: int = 60, *, slug: str = "acme", as_tenant: bool = False) -> Flow:
        tenant = await self.world.connection.fetchval("select id from tenant where slug = $1", slug)
        now = await self.reader.now()
        query = MetricQuery(by="lane", window=Window(now - minutes, now + 1))
        page = await self.reader.metrics(MetricScope(tenant=tenant, as_tenant=as_tenant), query)
        [line] = page.lines
        flow = page.flows[line.key]
        assert flow.queued_before + flow.accepted == total(flow)
        return flow

    async def kept(
        self, tenant: int, *, type: str | None = None, as_tenant: bool = False
    ) -> Sequence[Keeping]:
        now = await self.reader.now()
        query = MetricQuery(by="lane", window=Window(now - 60, now + 1), type=type)
        return (await self.reader.metrics(MetricScope(tenant=tenant, as_tenant=as_tenant), query)).kept

    async def past(self, minutes: int) -> None:
        """What is stored so far was stored so long ago."""
        await self.world.connection.execute("update lane_count set at = at - $1::bigint * 60000", minutes)


def total(flow: Flow) -> int:
    return flow.sent + flow.queued + sum(getattr(flow, name) for name in UNSENT.values())


@pytest.fixture
async def counting(world: Any) -> AsyncIterator[Counting]:
    await world.lane("acme", "receipt")
    pools = [await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")]
    control, reader = pools
    async with accepting(world) as accept:
        yield Counting(world, control, reader, accept)
    for pool in pools:
        await pool.close()


def to(n: int) -> list[str]:
    return [f"r{i}@example.com" for i in range(n)]


async def test_every_end_of_a_delivery_has_its_count(counting: Counting, make_submission: Any) -> None:
    await counting.put(make_submission("receipt", to=to(20)))
    for state in (*UNSENT, 20, 20):
        await counting.finish(1, state)
    flow = await counting.flow()
    assert (flow.queued_before, flow.accepted, flow.sent, flow.queued) == (0, 20, 2, 12)
    assert [getattr(flow, name) for name in UNSENT.values()] == [1] * len(UNSENT)


async def test_what_is_refused_at_the_door_was_accepted_and_refused(
    counting: Counting, make_submission: Any
) -> None:
    await counting.world.suppress("acme", "r0@example.com")
    await counting.put(make_submission("receipt", to=to(3)))
    flow = await counting.flow()
    assert (flow.accepted, flow.refused, flow.queued) == (3, 1, 2)
    await counting.put(make_submission("receipt", to=to(1)))
    flow = await counting.flow()
    assert (flow.accepted, flow.refused, flow.queued) == (4, 2, 2)


async def test_a_window_begins_with_what_was_queued_before(counting: Counting, make_submission: Any) -> None:
    await counting.put(make_submission("receipt", to=to(10)))
    await counting.finish(4, 20)
    await counting.upkeep.count_lanes()
    await counting.past(90)
    await counting.put(make_submission("receipt", to=to(5)))
    await counting.finish(3, 11)
    flow = await counting.flow(60)
    assert (flow.queued_before, flow.accepted, flow.sent, flow.expired, flow.queued) == (6, 5, 0, 3, 8)
    assert flow.since is not None
    whole = await counting.flow(120)
    assert (whole.since, whole.queued_before, whole.accepted, whole.sent, whole.expired) == (
        None,
        0,
        15,
        4,
        3,
    )


async def test_a_tenants_key_reads_its_own_totals_only(counting: Counting, make_submission: Any) -> None:
    await counting.world.lane("zen", "receipt")
    await counting.put(make_submission("receipt", to=to(2)))
    await counting.put(make_submission("receipt", "zen", to=to(7)), "zen")
    await counting.upkeep.count_lanes()
    assert (await counting.flow(slug="acme", as_tenant=True)).accepted == 2
    reader = await engine.connect(counting.world.database.dsn("reader"))
    assert await reader.fetchval("select count(*) from own_lane_total") == 0, "no tenant is named"
    assert await reader.fetchval("select count(*) from lane_count") == 0
    with pytest.raises(Exception, match="permission denied"):
        await reader.fetch("select * from lane_total")
    await reader.close()


async def test_totals_are_stored_only_if_something_happened(counting: Counting, make_submission: Any) -> None:
    await counting.upkeep.count_lanes()
    assert await counting.world.count("lane_count") == 0
    await counting.put(make_submission("receipt"))
    await counting.upkeep.count_lanes()
    await counting.past(1)
    await counting.upkeep.count_lanes()
    assert await counting.world.count("lane_count") == 1
    await counting.finish(1, 12)
    await counting.upkeep.count_lanes()
    assert await counting.world.count("lane_count") == 2


async def test_the_counts_add_up_whatever_happens_and_folding_loses_none(
    counting: Counting, make_submission: Any
) -> None:
    chance = random.Random(7)
    await counting.put(make_submission("receipt"))
    for _ in range(25):
        match chance.randrange(4):
            case 0:
                await counting.put(make_submission("receipt", to=to(chance.randint(1, 9))))
            case 1:
                await counting.finish(chance.randint(1, 4), chance.choice([20, *UNSENT]))
            case 2:
                await counting.upkeep.count_lanes()
                await counting.past(chance.randint(1, 30))
            case _:
                await counting.world.connection.execute("update lane_finished set node = -99 where node = 0")
                await counting.upkeep.fold_counters()
        for minutes in (1, 30, 240):
            await counting.flow(minutes)


async def test_old_totals_are_thinned_and_the_last_one_stays(counting: Counting) -> None:
    hour, day = 3_600_000, 86_400_000
    now = await counting.world.connection.fetchval("select now_ms()")
    base = (now // day) * day
    ages = {
        "minutes of an hour ago": [now - hour, now - hour + 60_000],
        "minutes of one hour": [base - 2 * day, base - 2 * day + 60_000, base - 2 * day + 120_000],
        "hours of one day": [base - 20 * day, base - 20 * day + hour, base - 20 * day + 2 * hour],
        "past": [base - 200 * day, base - 150 * day],
    }
    for times in ages.values():
        await counting.world.connection.execute(
            "insert into lane_count select l.id, u.at, l.tenant, 1, 1, 0, 0, 0, 0, 0, 0 from lane l, unnest($1::bigint[]) u (at)",
            times,
        )
    await counting.upkeep.thin_counts(90 * day)
    rows = await counting.world.connection.fetch("select at from lane_count order by at")
    left = {row["at"] for row in rows}
    assert {name: [at for at in times if at in left] for name, times in ages.items()} == {
        "minutes of an hour ago": ages["minutes of an hour ago"],
        "minutes of one hour": ages["minutes of one hour"][-1:],
        "hours of one day": ages["hours of one day"][-1:],
        "past": ages["past"][-1:],
    }


async def test_the_holds_and_stops_of_the_window_are_named_in_the_sentence_of_their_deliveries(
    counting: Counting,
) -> None:
    c = counting.world.connection
    tenant = await c.fetchval("select id from tenant where slug = 'acme'")
    stops = (
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at, ended_at, ended_by) values"
        " ($1, $2, $3, $4, true, now_ms() - $5::bigint * 60000, 1, 1, now_ms() - $6::bigint * 60000,"
        " case when $6::bigint is not null then 'x' end)"
    )
    worker = await c.fetchval(
        "insert into worker (heartbeat, host, pid, started_at) values (now_ms(), 'h', 1, 0) returning id"
    )
    set_ = await c.fetchval("select configuration_set from route")
    for row in (
        ("set", set_, "set-paused", "the set is paused", 30, None),
        ("set", "another", "set-paused", "another set", 30, None),
        ("cell", "default", "daily-quota", "the quota is gone", 50, 40),
        ("cell", "default", "account-paused", "long ago", 500, 400),
        ("worker", str(worker), "ses-unreachable", "cannot reach 10.0.0.7", 20, 10),
    ):
        await c.execute(stops, *row)
    await c.execute(
        "insert into hold (tenant, owner, because, by, since, lifted_at, lifted_by, lifted_because)"
        " select $1, 'person', 'bad list', 'ann', now_ms() - 2400000, now_ms() - x, 'ann', 'x'"
        " from unnest('{60000, 7200000}'::bigint[]) x",
        tenant,
    )
    for as_tenant in (False, True):
        kept = await counting.kept(tenant, as_tenant=as_tenant)
        host = "The platform cannot call SES at the moment" if as_tenant else "cannot reach 10.0.0.7"
        wanted = [host, "the set is paused", "bad list", "the quota is gone"]
        assert len(kept) == len(wanted)
        for one, words in zip(kept, wanted, strict=True):
            assert words in one.sentence
        assert [one.until is None for one in kept] == [False, True, False, False]
        assert "It ends when" in kept[1].sentence
        assert await counting.kept(tenant, type="no-such", as_tenant=as_tenant) == [kept[0]]
