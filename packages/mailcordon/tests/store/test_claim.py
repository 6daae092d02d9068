"""Claims on a real database: turns in strict rotation, and dead mail for nothing."""

import asyncio
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any

import asyncpg

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control.administration import SesAccount
from mailcordon.core.delivery import State
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.target import Target
from mailcordon.send import limits
from mailcordon.send.moves import Finish, Requeue
from mailcordon.send.ports import Bounds
from mailcordon.send.tokens import Tokens
from mailcordon_fixtures.queue_world import World

ALL = tuple(Class)
BULK = (Class.TRANSACTIONAL, Class.MARKETING)


async def mail(
    world: World,
    lane: int,
    n: int,
    *,
    age_ms: int = 0,
    campaign: str | None = None,
    hash: bytes = b"live",
    wake: bool = True,
) -> None:
    """Ready mail without content, as accept leaves it."""
    await world.connection.execute(
        "insert into ready (lane, id, tenant, hash, campaign) "
        "select l.id, (now_ms() - $3 - 1767225600000) << 22 | ((l.id % 128) << 15) + 64 * n + 1, l.tenant, $4, $5 "
        "from lane l, generate_series(1, $2::int) n where l.id = $1",
        lane,
        n,
        age_ms,
        hash,
        campaign,
    )
    if wake:
        await world.connection.execute(
            "update turn set next_at = coalesce(next_at, now_us()) where id = (select turn from lane where id = $1)",
            lane,
        )


async def claimed(queue: QueueStore, slots: int, classes: tuple[Class, ...] = ALL, **more: Any) -> list[int]:
    """The lane of each delivery."""
    return [claim.lane for claim in (await queue.claim(classes, slots, **more)).claimed]


async def turn_of(world: World, lane: int) -> int | None:
    return await world.connection.fetchval(
        "select t.next_at from turn t join lane l on l.turn = t.id where l.id = $1", lane
    )


# ROTATION -------------------------------------------------------------------------------------------------------------------


async def test_no_tenant_starves_and_service_in_a_class_differs_by_at_most_one(world, queue):
    receipts = [await world.lane(f"r{n}", "receipt") for n in range(10)]
    letters = [await world.lane(f"n{n}", "newsletter") for n in range(39)]
    for lane in (*receipts, *letters):
        await mail(world, lane, 300)
    chance = random.Random(7)
    got: Counter[int] = Counter()
    for _ in range(60):
        got.update(await claimed(queue, chance.choice([1, 3, 8, 20, 64]), BULK))
        for lanes in (receipts, letters):
            assert max(got[one] for one in lanes) - min(got[one] for one in lanes) <= 1
    assert min(got.values()) > 0
    assert len(got) == 49


async def test_a_claim_locks_only_the_turns_that_it_serves(world, queue):
    lanes = [await world.lane(f"t{n}", "newsletter") for n in range(8)]
    for lane in lanes:
        await mail(world, lane, 3)
    before = {lane: await turn_of(world, lane) for lane in lanes}
    served = set(await claimed(queue, 3))
    assert len(served) == 3
    assert {lane for lane in lanes if await turn_of(world, lane) != before[lane]} == served


async def test_two_dispatchers_keep_the_rotation_between_them(world, queue):
    lanes = [await world.lane(f"t{n}", "newsletter") for n in range(12)]
    for lane in lanes:
        await mail(world, lane, 100)
    other = QueueStore(world.database.dsn("send"))
    await other.begin_work()
    got: Counter[int] = Counter()
    for _ in range(20):
        for part in await asyncio.gather(claimed(queue, 5), claimed(other, 7)):
            got.update(part)
    assert max(got[one] for one in lanes) - min(got[one] for one in lanes) <= 2
    await other.close()


async def test_the_shares_of_the_classes_follow_which_of_them_have_due_turns(world, queue):
    lanes = {
        Class.URGENT: await world.lane("acme", "password-reset"),
        Class.TRANSACTIONAL: await world.lane("acme", "receipt"),
        Class.MARKETING: await world.lane("acme", "newsletter"),
    }
    for lane in lanes.values():
        await mail(world, lane, 400)
    for absent, shares in (
        ((), (80, 40, 10)),
        ((Class.URGENT,), (0, 104, 26)),
        ((Class.TRANSACTIONAL,), (116, 0, 14)),
        ((Class.URGENT, Class.TRANSACTIONAL), (0, 0, 130)),
    ):
        for class_ in absent:
            await world.connection.execute("update turn set next_at = null where class = $1", class_)
        got = Counter(await claimed(queue, 130))
        assert all(
            abs(got[lanes[class_]] - share) <= 1 for class_, share in zip(Class, shares, strict=True)
        ), got
        await world.connection.execute("update turn set next_at = now_us()")


async def test_a_tenant_at_its_bound_is_passed_over_and_keeps_its_place(world, queue):
    slow, other = await world.lane("slow", "newsletter"), await world.lane("other", "newsletter")
    for lane in (slow, other):
        await mail(world, lane, 50)
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", slow)
    before = await turn_of(world, slow)
    bounds = Bounds(6, {tenant: 6})
    assert Counter(await claimed(queue, 9, bounds=bounds)) == {other: 6}
    assert await turn_of(world, slow) == before
    assert Counter(await claimed(queue, 9, bounds=Bounds(6, {tenant: 4})))[slow] == 2


# DEAD MAIL ------------------------------------------------------------------------------------------------------------------


async def test_expired_mail_costs_a_lane_neither_its_rate_nor_its_place(world, queue, clearing):
    lane = await world.lane("acme", "newsletter", rate=10.0, tokens=10.0, expiry_ms=60_000)
    await mail(world, lane, 3_000, age_ms=61_000)
    await mail(world, lane, 5)
    assert len(await claimed(queue, 100)) == 5
    assert await world.connection.fetchval("select tokens from lane") >= 5
    assert await clearing.expire() == 3_000
    assert await world.count("ledger", "state = 11 and reason = 'expired'") == 3_000
    assert await world.count("ready") == 5


async def test_mail_expires_in_a_lane_that_no_claim_visits(world, queue, clearing):
    lane = await world.lane("acme", "password-reset", held=True, expiry_ms=60_000)
    await mail(world, lane, 6_000, age_ms=61_000)
    await mail(world, lane, 1)
    while await clearing.expire():
        pass
    assert await world.count("ledger", "state = 11") == 6_000
    await world.connection.execute("update lane set held = false")
    assert await claimed(queue, 10) == [lane], "the fresh one leaves at once"
    counted = await world.connection.fetchval("select deliveries from lane_finished where lane = $1", lane)
    assert counted == 6_000


async def test_a_turn_with_nothing_but_expired_mail_is_idle(world, queue):
    lane = await world.lane("acme", "newsletter", expiry_ms=1_000)
    await mail(world, lane, 10, age_ms=2_000)
    assert await claimed(queue, 10) == []
    assert await turn_of(world, lane) is None
    assert await queue.recheck() == 0
    assert await queue.sweep() == 0


async def test_suppressed_mail_is_refused_before_it_counts(world, queue):
    lane = await world.lane("acme", "newsletter", rate=10.0, tokens=10.0)
    await world.suppress("acme", "kim@example.com")
    dead = await world.connection.fetchval("select hash from suppression")
    await mail(world, lane, 600, age_ms=1_000, hash=dead)
    await mail(world, lane, 20)
    assert len(await claimed(queue, 100)) == 10, "the lane's rate, whole"
    assert await world.count("ledger", "state = 10 and reason = 'suppressed' and attempt = 0") == 600
    assert await world.count("ready", "state = 0") == 10


async def test_a_turn_whose_head_is_all_suppressed_keeps_its_place(world, queue):
    lane = await world.lane("acme", "newsletter")
    await world.suppress("acme", "kim@example.com")
    dead = await world.connection.fetchval("select hash from suppression")
    await mail(world, lane, 2_500, age_ms=1_000, hash=dead)
    await mail(world, lane, 1)
    before = await turn_of(world, lane)
    assert await claimed(queue, 10) == []
    assert await turn_of(world, lane) == before
    found = [one for _ in range(3) for one in await claimed(queue, 10)]
    assert found == [lane]
    assert await world.count("ledger") == 2_500


# HELD MAIL -------------------------------------------------------------------------------------------------------------------


async def hold_on(world: World, campaign: str, until: int | None = None) -> Hold:
    tenant = await world.connection.fetchval("select id from tenant where slug = 'acme'")
    id = await world.connection.fetchval(
        "insert into hold (tenant, campaign, owner, because, by, since) "
        "values ($1, $2, 'person', 'x', 'ann', now_ms()) returning id",
        tenant,
        campaign,
    )
    target = Target(tenant=tenant, campaign=campaign)
    return Hold(id=id, target=target, owner="person", because="x", by="ann", since=1, until=until)


async def test_held_mail_is_parked_in_bulk_and_counts_for_nothing(world, queue):
    lane = await world.lane("acme", "newsletter", rate=10.0, tokens=10.0)
    hold = await hold_on(world, "spring")
    await mail(world, lane, 150, age_ms=1_000, campaign="spring")
    await mail(world, lane, 20, campaign="autumn")
    assert len(await claimed(queue, 100, narrow={hold.target.tenant: [hold]})) == 10
    waiting = f"why = 3 and hold = {hold.id} and code = 'held' and attempt = 0 and called_at is null"
    assert await world.count("waiting", waiting) == 150
    assert await world.count("note") == 0


async def test_a_claim_never_takes_held_mail_however_much_there_is(world, queue):
    lane = await world.lane("acme", "newsletter")
    hold = await hold_on(world, "spring")
    await mail(world, lane, 700, age_ms=1_000, campaign="spring")
    await mail(world, lane, 3, campaign="autumn")
    before = await turn_of(world, lane)
    narrow = {hold.target.tenant: [hold]}
    assert await claimed(queue, 10, narrow=narrow) == []
    assert await turn_of(world, lane) == before
    found = [await claimed(queue, 10, narrow=narrow) for _ in range(3)]
    assert [lane for part in found for lane in part] == [lane] * 3
    assert await world.count("waiting", "why = 3") == 700
    assert await world.count("ready", "campaign = 'spring'") == 0


async def test_a_held_campaign_is_parked_beside_the_claims_wherever_it_lies(world, clearing):
    lane = await world.lane("acme", "newsletter")
    zen = await world.lane("zen", "newsletter")
    hold = await hold_on(world, "spring")
    for age in (9_000, 7_000, 5_000):
        await mail(world, lane, 800, age_ms=age, campaign="spring")
        await mail(world, lane, 200, age_ms=age - 1_000, campaign="autumn")
    await mail(world, zen, 10, campaign="spring")
    narrow = {hold.target.tenant: [hold]}
    assert await clearing.park(narrow) == 2_400
    assert await world.count("ready", f"lane = {lane} and campaign = 'autumn'") == 600
    assert await world.count("ready", f"lane = {zen}") == 10
    await mail(world, lane, 5, campaign="spring")
    assert await clearing.park(narrow) == 5, "what comes later too"


async def test_what_a_hold_had_deferred_comes_back_along_the_ramp(world, queue, clearing):
    lane = await world.lane("acme", "newsletter")
    hold = await hold_on(world, "spring")
    await mail(world, lane, 2_000, campaign="spring")
    await clearing.park({hold.target.tenant: [hold]})
    assert await clearing.give_back() == 0, "it still stops"
    await world.connection.execute(
        "update hold set lifted_at = now_ms(), lifted_by = 'x', lifted_because = 'y'"
    )
    await world.connection.execute("update turn set next_at = null")
    assert await clearing.give_back() == 0
    await world.connection.execute("update hold set moving_since = moving_since - 5000")
    moved = await clearing.give_back()
    assert limits.released(5_000) <= moved < 2_000
    assert await world.connection.fetchval("select moved from hold") == moved
    assert len(await claimed(queue, 2_000)) == moved, "its turn was woken"
    await world.connection.execute("update hold set moving_since = moving_since - 60000")
    while await clearing.give_back():
        pass
    assert await world.count("waiting") == 0


# QUOTA -----------------------------------------------------------------------------------------------------------------------


async def spend(queue: QueueStore, classes: tuple[Class, ...], rounds: int = 40) -> Counter[int]:
    """Claims as a dispatcher's loop does, with calls that end at once. Returns the calls by lane."""
    tokens = Tokens(queue, "default", urgent=Class.URGENT in classes)
    got: Counter[int] = Counter()
    for _ in range(rounds):
        granted = await tokens.take(10)
        lanes: list[int] = []
        if granted:
            bounds = Bounds(1_000, {}, "default", tokens.reserve_left)
            lanes = await claimed(queue, granted, classes, bounds=bounds)
        got.update(lanes)
        tokens.keep(granted - len(lanes))
        if not lanes:
            await tokens.return_unused()
    return got


async def test_a_newsletter_leaves_a_tenth_of_the_days_quota_to_resets_and_no_tenant_takes_more_than_half_of_it(
    world, queue
):
    letter = await world.lane("acme", "newsletter")
    resets = [await world.lane(slug, "password-reset") for slug in ("acme", "zen", "kim")]
    await world.account(rate=100_000)
    await world.connection.execute("update account_rate set max_24h = 400")
    for lane in (letter, *resets):
        await mail(world, lane, 450, wake=False)
    await world.connection.execute("update turn set next_at = now_us() where class = 2")
    assert await spend(queue, BULK, 100) == {letter: 360}
    for lane, calls in zip(resets, (20, 10, 5), strict=True):
        await world.connection.execute(
            "update turn set next_at = now_us() where id = (select turn from lane where id = $1)", lane
        )
        assert (await spend(queue, (Class.URGENT,)))[lane] == calls
    assert await world.connection.fetchval("select taken from account_rate") == 395


async def test_a_call_that_was_not_made_spends_nothing_of_the_reserve(world, queue):
    lane = await world.lane("acme", "password-reset")
    await mail(world, lane, 10)

    async def used() -> int:
        return await world.connection.fetchval("select sum(calls) from reserve_use")

    batch = await queue.claim((Class.URGENT,), 6, Bounds(1_000, {}, "default", 20))
    assert await used() == len(batch.claimed) == 6
    withdrawn = [Requeue(claim) for claim in batch.claimed[:4]]
    await queue.complete([], [], withdrawn)
    assert await used() == 2
    await queue.complete([], [], withdrawn)
    assert await used() == 2, "recorded twice, returned once"
    batch = await queue.claim((Class.URGENT,), 1, Bounds(1_000, {}))
    await queue.complete([], [], [Requeue(batch.claimed[0])])
    assert await used() == 2, "it was not counted in the reserve"


async def test_what_was_granted_since_the_last_but_one_poll_counts(world, queue):
    await world.account(rate=100_000)
    await world.connection.execute("update account_rate set max_24h = 1000")
    pool = await engine.create_pool(world.database.dsn("control"), max_size=1)
    store = UpkeepStore(pool)
    taken: list[int] = []
    for n in (100, 10, 1):
        await queue.take_tokens("default", n, urgent=True)
        await store.write_account(
            "default",
            SesAccount(
                max_send_rate=100_000, max_24h=1000, sent_24h=0, sending_enabled=True, enforcement="HEALTHY"
            ),
        )
        taken.append(await world.connection.fetchval("select taken from account_rate"))
    assert taken == [100, 10, 1]
    await pool.close()


# TIME ------------------------------------------------------------------------------------------------------------------------


async def test_a_clock_that_was_set_back_stops_nothing(world, queue, clearing):
    lane = await world.lane("acme", "newsletter", rate=10.0, tokens_at=2**50)
    await mail(world, lane, 20)
    await mail(world, lane, 3, age_ms=1_000)
    await world.connection.execute("update lane set released_at = now_ms() + 600000")
    await world.connection.execute("update turn set next_at = now_us() + 600000000")
    await world.connection.execute(
        "insert into waiting (lane, id, tenant, why, until, attempt, hash, reason, code, since) "
        "select $1, 1, tenant, 1, now_ms() + 600000, 1, '\\x00', 'x', 'retry', 0 from lane",
        lane,
    )
    await world.account()
    await world.connection.execute("update account_rate set at = at + 600000")
    assert await clearing.correct_clocks() == 4
    assert await world.count("account_rate", "at <= now_ms()") == 1
    assert await clearing.correct_clocks() == 0
    assert await world.count("waiting") == 0
    await claimed(queue, 10)
    assert await world.count("lane", "tokens_at <= now_ms()") == 1
    await world.connection.execute("update lane set tokens_at = tokens_at - 1000")
    await world.connection.execute("update turn set next_at = now_us()")
    assert await claimed(queue, 10)


async def test_after_the_clock_was_set_back_stops_are_tested_and_resources_are_read_without_delay(
    world, clearing
):
    await world.connection.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at, ended_at, ended_by)"
        " values ('cell', 'a', 'account-paused', 'x', true, 0, 0, now_ms() + 600000, null, null),"
        " ('cell', 'b', 'account-paused', 'x', true, 0, 0, now_ms() + 60000, null, null),"
        " ('cell', 'c', 'account-paused', 'x', true, 0, 0, now_ms() + 600000, 0, 'x')"
    )
    await world.connection.execute(
        "insert into ses_resource (kind, name, phase, desired, state, observed_at, next_try_at)"
        " select 'configuration-set', name, 0, '{}', state, now() + observed, now() + due from (values"
        " ('read ahead', 'applied', interval '10 minutes', interval '11 minutes'),"
        " ('not tried', 'pending', null, interval '10 minutes'),"
        " ('failed', 'failing', null, interval '10 hours'),"
        " ('retried', 'failing', interval '-1 hour', interval '1 hour'),"
        " ('of ours', 'applied', interval '-1 second', interval '1 day')) x (name, state, observed, due)"
    )
    assert await clearing.correct_clocks() == 4
    assert [
        row["name"]
        for row in await world.connection.fetch("select name from stop where probe_at <= now_ms()")
    ] == ["a"]
    due = await world.connection.fetch(
        "select name from ses_resource where next_try_at <= now() order by name"
    )
    assert [row["name"] for row in due] == ["failed", "not tried", "read ahead"]
    assert await clearing.correct_clocks() == 0


async def test_a_resource_that_waits_for_mail_or_for_another_is_not_ahead_of_the_clock(world, clearing):
    await world.lane("acme", "newsletter")
    await world.connection.execute(
        "insert into ses_resource (kind, name, phase, tenant, desired, state, wanted, next_try_at)"
        " select kind, 'a', 0, t.id, '{}', state, wanted, now() + interval '1 hour' from tenant t, (values"
        " ('identity', 'pending', false), ('tenant', 'failing', true), ('policy', 'pending', true)) x (kind, state, wanted)"
    )
    assert await clearing.correct_clocks() == 0
    await world.connection.execute("delete from ses_resource where kind = 'tenant'")
    assert await clearing.correct_clocks() == 1  # the policy waits for nothing


async def test_no_stamp_of_ours_is_taken_for_one_from_the_future(world, queue, clearing):
    lane = await world.lane("acme", "newsletter", rate=0.01)
    await mail(world, lane, 2)
    assert len(await claimed(queue, 10)) <= 1
    assert await turn_of(world, lane) is not None
    assert await clearing.correct_clocks() == 0


# LONG SNAPSHOTS ---------------------------------------------------------------------------------------------------------------


async def buffers(world: World, queue: QueueStore) -> int:
    """Buffers of the queue's tables that were read up to now."""
    for use in (queue._claims.use, queue._results._connection.use):
        async with use() as connection:
            await connection.execute("select pg_stat_force_next_flush()")
            await connection.execute("select 1")
    return await world.connection.fetchval(
        "select sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint "
        "from pg_statio_user_tables where relname in ('turn', 'ready')"
    )


async def claim_and_finish(queue: QueueStore) -> None:
    claims = (await queue.claim((Class.MARKETING,), 40)).claimed
    assert len(claims) == 40
    await queue.complete([Finish(c, State.SENT, Reason.SENT, "", "x") for c in claims], [], [])


async def test_a_claim_reads_little_of_what_a_long_snapshot_keeps(world):
    lanes = [await world.lane(f"t{n}", "newsletter") for n in range(10)]
    for lane in lanes:
        await mail(world, lane, 300)
    # Old versions are taken to be in the way; each stretch has one claim that looks at everything.
    queue = QueueStore(world.database.dsn("send"), crowded_after=0.0, full_look_every=3_600, late_ms=0)
    await queue.begin_work()
    snapshot = await asyncpg.connect(world.database.dsn("owner"))
    async with snapshot.transaction(isolation="repeatable_read"):
        await snapshot.fetch("select 1")
        read: list[int] = []
        for _ in range(6):
            queue._looks.clear()
            await claim_and_finish(queue)  # looks at everything
            before = await buffers(world, queue)
            for _ in range(9):
                await claim_and_finish(queue)
            read.append(await buffers(world, queue) - before)
    # Seven times as much without the marks. Each new version of a turn is still compared with all others of its key.
    assert read[-1] < 4 * read[0], read
    await snapshot.close()
    await queue.close()


async def test_a_database_that_is_far_away_is_not_taken_for_a_crowded_one(world, monkeypatch):
    lane = await world.lane("acme", "newsletter")
    await mail(world, lane, 10)
    queue = QueueStore(world.database.dsn("send"), crowded_after=10.0)
    await queue.begin_work()
    took = iter(range(0, 10**9, 60))
    clock = SimpleNamespace(monotonic=lambda: float(next(took)))  # a minute between any two looks at it
    monkeypatch.setattr("mailcordon.adapters.db.queue_store.time", clock)
    assert len(await claimed(queue, 5)) == 5
    monkeypatch.undo()
    assert not any(look.crowded for look in queue._looks.values())
    await queue.close()


async def test_mail_put_before_the_marks_is_found_by_the_next_full_look(world):
    lane = await world.lane("acme", "newsletter")
    await mail(world, lane, 10)
    queue = QueueStore(world.database.dsn("send"), crowded_after=0.0, full_look_every=3_600)
    await queue.begin_work()
    assert len(await claimed(queue, 5)) == 5
    await mail(world, lane, 2, age_ms=5_000)
    assert len(await claimed(queue, 100)) == 5, "not those two"
    assert await turn_of(world, lane) is not None, "the turn is not taken for drained"
    queue._full_look_every = 0.0
    assert len(await claimed(queue, 100)) == 2
    await queue.close()
