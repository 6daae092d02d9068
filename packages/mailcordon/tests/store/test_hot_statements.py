"""The hot statements write what the functions of the queue would write, and read by keys alone, on empty and on full tables."""

import asyncio
import re
from typing import Any

import pytest

from mailcordon.adapters.db import accept_arguments, engine, queries
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.priority import Class
from mailcordon.messages import reasons
from mailcordon.send import compose
from mailcordon.send.moves import Requeue
from mailcordon.send.ports import NewDelivery
from mailcordon_fixtures.plans import assert_by_key, plan
from mailcordon_fixtures.queue_world import new_message

from .test_queue_functions import READ, Queue, fill

_RESULTS = queries.load("result_store.sql")
_ACCEPT = queries.load("accept_store.sql")
TABLES = {
    "ready": "*",
    "waiting": "*",
    "ledger": "id, tenant, lane, state, attempt, provider, ses_id, called_at, reason, detail",
    "lane_finished": "*",
    "lane_intake": "*",
    "urgent_content": "*",
    "content": "*",
    "message": "*",
    "recipient": "*",
    "turn": "id, next_at is null",
    "pending_change group by 1, 2, 3, 4, 5, 6, 7, 8": "tenant, lane, minute, path, campaign, list, provider, domain,"
    " sum(counts[1]), max(cardinality(counts))",
}


async def rows(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a move may write, but for the time of writing."""
    return {
        table: sorted(
            (tuple(row) for row in await connection.fetch(f"select {columns} from {table}")), key=repr
        )
        for table, columns in TABLES.items()
    }


class Undone(Exception):
    pass


async def after(connection: Any, *statements: tuple[Any, ...]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows as they are after these statements, which are undone."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.fetch(*statement)
            found = await rows(connection)
            raise Undone
    except Undone:
        return found


@pytest.fixture
async def queue(world: Any) -> Queue:
    return Queue(world, await world.lane("acme", "password-reset"))


async def test_finish_sent_writes_what_queue_finish_writes(queue: Queue, pinned: engine.Connection) -> None:
    """Of every place; a message with several recipients, one of which stays; a wrong attempt; one that is not there."""
    sending, unknown, ready, waiting = [await queue.at(place) for place in (2, 8, 1, 4)]
    many = await queue.message(recipients=3)
    for id in (many + 1, many + 2):
        await queue.call(id)
    stale = await queue.at(2)
    ids = [sending, unknown, ready, waiting, many + 1, many + 2, stale, stale + 64_000]
    attempts = [1, 1, 0, 1, 1, 1, 2, 1]
    lanes, ses_ids, called = [queue.lane] * 8, [f"ses-{n}" for n in range(8)], [7] * 8
    order = sorted(range(8), key=ids.__getitem__)
    ids, attempts = [ids[n] for n in order], [attempts[n] for n in order]
    finish_sent = (
        _RESULTS.finish_sent, lanes, ids, attempts, ses_ids, called, [100] * 8, -3, True, ["isolated"] * 8, [None] * 8,
    )  # fmt: skip
    finish = (
        _RESULTS.finish, lanes, ids, attempts, [20] * 8, ses_ids, called, ["sent"] * 8,
        [reasons.accepted_by_ses()] * 8, -3,
    )  # fmt: skip
    hot, cold = await after(pinned, finish_sent, finish), await after(pinned, finish)
    assert hot == cold
    assert len(hot["ledger"]) == 4
    alone = await after(pinned, finish_sent)
    assert {row[0] for row in hot["ledger"]} - {row[0] for row in alone["ledger"]} == {unknown}, (
        "an unknown outcome is left to `finish`"
    )
    assert hot["urgent_content"] == [(id - id % 64, b"body") for id in sorted((ready, waiting, many, stale))]


@pytest.mark.parametrize("urgent", [True, False])
async def test_accept_writes_what_its_slow_path_writes(
    world: Any, make_submission: Any, pinned: engine.Connection, urgent: bool
) -> None:
    await world.lane("acme", "password-reset" if urgent else "receipt")
    store = AcceptStore(world.database.dsn("send"))
    lanes = await store.lanes(["acme"])
    [[entry]] = lanes["acme"].entries.values()
    start = await world.connection.fetchval("select (now_ms() - 1767225600000) << 22")
    batch = [
        new_message(
            start + 64 * n,
            "acme",
            entry.route,
            campaign="spring" if n else None,
            tags='{"order": "17"}' if n else None,
            content=compose.content(make_submission()),
            deliveries=tuple(
                NewDelivery(
                    id=start + 64 * n + to, address=f"k{to}@x.example", hash=bytes([n, to]) * 8, provider=to
                )
                for to in range(1, 2 + n)
            ),
        )
        for n in range(3)
    ]
    try:
        await store.node()
        epoch = await world.connection.fetchval("select value from epoch where name = 'control'")
        assert store._node is not None
        hot = await after(pinned, (_ACCEPT.accept, epoch, *accept_arguments.build(batch, store._node)))
        await store._store_slowly(batch, epoch)
    finally:
        await store.close()
    assert hot == await rows(world.connection)
    assert len(hot["ready"]) == 6


async def test_a_claim_that_is_given_back_leaves_the_queue_as_it_was(queue: Queue) -> None:
    """`claim` and `queue_requeue` undo each other: the intent changes nothing else."""
    await queue.message(recipients=2)
    await queue.at(4)
    await queue.c.execute("update turn set next_at = 1")
    store = QueueStore(queue.world.database.dsn("send"))
    try:
        await store.begin_work()
        before = await rows(queue.c)
        claimed = (await store.claim((Class.URGENT,), 10)).claimed
        assert [(one.attempt, one.lane) for one in claimed] == [(1, queue.lane)] * 2
        await store.complete([], [], [Requeue(one) for one in claimed])
    finally:
        await store.close()
    assert await rows(queue.c) == before


async def test_claim_and_accept_know_a_suppression_as_suppressed_for_does(
    queue: Queue, pinned: engine.Connection
) -> None:
    c = queue.c
    now = await c.fetchval("select now_ms()")
    tenant = await c.fetchval("select tenant from lane")
    other = await queue.world.lane("acme", "newsletter")
    kinds = [
        (0, 0, None), (1, 0, None), (1, 2, None), (2, queue.lane, None), (2, other, None),
        (0, 0, now - 1), (0, 0, now + 60_000),
    ]  # fmt: skip
    for n, (scope, target, until) in enumerate(kinds):
        await c.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, until, by)"
            " values ($1, $2, $3, $4, 'k', 'manual', 1, $5, 'x')",
            tenant, bytes([n]) * 16, scope, target, until,
        )  # fmt: skip
    await c.execute(
        "insert into platform_suppression values ($1, 'k', 'manual', 1, 'x')", bytes([len(kinds)]) * 16
    )
    for n, class_ in ((1, 0), (2, 2)):
        await c.execute(
            "insert into platform_suppression values ($1, 'k', 'complaint', 1, 'x', 'unowned', 'kim', $2)",
            bytes([len(kinds) + n]) * 16, class_,
        )  # fmt: skip
    hashes = [bytes([n]) * 16 for n in range(len(kinds) + 4)]
    said = [
        await pinned.fetchval(
            "select suppressed_for($1, $2, 0::smallint, $3, now_ms())", tenant, hash, queue.lane
        )
        for hash in hashes
    ]
    assert said == [True, True, False, True, False, False, True, True, True, False, False]
    checked = await after_check(pinned, tenant, hashes, queue.lane)
    assert [n + 1 in checked for n in range(len(hashes))] == said


async def after_check(
    connection: engine.Connection, tenant: int, hashes: list[bytes], lane: int
) -> list[int]:
    n = len(hashes)
    row = await connection.fetchrow(
        _ACCEPT.accept_check, [], [], [], [], [tenant] * n, hashes, [0] * n, [lane] * n, [lane]
    )
    assert row is not None
    return row["suppressed"]


@pytest.mark.parametrize("full", [False, True])
async def test_hot_statements_look_rows_up_by_key(
    queue: Queue, pinned: engine.Connection, full: bool
) -> None:
    id = await queue.at(2)
    if full:
        await fill(queue, 20_000)
    shown = {
        "finish_sent": await plan(
            pinned, _RESULTS.finish_sent, "int[], bigint[], smallint[], text[], bigint[], int[], int, boolean, text[], text[]",
            f"{{{queue.lane}}}", f"{{{id}}}", "{1}", "{s}", "{7}", "{1}", -3, True, "{isolated}", "{NULL}",
        ),
        "accept": await plan(
            pinned, _ACCEPT.accept,
            ", ".join(["bigint", "text", "text", "text", "bytea", "text", "text", "bytea", "text", "text", "text[]",
                       "int[]", "int[]", "int[]", "text[]", "text[]", "text[]", "text[]", "int[]", "bigint[]", "bigint[]",
                       "text", "text", "bytea[]", "text", "bytea[]", "int", "int[]", "text[]", "text", "bigint[]"]),
            1, *["{}"] * 3, "", *["{}"] * 2, "", *["{}"] * 18, 1, "{}", "{}", "{}", None,
        ),
    }  # fmt: skip
    for name, text in shown.items():
        assert_by_key(name, text)
    assert "ready_pkey" in re.findall(r"using (\w+)", shown["finish_sent"])


async def test_what_is_named_twice_is_finished_once(queue: Queue, pinned: engine.Connection) -> None:
    id = await queue.at(2)
    two = (
        [queue.lane] * 2,
        [id] * 2,
        [1, 1],
        ["a", "b"],
        [7, 7],
        [100] * 2,
        -3,
        True,
        ["isolated"] * 2,
        [None] * 2,
    )
    assert await pinned.fetchval(_RESULTS.finish_sent, *two) == 1
    assert await queue.c.fetchval("select array_agg(ses_id) from ledger") == ["a"]
    assert await queue.c.fetchval("select deliveries from lane_finished") == 1


@pytest.mark.parametrize("forget", [False, True])
async def test_results_are_recorded_by_key_though_that_was_planned_while_the_queue_was_empty(
    queue: Queue, pinned: engine.Connection, forget: bool
) -> None:
    """PostgreSQL believes that pages which vacuum found empty stay so until they are analyzed: most of a flood, after a pause."""
    others = "insert into ready (lane, id, tenant, hash) select id, 64 * n + 1, tenant, 'h' from lane, generate_series(1, 3000) n"
    await queue.c.execute("insert into urgent_content (id, body) select -n, '' from generate_series(1, 50) n")
    await queue.c.execute(others)
    await queue.c.execute(
        "delete from ready where id <> 64 * 3000 + 1"
    )  # vacuum keeps the pages before the last one that is used
    await queue.c.execute("vacuum (analyze) ready, waiting, urgent_content")
    await _record(queue, pinned, [await queue.at(2)], forget=forget)
    await queue.c.execute(f"delete from ready; {others}")
    ids = [await queue.at(2) for _ in range(10)]
    async with pinned.transaction():
        before = await pinned.fetchval(READ)
        assert await _record(queue, pinned, ids, forget=forget) == len(ids)
        assert await pinned.fetchval(READ) - before < 10 * len(ids)


async def _record(queue: Queue, connection: engine.Connection, ids: list[int], *, forget: bool) -> int:
    n = len(ids)
    return await connection.fetchval(
        _RESULTS.finish_sent,
        *(
            [queue.lane] * n,
            ids,
            [1] * n,
            ["s"] * n,
            [7] * n,
            [100] * n,
            -3,
            forget,
            ["isolated"] * n,
            [None] * n,
        ),
    )


async def test_what_another_takes_while_results_are_recorded_is_not_finished_twice(
    queue: Queue, pinned: engine.Connection
) -> None:
    ids = [await queue.at(2) for _ in range(3)]
    async with queue.c.transaction():
        await queue.c.execute("delete from ready where id = $1", ids[1])
        recording = asyncio.create_task(_record(queue, pinned, ids, forget=False))
        await blocked(queue.c, pinned.get_server_pid())
    assert await recording == 2
    found = await queue.c.fetch("select id from ledger order by id")
    assert [row["id"] for row in found] == [ids[0], ids[2]]


async def blocked(connection: Any, pid: int) -> None:
    """Returns when the session waits for a lock."""
    while not await connection.fetchval("select cardinality(pg_blocking_pids($1)) > 0", pid):
        await asyncio.sleep(0.01)
