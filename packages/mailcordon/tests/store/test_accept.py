"""A batch is stored by one statement if possible. The slow path gives the same results and leaves the same rows."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.core import address, ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Invalid, TooMuch, Unavailable
from mailcordon.core.reason import Reason
from mailcordon.send import committer
from mailcordon.send.accept import Accept
from mailcordon.send.accept_item import LARGE, Accepted, Repeated
from mailcordon.send.pending import Pending
from mailcordon.send.ports import NewDelivery, StaleRoutes
from mailcordon_fixtures.queue_world import HASH_KEY, accepting, allowed, new_message

NOW = time.time_ns() // 1_000_000  #: stands still: what is minted in one millisecond has to be told apart too


@pytest.fixture
async def accept(world) -> AsyncIterator[Accept]:
    async with accepting(world, lambda: NOW) as accept:
        yield accept


async def put(accept: Accept, *submissions, slug: str = "acme", keys=()) -> list[Any]:
    """All of them in one batch."""
    waiting = [
        accept.enqueue(slug, one, api_key=7, key=keys[n] if keys else None, still_allowed=allowed)
        for n, one in enumerate(submissions)
    ]
    return await asyncio.gather(*waiting, return_exceptions=True)


async def rows(world) -> list[tuple]:
    """The stored values of each delivery, with ids replaced by their position."""
    found = await world.connection.fetch(
        "select m.id, m.recipients[(r.id & 63)::int] as to, m.tenant, m.lane, m.path, m.from_address, m.campaign, m.list, "
        "m.bytes, m.api_key, r.lane as ready_lane, r.tenant as ready_tenant, r.provider, r.hash, r.campaign as c, r.list as l, "
        "(select count(*) from recipient p where p.id = r.id and p.tenant = r.tenant and p.hash = r.hash) as known, "
        "length(coalesce((select body from content where id = m.id), (select body from urgent_content where id = m.id))) as body "
        "from message m join ready r on (r.id & -64) = m.id order by r.id"
    )
    order: dict[int, int] = {}
    return [(order.setdefault(row["id"], len(order)), *tuple(row)[1:]) for row in found]


@pytest.mark.parametrize("type", ["password-reset", "receipt"])
async def test_each_mail_of_a_mixed_batch_keeps_its_own_values_on_the_fast_and_the_slow_path(
    world, accept, make_submission, type
):
    lane = await world.lane("acme", type)
    other = await world.lane("acme", "newsletter")
    mails = [
        make_submission(type, to=["kim@gmail.com", "lee@example.com"], subject="One"),
        make_submission("newsletter", to=["kim@gmail.com"], campaign="spring", list="all", text="x" * 20_000),
        make_submission("newsletter", to=["ann@example.com"], campaign="autumn", list=None),
        make_submission("newsletter", to=["bob@example.com"], campaign="spring", list="all"),
        make_submission(type, sender=f"Other <other@{type}.acme.example>", to=["zoe@example.com"]),
    ]
    answers = await put(accept, *mails, keys=["a", None, "b", None, "c"])
    short = await rows(world)
    assert [(row[0], row[1], row[3], row[5], row[6], row[7]) for row in short] == [
        (0, "kim@gmail.com", lane, f'"Acme" <hello@{type}.acme.example>', None, None),
        (0, "lee@example.com", lane, f'"Acme" <hello@{type}.acme.example>', None, None),
        (1, "kim@gmail.com", other, '"Acme" <hello@newsletter.acme.example>', "spring", "all"),
        (2, "ann@example.com", other, '"Acme" <hello@newsletter.acme.example>', "autumn", None),
        (3, "bob@example.com", other, '"Acme" <hello@newsletter.acme.example>', "spring", "all"),
        (4, "zoe@example.com", lane, f'"Other" <other@{type}.acme.example>', None, None),
    ]
    assert all(row[8] == row[17] and row[16] == 1 for row in short)
    assert await world.count("urgent_content") == (2 if type == "password-reset" else 0)
    assert await world.count("idempotency") == 3
    intake = "select lane, deliveries, bytes from lane_intake order by lane"
    counted = [tuple(row) for row in await world.connection.fetch(intake)]
    assert counted == [
        (lane, 3, 2 * short[0][8] + short[5][8]),
        (other, 3, sum(row[8] for row in short[2:5])),
    ]

    for table in ("ready", "message", "content", "urgent_content", "recipient", "idempotency", "lane_intake"):
        await world.connection.execute(f"delete from {table}")
    await world.suppress("acme", "gone@example.com")
    again = await put(
        accept, *mails, make_submission(type, to=["gone@example.com"]), keys=["a", None, "b", None, "c", None]
    )
    assert await rows(world) == short
    assert [tuple(row) for row in await world.connection.fetch(intake)] == counted
    assert [[d.state for d in one.deliveries] for one in again] == [
        *([d.state for d in one.deliveries] for one in answers),
        [State.REFUSED],
    ]


async def test_a_batch_with_one_repeated_key_stores_the_others(world, accept, make_submission):
    await world.lane("acme", "receipt")
    [first] = await put(accept, make_submission("receipt"), keys=["k"])
    repeated, refused, fresh = await put(
        accept,
        make_submission("receipt"),
        make_submission("receipt", subject="Another"),
        make_submission("receipt", to=["lee@example.com"]),
        keys=["k", "k2", None],
    )
    assert repeated == Repeated(first.id)
    assert refused.deliveries[0].state is fresh.deliveries[0].state is State.READY
    assert await world.count("message") == 3
    [conflict] = await put(accept, make_submission("receipt", subject="Third"), keys=["k2"])
    assert isinstance(conflict, Conflict)


async def test_two_processes_with_the_same_key_at_once_store_one_message(world, accept, make_submission):
    """The other process commits while our statement waits for its key, which looked unused when the statement began."""
    await world.lane("acme", "receipt")
    [first] = await put(accept, make_submission("receipt"), keys=["k"])
    kept = await world.connection.fetchrow("delete from idempotency returning *")
    async with world.connection.transaction():
        await world.connection.execute("insert into idempotency values ($1, $2, $3, $4)", *kept)
        waiting = accept.enqueue(
            "acme", make_submission("receipt"), api_key=7, key="k", still_allowed=allowed
        )
        deadline = asyncio.get_running_loop().time() + 60
        blocked = "select count(*) from pg_locks where not granted"
        while not await world.connection.fetchval(blocked):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)
        assert not waiting.done()
    assert await waiting == Repeated(first.id)
    assert await world.count("message") == 1


async def test_a_turn_that_looks_idle_is_woken_and_one_that_is_due_is_left_alone(
    world, accept, make_submission
):
    await world.lane("acme", "receipt")
    next_at = "select next_at from turn"
    await put(accept, make_submission("receipt"))
    woken = await world.connection.fetchval(next_at)
    assert woken is not None
    await put(accept, make_submission("receipt"))
    assert await world.connection.fetchval(next_at) == woken
    await world.connection.execute("update turn set next_at = 9000000000000000")
    await put(accept, make_submission("receipt"))
    assert woken <= await world.connection.fetchval(next_at) < 9000000000000000


async def test_who_sends_mail_after_mail_waits_for_nothing_and_mail_of_many_callers_gathers(
    world, accept, make_submission, monkeypatch
):
    monkeypatch.setattr(committer, "APART", 3600.0)
    await world.lane("acme", "receipt")
    for _ in range(5):
        await put(accept, make_submission("receipt"))
    first = accept.enqueue("acme", make_submission("receipt"), api_key=7, key=None, still_allowed=allowed)
    while accept.waiting:
        await asyncio.sleep(0)
    assert not first.done()
    second = accept.enqueue("acme", make_submission("receipt"), api_key=7, key=None, still_allowed=allowed)
    await first
    for _ in range(20):
        await asyncio.sleep(0)
    assert accept.waiting == 1
    assert not second.done()
    second.cancel()


async def test_the_backlogs_of_all_lanes_in_use_are_read_at_once_before_each_is_too_old(
    world, make_submission, monkeypatch
):
    asked: list[list[int]] = []

    class Counting(AcceptStore):
        async def backlogs(self, lanes):
            asked.append(sorted(lanes))
            return await super().backlogs(lanes)

    monkeypatch.setattr(committer, "_BACKLOG_CACHE_SECONDS", 3600.0)
    lanes = sorted([await world.lane("acme", type) for type in ("receipt", "newsletter")])
    store = Counting(world.database.dsn("send"))
    accept = Accept(store, HASH_KEY, lambda: NOW, lambda: None, local=True)
    running = asyncio.create_task(accept.run())
    try:
        for _ in range(2):
            await put(accept, make_submission("receipt"), make_submission("newsletter"))
        await put(accept, make_submission("receipt"))
        assert asked == [lanes]
        monkeypatch.setattr(committer, "_BACKLOG_CACHE_SECONDS", 0.0)
        await put(accept, make_submission("receipt"))
        assert asked == [lanes, lanes]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()


async def test_ids_of_a_batch_are_in_the_order_of_its_messages(world, accept, make_submission):
    await world.lane("acme", "receipt")
    answers = await put(accept, *(make_submission("receipt", to=[f"r{n}@example.com"]) for n in range(80)))
    assert [one.id for one in answers] == sorted(one.id for one in answers)
    minted = {ids.ms_of(one.id) for one in answers}
    assert max(minted) - min(minted) <= 1
    assert await world.count("ready") == 80


UNDELIVERABLE = ["lee@printer.local", "ann@mail.example.com", "bob@xn--a.de", "eve@shop.test"]


@pytest.mark.parametrize("type", ["password-reset", "receipt"])
async def test_on_aws_a_delivery_to_an_undeliverable_domain_is_refused_and_the_others_are_queued(
    world, make_submission, type
):
    lane = await world.lane("acme", type)
    await world.connection.execute("update route set domain = 'mail.acme-shop.com'")
    mixed = make_submission(type, to=["kim@gmail.com", *UNDELIVERABLE], sender="a@mail.acme-shop.com")
    alone = make_submission(type, to=UNDELIVERABLE[:1], sender="a@mail.acme-shop.com")
    good = make_submission(type, sender="a@mail.acme-shop.com", to=["kim@gmail.com"])
    async with accepting(world, lambda: NOW, local=False) as accept:
        one, two, three = await put(accept, mixed, alone, good, keys=["a", "b", "c"])
        again = await put(accept, mixed, keys=["a"])
    assert [d.state for d in one.deliveries] == [State.READY, *[State.REFUSED] * 4]
    assert [d.state for d in (*two.deliveries, *three.deliveries)] == [State.REFUSED, State.READY]
    assert again == [Repeated(one.id)]
    refused = [*one.deliveries[1:], *two.deliveries]
    ledger = await world.connection.fetch("select id, lane, state, reason, detail from ledger order by id")
    assert [tuple(row) for row in ledger] == sorted(
        (d.id, lane, State.REFUSED, Reason.UNDELIVERABLE_DOMAIN, d.detail) for d in refused
    )
    for delivery in refused:
        assert delivery.address.partition("@")[2] in delivery.detail
    ready = await world.connection.fetch("select id from ready order by id")
    assert [row["id"] for row in ready] == [one.deliveries[0].id, three.deliveries[0].id]
    intake = await world.connection.fetchrow("select sum(deliveries), sum(refused) from lane_intake")
    assert tuple(intake) == (2, 5)


async def test_the_local_ses_takes_mail_for_the_domains_that_are_reserved_for_tests(
    world, accept, make_submission
):
    await world.lane("acme", "receipt")
    (answer,) = await put(accept, make_submission("receipt", to=["kim@gmail.com", *UNDELIVERABLE]))
    ready, refused = State.READY, State.REFUSED
    assert [d.state for d in answer.deliveries] == [ready, refused, ready, refused, ready]


async def test_on_aws_no_message_comes_from_a_domain_that_is_reserved(world, make_submission):
    await world.lane("acme", "receipt")
    async with accepting(world, lambda: NOW, local=False) as accept:
        (answer,) = await put(accept, make_submission("receipt", to=["kim@gmail.com"]))
    assert isinstance(answer, Invalid)
    assert [(fault.field, fault.code) for fault in answer.faults] == [("from", "reserved-domain")]
    assert await world.count("message") == 0


SMALL = Pending(messages_per_tenant=2, messages=3, bytes_per_tenant=1 << 20, bytes=1 << 21)


async def test_what_waits_is_bounded_for_a_tenant_and_in_all(world, make_submission):
    """Nothing is committed meanwhile."""
    refused: list[str] = []
    store = AcceptStore(world.database.dsn("send"))
    accept = Accept(
        store, HASH_KEY, lambda: NOW, lambda: None, local=True, pending=SMALL, refused=refused.append
    )

    def enqueue(slug: str) -> None:
        accept.enqueue(slug, make_submission("receipt", slug), api_key=7, key=None, still_allowed=allowed)

    enqueue("acme")
    enqueue("acme")
    with pytest.raises(TooMuch, match="Too many messages of acme wait"):
        enqueue("acme")
    enqueue("zen")
    with pytest.raises(Unavailable):
        enqueue("zen")
    enqueue("orbit")  # that has nothing waiting
    assert (refused, accept.waiting) == (["pending-per-tenant", "pending"], 4)


async def test_a_large_message_is_parsed_beside_the_loop_and_stored_beside_the_batches(
    world, make_submission
):
    """While it is parsed, and while its commit waits, small messages are stored."""
    for slug in ("acme", "zen"):
        await world.lane(slug, "receipt")
    go_on, threads = threading.Event(), list[str]()
    large_store = AcceptStore(world.database.dsn("send"))
    store = AcceptStore(world.database.dsn("send"))
    accept = Accept(store, HASH_KEY, lambda: NOW, lambda: None, local=True, large=large_store)
    running = asyncio.create_task(accept.run())

    def parse() -> tuple[str, Any]:
        threads.append(threading.current_thread().name)
        assert go_on.wait(20)
        return "acme", make_submission("receipt", text="x" * (LARGE + 1))

    async def small() -> State:
        [answer] = await put(accept, make_submission("receipt", "zen"), slug="zen")
        return answer.deliveries[0].state

    try:
        admitted: list[str] = []
        large = accept.enqueue_large(
            1, LARGE + 1, parse, admit=admitted.append, api_key=7, key="k", still_allowed=allowed
        )
        assert await small() is State.READY
        assert not large.done()
        used = "insert into idempotency select id, $1, '', 0 from tenant where slug = 'acme'"
        transaction = world.connection.transaction()
        await transaction.start()
        await world.connection.execute(used, hashlib.blake2b(b"k", digest_size=16).digest())
        go_on.set()
        while not await world.connection.fetchval(
            "select exists (select from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid)))"
        ):
            await world.connection.execute(
                "select pg_stat_clear_snapshot()"
            )  # else a transaction sees what it saw first
            await asyncio.sleep(0.01)
        assert await small() is State.READY
        assert not large.done()
        await transaction.rollback()
        stored = await large
        assert isinstance(stored, Accepted)
        assert stored.deliveries[0].state is State.READY
        assert (admitted, threads) == (["acme"], ["large-message_0"])
    finally:
        go_on.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()
        await large_store.close()


async def test_unknown_tenants_cost_their_batch_one_query_and_are_remembered(world, accept, make_submission):
    await world.lane("acme", "receipt")
    await put(accept, make_submission("receipt"))
    read: list[list[str]] = []
    lanes = accept._small._store.lanes

    async def counted(slugs: list[str]) -> Any:
        read.append(slugs)
        return await lanes(slugs)

    accept._small._store.lanes = counted
    unknown = [f"invented-{n}" for n in range(20)]
    for _ in range(2):
        pending = [
            accept.enqueue(
                slug, make_submission("receipt", "acme"), api_key=7, key=None, still_allowed=allowed
            )
            for slug in (*unknown, "acme")
        ]
        answers = await asyncio.gather(*pending, return_exceptions=True)
        assert [type(one) for one in answers] == [Invalid] * 20 + [Accepted]
    assert read == [sorted(unknown)]
    await world.lane("invented-0", "receipt")
    [answer] = await put(accept, make_submission("receipt", "invented-0"), slug="invented-0")
    assert isinstance(answer, Accepted)


@pytest.mark.parametrize("type", ["receipt", "password-reset"])
async def test_a_large_message_is_stored_whole_or_not_at_all_on_both_paths(world, type):
    await world.lane("acme", type)
    store = AcceptStore(world.database.dsn("send"))
    lanes = await store.lanes(["acme"])
    [[entry]] = lanes["acme"].entries.values()
    first = await world.connection.fetchval("select (now_ms() - 1767225600000) << 22")
    bodies = [bytes([n]) + bytes(range(256)) * 4000 for n in range(5)]
    table = "urgent_content" if type == "password-reset" else "content"

    def message(n: int, **over: Any) -> Any:
        return new_message(first + 64 * n, "acme", entry.route, content=bodies[n], **over)

    async def stored() -> list[int]:
        found = await world.connection.fetch(f"select id, body from {table} order by id")
        assert [row["body"] for row in found] == [bodies[(row["id"] - first) // 64] for row in found]
        return [(row["id"] - first) // 64 for row in found]

    try:
        await store.node()
        epoch = await world.connection.fetchval("select value from epoch where name = 'control'")
        await store.store([message(0, key=b"k" * 16)], epoch)
        again = await store.store([message(1, key=b"k" * 16)], epoch)
        assert again.replays[0].message == first
        assert await stored() == [0]
        await world.suppress("acme", "gone@x.example")
        hashes = [address.hash_of(HASH_KEY, address.parse(f"{name}@x.example")) for name in ("gone", "kim")]
        deliveries = [
            NewDelivery(id=first + 128 + n, address="", hash=hash, provider=0)
            for n, hash in enumerate(hashes, 1)
        ]
        result = await store.store([message(2, deliveries=tuple(deliveries))], epoch)
        assert len(result.suppressed) == 1
        with pytest.raises(StaleRoutes):
            await store.store([message(3)], epoch - 1)
        assert await stored() == [0, 2]
        assert await world.count("message") == 2
        assert await world.count("ready") == 2
    finally:
        await store.close()


async def test_invalid_mail_costs_its_batch_one_look_at_the_epoch(world, accept, make_submission):
    await world.lane("acme", "receipt")
    await put(accept, make_submission("receipt"))
    looks = 0
    moment = accept._small._store.moment

    async def counted() -> Any:
        nonlocal looks
        looks += 1
        return await moment()

    accept._small._store.moment = counted
    answers = await put(
        accept, *(make_submission("newsletter") for _ in range(50)), make_submission("receipt")
    )
    assert [type(one) for one in answers[:50]] == [Invalid] * 50
    assert answers[50].deliveries[0].state is State.READY
    assert looks == 1
