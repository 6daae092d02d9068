"""A mailing of a lane with two paths, from accept to its counts, on a real database."""

from collections import Counter
from typing import Any

from mailcordon.adapters.db import arrays, engine, queries
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control import paths
from mailcordon.core import address, ids, path_choice
from mailcordon.core.delivery import State
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.send import refusals
from mailcordon.send.moves import Claimed, Finish
from mailcordon.send.refusals import Answer, Sender
from mailcordon_fixtures.calls import Caller
from mailcordon_fixtures.queue_world import HASH_KEY, World, accepting, allowed

TO = [f"reader{n}@example.com" for n in range(40)]


def isolated(key: str, share: int) -> set[str]:
    return {to for to in TO if path_choice.isolated(key, address.hash_of(HASH_KEY, address.parse(to)), share)}


async def send(world: World, submission: Any) -> None:
    async with accepting(world) as accept:
        await accept.enqueue("acme", submission, api_key=1, key=None, still_allowed=allowed)


async def claim(world: World, queue: QueueStore) -> list[Claimed]:
    await world.connection.execute("update turn set next_at = now_us()")
    return list((await queue.claim(tuple(Class), 100)).claimed)


async def test_a_mailing_splits_and_is_counted_by_the_path_of_each_recipient(
    world: World, queue: QueueStore, make_submission: Any
) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane, 25)
    key = await world.connection.fetchval("select key from tenant")
    expected = isolated(key, 25)
    assert 0 < len(expected) < 40
    await send(world, make_submission("newsletter", to=TO, campaign="may"))
    claimed = await claim(world, queue)
    assert {one.to for one in claimed if one.path == "isolated"} == expected
    assert {one.to for one in claimed if one.path == "shared"} == {*TO} - expected
    route = (await queue.lane_routes([lane]))[lane]
    domains = Counter(route.of(one.path).domain for one in claimed)
    assert domains == {
        "newsletter.acme.example": len(expected),
        "mail.platform.example": 40 - len(expected),
    }
    # Half of them at the first attempt, which is counted by the statement of hot mail, half by the function of all others.
    sent = [Finish(one, State.SENT, Reason.SENT, "x", ses_id=f"id{n}") for n, one in enumerate(claimed[:20])]
    await queue.complete(sent, [], [])
    await world.connection.execute("update ready set attempt = 2 where state = 1")
    again = [
        Finish(one._replace(attempt=2, path="none"), State.SENT, Reason.SENT, "x", ses_id="id")
        for one in claimed[20:]
    ]
    await queue.complete(again, [], [])
    counted = await world.connection.fetch(
        "select path, campaign, sum(counts[1])::int as sent from pending_change group by 1, 2"
    )
    assert {(row["path"], row["campaign"]): row["sent"] for row in counted} == {
        ("isolated", "may"): len(expected),
        ("shared", "may"): 40 - len(expected),
    }
    # What observers count events by.
    deliveries = [one.id for one in claimed]
    seen = await world.connection.fetch(
        queries.load("observe_store.sql").facts,
        arrays.integers(deliveries),
        arrays.integers([lane] * 40),
        ids.message_of(deliveries[0]),
        max(deliveries),
    )
    assert {row["delivery"]: row["path"] for row in seen} == {one.id: one.path for one in claimed}


async def test_a_way_back_moves_what_waits_and_no_recipient_is_on_both_paths(
    world: World, queue: QueueStore, make_submission: Any
) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane, 50)
    key = await world.connection.fetchval("select key from tenant")
    await send(world, make_submission("newsletter", to=TO))
    await world.connection.execute("update turn set next_at = now_us()")
    called = list((await queue.claim(tuple(Class), 10)).claimed)
    pool = await engine.create_pool(world.database.dsn("control"), max_size=1)
    try:
        store = PathStore(pool)
        await store.set_shares({lane: 0}, actor="ann", because="bounces")
        moved = await paths.move_all_back(store, lane, "shared")
    finally:
        await pool.close()
    expected = isolated(key, 50)
    assert moved == (len(expected - {one.to for one in called}), 0)
    rest = await claim(world, queue)
    assert {one.path for one in rest} == {"shared"}
    assert {one.to for one in called if one.path == "isolated"} == expected & {one.to for one in called}
    assert sorted(one.to for one in [*called, *rest]) == sorted(TO)
    await send(world, make_submission("newsletter", to=TO))
    assert {one.path for one in await claim(world, queue)} == {"shared"}


async def test_a_limit_of_the_new_domain_holds_the_mail_of_its_path_only(
    world: World, queue: QueueStore, make_submission: Any
) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane, 50)
    key = await world.connection.fetchval("select key from tenant")
    await send(world, make_submission("newsletter", to=TO))
    tenant = await world.connection.fetchval("select id from tenant")
    limit = Limit(
        id=0,
        tenant=tenant,
        owner="warm-up",
        scope=LimitScope.IDENTITY,
        domain="newsletter.acme.example",
        per=Per.DAY,
        cap=3,
        mode=Mode.ENFORCE,
        because="day 1 of its warm-up",
    )
    pool = await engine.create_pool(world.database.dsn("control"), max_size=1)
    try:
        await LimitStore(pool).replace(tenant, "warm-up", [limit])
    finally:
        await pool.close()
    found: list[Claimed] = []
    while some := await claim(world, queue):
        found += some
    assert Counter(one.path for one in found) == {"isolated": 3, "shared": 40 - len(isolated(key, 50))}
    waiting = await world.connection.fetchval("select count(*) from waiting where why = 5")
    assert waiting == len(isolated(key, 50)) - 3


async def test_a_shared_path_is_in_use_while_mail_waits_for_it(
    world: World, queue: QueueStore, make_submission: Any
) -> None:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane, 25)
    await send(world, make_submission("newsletter", to=TO))
    tenant = await world.connection.fetchval("select id from tenant")

    async def waiting() -> bool:
        use = queries.load("step_store.sql").use_of_shared_path
        return (await world.connection.fetchrow(use, tenant, "newsletter"))["waiting"]

    assert await waiting()
    claimed = await claim(world, queue)
    assert await waiting(), "what is on the wire is there too"
    sent = [Finish(one, State.SENT, Reason.SENT, "x", ses_id="id") for one in claimed if one.path == "shared"]
    await queue.complete(sent, [], [])
    assert not await waiting()


async def refuse_own_path(caller: Caller, world: World, submission: Any) -> int:
    """A lane with half of its recipients on its own path, whose domain SES refuses. Each of twelve got a mail, and all of it was
    claimed. Returns how many take the own path."""
    lane = await caller.lane()
    await world.share(lane, 50)
    for to in TO[:12]:
        await send(world, submission(to=[to]))
    own = (await caller.queue.lane_routes([lane]))[lane].of("isolated")
    answer = Answer(400, code="MailFromDomainNotVerifiedException", text="not verified")
    caller.calling.stops.refused(refusals.decide(answer, 1, Sender(own.domain, own.configuration_set)), own)
    await caller.calling.stops.once(caller.queue.worker)
    await deliver_all(caller, world)
    return len(isolated(await world.connection.fetchval("select key from tenant"), 50) & {*TO[:12]})


async def deliver_all(caller: Caller, world: World) -> Counter[str]:
    """Claims and delivers what is ready. Returns how many were claimed, by path."""
    found: Counter[str] = Counter()
    while claimed := await claim(world, caller.queue):
        for one in claimed:
            caller.loop.slots.take(one.tenant)
            route = (await caller.queue.lane_routes([one.lane]))[one.lane]
            await caller.deliver(one, route=route.of(one.path))
        found.update(one.path for one in claimed)
    return found


async def test_a_stop_of_one_path_keeps_its_mail_and_leaves_the_other_going(
    caller: Caller, world: World, make_submission: Any, clearing: ClearingStore
) -> None:
    own = await refuse_own_path(caller, world, make_submission)
    assert 0 < own < 12
    assert await world.count("ledger", "state = 20") == 12 - own, "the other path goes on"
    assert not await world.connection.fetchval("select stopped from lane")
    kept = await world.connection.fetch("select why, code, attempt, called_at, reason from waiting")
    assert {(row["why"], row["code"], row["attempt"], row["called_at"]) for row in kept} == {
        (6, "stopped", 0, None)
    }
    assert len(kept) == own
    assert "password-reset.acme.example" in kept[0]["reason"]
    assert await clearing.give_back() == 0, "the stop is open"

    # Its test goes over the path that it stops, and ends it.
    await world.connection.execute("update stop set probe_at = 0")
    caller.ses.body = b""
    await caller.calling.stops.once(caller.queue.worker)
    await caller.calling.stops.probed()
    assert b"password-reset.acme.example" in caller.ses.body
    assert await world.count("stop", "ended_at is not null") == 1
    await world.connection.execute("update stop set ended_at = ended_at - 60000")
    assert await clearing.give_back() == own
    assert await deliver_all(caller, world) == {"isolated": own}
    assert await world.count("ledger", "state = 20 and attempt = 1") == 12


async def test_a_way_back_frees_what_waits_for_a_stop_of_the_path_that_it_leaves(
    caller: Caller, world: World, make_submission: Any
) -> None:
    own = await refuse_own_path(caller, world, make_submission)
    pool = await engine.create_pool(world.database.dsn("control"), max_size=1)
    try:
        assert await paths.move_all_back(PathStore(pool), await caller.lane(), "shared") == (own, 0)
    finally:
        await pool.close()
    assert await world.count("waiting") == 0
    assert await deliver_all(caller, world) == {"shared": own}
    assert await world.count("ledger", "state = 20") == 12


async def test_a_lane_is_stopped_once_both_of_its_paths_are(caller: Caller, world: World) -> None:
    lane = await caller.lane()
    await world.share(lane, 50)
    routes = (await caller.queue.lane_routes([lane]))[lane]
    seen: list[bool] = []
    for path in ("isolated", "shared"):
        route = routes.of(path)
        answer = Answer(400, code="MailFromDomainNotVerifiedException", text="not verified")
        caller.calling.stops.refused(
            refusals.decide(answer, 1, Sender(route.domain, route.configuration_set)), route
        )
        await caller.calling.stops.once(caller.queue.worker)
        seen.append(await world.connection.fetchval("select stopped from lane"))
    assert seen == [False, True]
    whose = await world.connection.fetch("select tenant is null as shared from stop order by id")
    assert [row["shared"] for row in whose] == [False, True], "the shared domain is no tenant's own"
