"""The SQL functions that move deliveries: what each writes, from where it takes, and that it reads by keys alone."""

import asyncio
import itertools
from typing import Any

import asyncpg
import pytest

from mailcordon.core.delivery import State
from mailcordon.send.moves import Place

READY, SENDING, WAITING, UNKNOWN, LEDGER = Place
SET = "mc-urgent"


#: Rows of the queue that this transaction has read, tables or indexes.
READ = """
select sum(pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_returned(c.oid))::int from pg_class c
 where c.relname in ('ready', 'ready_pkey', 'waiting', 'waiting_pkey', 'urgent_content', 'urgent_content_pkey')
"""


class Queue:
    """Rows of one lane's deliveries, put where a test wants them."""

    def __init__(self, world: Any, lane: int) -> None:
        self.world = world
        self.c = world.connection
        self.lane = lane
        self.made = 0

    async def message(self, recipients: int = 1) -> int:
        """A message whose deliveries are ready. Returns its id."""
        id = await self.c.fetchval("select ((now_ms() - 1767225600000) << 22) + $1::int * 64", self.made)
        self.made += 1
        await self.c.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " select $1, l.tenant, l.id, 'isolated', 'a@x.example', array_fill('k@x.example'::text, array[$3::int]), 100, 1"
            " from lane l where l.id = $2",
            id,
            self.lane,
            recipients,
        )
        await self.c.execute("insert into urgent_content values ($1, 'body')", id)
        await self.c.execute(
            "insert into ready (lane, id, tenant, hash) select $1, $2::bigint + n, l.tenant, 'h'"
            " from lane l, generate_series(1, $3) n where l.id = $1",
            self.lane,
            id,
            recipients,
        )
        return id

    async def at(self, place: int) -> int:
        """One delivery in this place, of a message of its own. Returns its id."""
        id = await self.message() + 1
        if place == SENDING:
            await self.call(id)
        elif place == WAITING:
            await self.call(id)
            await self.defer(id, why=1)
        elif place == UNKNOWN:
            await self.call(id)
            await self.defer(id, why=2)
        elif place == LEDGER:
            await self.call(id)
            await self.finish(id)
        return id

    async def call(self, id: int, at: int = 7) -> None:
        await self.c.execute(
            "update ready set state = 1, attempt = attempt + 1, worker = 1, called_at = $2 where id = $1",
            id,
            at,
        )

    async def defer(self, id: int, *, why: int, hold: int | None = None, **over: Any) -> int:
        return await self.c.fetchval(
            "select queue_defer(array[$1::int], array[$2::bigint], array[$3::smallint], array[$4::bigint], array[$5::smallint],"
            " array[null::bigint], array[$6::bigint], array['because'], array['retry'], places => $7)",
            self.lane,
            id,
            over.get("attempt"),
            over.get("called_at"),
            why,
            hold,
            over.get("places", SENDING),
        )

    async def finish(
        self, *ids: int, places: int = 15, attempt: int | None = None, node: int = 0
    ) -> list[int]:
        rows = await self.c.fetch(
            "select id from queue_finish(array_fill($1::int, array[$6::int]), $2::bigint[],"
            " array_fill($3::smallint, array[$6::int]), $4, array_fill(12::smallint, array[$6::int]), null, null,"
            " array_fill('cancelled'::text, array[$6::int]), null, $5)",
            self.lane,
            list(ids),
            attempt,
            places,
            node,
            len(ids),
        )
        return [row["id"] for row in rows]

    async def ready(self, id: int, *, unknown: bool = False, attempt: int | None = None) -> int:
        return await self.c.fetchval(
            "select queue_ready(array[$1::int], array[$2::bigint], $3, array[$4::smallint])",
            self.lane,
            id,
            unknown,
            attempt,
        )

    async def requeue(self, id: int, attempt: int = 1, called_at: int = 7) -> int:
        return await self.c.fetchval(
            "select queue_requeue(array[$1::int], array[$2::bigint], array[$3::smallint], array[$4::bigint])",
            self.lane,
            id,
            attempt,
            called_at,
        )

    async def place(self, id: int) -> str:
        """Where the delivery is: exactly one place."""
        found = await self.c.fetch(
            "select case state when 0 then 'ready' else 'sending' end from ready where id = $1 union all"
            " select case why when 2 then 'unknown' else 'waiting' end from waiting where id = $1 union all"
            " select 'ledger' from ledger where id = $1",
            id,
        )
        assert len(found) == 1
        return found[0][0]


@pytest.fixture
async def queue(world: Any) -> Queue:
    return Queue(world, await world.lane("acme", "password-reset"))


PLACES = {READY: "ready", SENDING: "sending", WAITING: "waiting", UNKNOWN: "unknown"}


async def test_a_delivery_is_finished_only_from_a_place_that_the_caller_names(queue: Queue) -> None:
    for place, allowed in itertools.product(PLACES, PLACES):
        case = f"from {PLACES[place]}, allowed from {PLACES[allowed]}"
        id = await queue.at(place)
        assert await queue.finish(id, places=allowed) == ([id] if place == allowed else []), case
        assert await queue.place(id) == ("ledger" if place == allowed else PLACES[place]), case


@pytest.mark.parametrize("place", PLACES)
async def test_what_finishes_is_counted_once_and_leaves_no_content(queue: Queue, place: int) -> None:
    id = await queue.at(place)
    for _ in range(2):
        await queue.finish(id, node=-3)
    [row] = await queue.c.fetch("select * from lane_finished")
    assert (row["lane"], row["node"], row["deliveries"], row["bytes"]) == (queue.lane, -3, 1, 100)
    assert await queue.world.count("urgent_content") == 0
    ledger = await queue.c.fetchrow("select * from ledger")
    assert (ledger["state"], ledger["reason"]) == (State.CANCELLED, "cancelled")
    assert ledger["called_at"] == (None if place == READY else 7)


async def test_the_content_stays_while_another_delivery_of_the_message_is_queued(queue: Queue) -> None:
    first = await queue.message(recipients=3) + 1
    await queue.call(first + 1)
    await queue.defer(first + 1, why=1)
    for id in (first, first + 2):
        await queue.finish(id)
        assert await queue.world.count("urgent_content") == 1
    await queue.finish(first + 1)
    assert await queue.world.count("urgent_content") == 0


async def blocked(connection: Any) -> None:
    """Returns when another session waits for a lock."""
    async with asyncio.timeout(60):
        while not await connection.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)


async def test_the_last_two_deliveries_that_leave_at_the_same_time_leave_no_content(queue: Queue) -> None:
    first = await queue.message(recipients=2) + 1
    other = await asyncpg.connect(
        queue.world.database.dsn("owner"), server_settings={"search_path": "mailcordon"}
    )
    try:
        async with other.transaction():
            mine, queue.c = queue.c, other
            await queue.finish(first, node=-1)
            queue.c = mine
            waiting = asyncio.create_task(queue.finish(first + 1, node=-2))
            await blocked(other)
        await waiting
    finally:
        await other.close()
    assert await queue.world.count("ledger") == 2
    assert await queue.world.count("urgent_content") == 0


async def test_an_answer_is_not_lost_while_its_delivery_becomes_unknown(queue: Queue) -> None:
    id = await queue.at(SENDING)
    other = await asyncpg.connect(
        queue.world.database.dsn("owner"), server_settings={"search_path": "mailcordon"}
    )
    try:
        async with other.transaction():
            mine, queue.c = queue.c, other
            await queue.defer(id, why=2)
            queue.c = mine
            answer = asyncio.create_task(queue.finish(id, places=SENDING | UNKNOWN, attempt=1))
            await blocked(other)
        assert await answer == [id]
    finally:
        await other.close()
    assert await queue.place(id) == "ledger"


async def test_a_finish_is_fenced_by_the_attempt_it_speaks_of(queue: Queue) -> None:
    id = await queue.at(SENDING)
    assert await queue.finish(id, attempt=2) == []
    assert await queue.finish(id, attempt=1) == [id]


async def test_an_unknown_outcome_keeps_the_set_of_its_call_or_of_the_route(queue: Queue) -> None:
    id = await queue.at(UNKNOWN)
    assert await queue.c.fetchval("select configuration_set from waiting where id = $1", id) == SET
    retried = await queue.at(WAITING)
    assert await queue.c.fetchval("select configuration_set from waiting where id = $1", retried) is None


async def test_what_a_hold_defers_was_no_attempt_and_no_call(queue: Queue) -> None:
    id = await queue.at(SENDING)
    assert await queue.defer(id, why=3, hold=1, attempt=1, called_at=7) == 1
    assert tuple(await queue.c.fetchrow("select attempt, called_at from waiting")) == (0, None)
    ready = await queue.at(READY)
    assert await queue.defer(ready, why=3, hold=1) == 0, "sending only, unless the caller says ready too"
    assert await queue.defer(ready, why=3, hold=1, places=READY) == 1
    assert tuple(await queue.c.fetchrow("select attempt, called_at from waiting where id = $1", ready)) == (
        0,
        None,
    )


@pytest.mark.parametrize("fence", [{"attempt": 2, "called_at": 7}, {"attempt": 1, "called_at": 8}])
async def test_deferring_and_requeueing_are_fenced_by_attempt_and_call(
    queue: Queue, fence: dict[str, int]
) -> None:
    id = await queue.at(SENDING)
    assert await queue.defer(id, why=1, **fence) == 0
    assert await queue.requeue(id, **fence) == 0
    assert await queue.place(id) == "sending"


@pytest.mark.parametrize("place", [SENDING, UNKNOWN])
async def test_requeued_mail_gives_its_attempt_back_and_wakes_its_turn(queue: Queue, place: int) -> None:
    id = await queue.at(place)
    await queue.c.execute("update turn set next_at = null")
    assert await queue.requeue(id) == 1
    assert tuple(await queue.c.fetchrow("select state, attempt, worker, called_at from ready")) == (
        0,
        0,
        None,
        None,
    )
    assert await queue.world.count("turn", "next_at is not null") == 1


async def test_an_unknown_outcome_is_ready_again_only_when_asked_for(queue: Queue) -> None:
    unknown, waiting = await queue.at(UNKNOWN), await queue.at(WAITING)
    await queue.c.execute("update turn set next_at = null")
    assert await queue.ready(unknown) == 0
    assert await queue.ready(waiting, unknown=True) == 0
    assert await queue.world.count("turn", "next_at is not null") == 0
    assert await queue.ready(unknown, unknown=True, attempt=2) == 0
    assert await queue.ready(unknown, unknown=True, attempt=1) == 1
    assert await queue.ready(waiting) == 1
    assert await queue.c.fetch("select attempt, called_at from ready") == [(1, None), (1, None)]
    assert await queue.world.count("turn", "next_at is not null") == 1


@pytest.mark.parametrize("role", ["control", "observe", "reader"])
async def test_only_the_send_role_and_the_governor_move_mail(queue: Queue, role: str) -> None:
    id = await queue.at(READY)
    queue.c = await asyncpg.connect(
        queue.world.database.dsn(role), server_settings={"search_path": "mailcordon"}
    )
    try:
        for move in (queue.finish(id), queue.defer(id, why=1), queue.ready(id), queue.requeue(id)):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await move
    finally:
        await queue.c.close()


@pytest.mark.parametrize("role", ["send", "governor"])
async def test_the_send_role_and_the_governor_may_make_each_move(queue: Queue, role: str) -> None:
    ids = {place: await queue.at(place) for place in PLACES}
    two = await queue.message(recipients=2)
    queue.c = await asyncpg.connect(
        queue.world.database.dsn(role), server_settings={"search_path": "mailcordon"}
    )
    try:
        assert await queue.defer(ids[SENDING], why=1) == 1
        assert await queue.ready(ids[WAITING]) == 1
        assert await queue.requeue(ids[UNKNOWN]) == 1
        assert await queue.finish(ids[READY]) == [ids[READY]]
        assert await queue.finish(two + 1) == [two + 1]
    finally:
        await queue.c.close()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("role", ["send", "governor"])
async def test_moves_read_their_rows_by_key_alone(queue: Queue, role: str, full: bool) -> None:
    """Counted by the server, in a plain session: no scan of a table, and no more rows than were asked for."""
    ids = {place: await queue.at(place) for place in PLACES}
    if full:
        await fill(queue, 20_000)
    c = queue.c = await asyncpg.connect(
        queue.world.database.dsn(role), server_settings={"search_path": "mailcordon"}
    )
    try:
        async with c.transaction():
            await queue.defer(ids[SENDING], why=2)
            await queue.requeue(ids[SENDING])
            await queue.ready(ids[WAITING])
            await queue.finish(*ids.values())
            rows = await c.fetch(
                "select relname, seq_scan, coalesce(idx_tup_fetch, 0) as fetched from pg_stat_xact_user_tables"
                " where relname ~ '^(ready|waiting|message|ledger|urgent_content|lane|lane_finished|turn)'"
            )
    finally:
        await c.close()
    assert not [row["relname"] for row in rows if row["seq_scan"]]
    assert sum(row["fetched"] for row in rows) < 60


@pytest.mark.parametrize("move", ["finish", "defer", "requeue", "ready", "limit"])
async def test_moves_read_by_key_though_they_were_planned_while_the_queue_was_empty(
    queue: Queue, move: str
) -> None:
    """As `test_results_are_recorded_by_key_though_that_was_planned_while_the_queue_was_empty`."""
    places = {"limit": READY, "ready": WAITING, "finish": SENDING, "defer": SENDING, "requeue": SENDING}
    ready = (
        "insert into ready (lane, id, tenant, hash)"
        " select id, 64 * n + 1, tenant, 'h' from lane, generate_series(1, 3000) n"
    )
    waits = (
        "insert into waiting (lane, id, tenant, why, attempt, hash, reason, code, since)"
        " select id, 64 * n + 1, tenant, 1, 0, 'h', '', 'retry', 1 from lane, generate_series(1, 3000) n"
    )
    await queue.c.execute(f"{ready}; {waits}")
    for table in ("ready", "waiting"):
        await queue.c.execute(f"delete from {table} where id <> 64 * 3000 + 1")
    await queue.c.execute("vacuum (analyze) ready, waiting")
    assert await _moved(queue, move, [await queue.at(places[move])]) == 1
    await queue.c.execute(f"delete from ready; delete from waiting; {ready}; {waits}")
    ids = [await queue.at(places[move]) for _ in range(10)]
    async with queue.c.transaction():
        before = await queue.c.fetchval(READ)
        assert await _moved(queue, move, ids) == len(ids)
        assert await queue.c.fetchval(READ) - before < 10 * len(ids)


@pytest.mark.parametrize("move", ["finish", "defer", "requeue", "limit"])
async def test_what_another_updates_meanwhile_is_moved_if_it_still_may_be(queue: Queue, move: str) -> None:
    """It is not at its place any more."""
    ids = [await queue.at(READY if move == "limit" else SENDING) for _ in range(3)]
    other = await asyncpg.connect(
        queue.world.database.dsn("owner"), server_settings={"search_path": "mailcordon"}
    )
    try:
        async with other.transaction():
            await other.execute("update ready set provider = 3 where id = $1", ids[1])
            moving = asyncio.create_task(_moved(queue, move, ids))
            await blocked(other)
        assert await moving == 3
    finally:
        await other.close()


async def _moved(queue: Queue, move: str, ids: list[int]) -> int:
    n = len(ids)
    lanes, attempts, called = [queue.lane] * n, [1] * n, [7] * n
    match move:
        case "finish":
            return len(await queue.finish(*ids, places=SENDING | UNKNOWN, attempt=1))
        case "defer":
            return await queue.c.fetchval(
                "select queue_defer($1, $2, $3, $4, array_fill(1::smallint, array[$5::int]), null, null,"
                " array_fill('because'::text, array[$5]), array_fill('retry'::text, array[$5]))",
                lanes, ids, attempts, called, n,
            )  # fmt: skip
        case "requeue":
            return await queue.c.fetchval(
                "select queue_requeue($1, $2, $3, $4)", lanes, ids, attempts, called
            )
        case "ready":
            return await queue.c.fetchval("select queue_ready($1, $2)", lanes, ids)
        case _:
            return await queue.c.fetchval(
                "select queue_limit($1, $2, array_fill(1, array[$3::int]), array_fill(1::bigint, array[$3]),"
                " array_fill('because'::text, array[$3]), array_fill('provider-cap'::text, array[$3]))",
                lanes, ids, n,
            )  # fmt: skip


async def fill(queue: Queue, rows: int) -> None:
    """Enough other rows that a scan would be slow."""
    tenant = await queue.c.fetchval("select tenant from lane")
    start = await queue.message()
    for table, columns, values in (
        ("message", "id, tenant, lane, path, from_address, recipients, bytes, api_key", "s, $2, $3, 'isolated', '', '{k}', 1, 1"),
        ("urgent_content", "id, body", "s, 'b'"),
        ("ready", "lane, id, tenant, hash", "$3, s + 1, $2, 'h'"),
        ("waiting", "lane, id, tenant, why, attempt, hash, reason, code, since", "$3, s + 2, $2, 1, 0, 'h', '', 'retry', 1"),
        ("ledger", "id, tenant, lane, state, attempt, provider, at", "s + 3, $2, $3, 20, 1, 0, 1"),
    ):  # fmt: skip
        await queue.c.execute(
            f"with a as (select $1::bigint as start, $2::int as tenant, $3::int as lane, $4::int as n)"
            f" insert into {table} ({columns}) select {values} from"
            f" (select start + 64 * g as s from a, generate_series(1, n) g) x",
            start,
            tenant,
            queue.lane,
            rows,
        )
    await queue.c.execute("analyze")
