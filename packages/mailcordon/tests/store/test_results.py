"""One result that the database rejects stops neither the others nor the dispatcher, and is recorded once it can be."""

import asyncio
from typing import Any

import pytest

from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.delivery import State
from mailcordon.core.reason import Reason
from mailcordon.send import results as results_module
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue, Why
from mailcordon.send.results import ENOUGH, MOST_REJECTED, PATIENCE, Results, Slots
from mailcordon_fixtures import calls

UNSTORABLE = "PostgreSQL cannot store \0"


async def on_the_wire(world: Any, queue: QueueStore, n: int) -> list[Claimed]:
    await world.lane("acme", "password-reset")
    return await calls.on_the_wire(world, queue, n)


def sent(claim: Claimed, detail: str = "") -> Finish:
    return Finish(claim, State.REJECTED_AT_CALL, Reason.REJECTED_BY_SES, detail)


async def test_one_result_that_is_rejected_does_not_stop_the_others(world: Any, queue: QueueStore) -> None:
    claims = await on_the_wire(world, queue, 6)
    results, slots = Results(queue), Slots(6)
    for one in claims:
        slots.take(one.tenant)
    for claim in claims[:2]:
        results.finish(slots, sent(claim))
    results.finish(slots, sent(claims[2], UNSTORABLE))
    results.defer(slots, Defer(claims[3], Why.RETRY, Reason.RETRY, "again", until=claims[3].called_at))
    results.defer(slots, Defer(claims[4], Why.RETRY, Reason.RETRY, UNSTORABLE, until=claims[4].called_at))
    results.requeue(slots, Requeue(claims[5]))
    await results.flush()
    assert (results.rejected, slots.free) == (2, 6)
    assert await world.count("ledger") == 2
    assert await world.count("waiting") == 1
    rows = await world.connection.fetch("select id, state from ready order by id")
    assert [tuple(row) for row in rows] == [(claims[2].id, 1), (claims[4].id, 1), (claims[5].id, 0)]


async def test_a_rejected_result_is_recorded_once_the_database_takes_it(
    world: Any, queue: QueueStore
) -> None:
    [claim] = await on_the_wire(world, queue, 1)
    results, slots = Results(queue), Slots(1)
    slots.take(claim.tenant)
    await world.connection.execute("alter table ledger add constraint broken check (id < 0)")
    results.finish(slots, sent(claim))
    await results.flush()
    assert (results.rejected, slots.free, await world.count("ready", "state = 1")) == (1, 1, 1)
    await results.retry_rejected()
    assert results.rejected == 1
    await world.connection.execute("alter table ledger drop constraint broken")
    await results.retry_rejected()
    assert (results.rejected, slots.free, await world.count("ledger")) == (0, 1, 1)


async def test_if_nothing_can_be_recorded_the_slots_run_out(world: Any, queue: QueueStore) -> None:
    claims = await on_the_wire(world, queue, MOST_REJECTED + 10)
    results, slots = Results(queue), Slots(len(claims))
    for one in claims:
        slots.take(one.tenant)
    await world.connection.execute("alter table ledger add constraint broken check (id < 0)")
    for claim in claims:
        results.finish(slots, sent(claim))
    await results.flush()
    assert (results.rejected, slots.free) == (len(claims), MOST_REJECTED)
    await world.connection.execute("alter table ledger drop constraint broken")
    await results.retry_rejected()
    assert (results.rejected, slots.free) == (0, slots.size)


async def test_a_row_that_stays_locked_keeps_no_other_result_from_being_recorded(
    world: Any, queue: QueueStore
) -> None:
    claims = await on_the_wire(world, queue, PATIENCE + 4)
    results, slots = Results(queue), Slots(len(claims))
    for claim in claims:
        slots.take(claim.tenant)
        results.finish(slots, sent(claim))
    async with queue._results._connection.use() as connection:  # pyright: ignore[reportPrivateUsage]
        await connection.execute("set lock_timeout = '20ms'")
    locked = [claims[n].id for n in range(1, PATIENCE + 2)]  # more than may be locked in a row
    async with world.connection.transaction():
        await world.connection.execute("select from ready where id = any ($1) for update", locked)
        await results.flush()
        assert (results.rejected, slots.free) == (len(locked), len(claims))
        assert await world.count("ledger") == len(claims) - len(locked)
    await results.retry_rejected()
    assert (results.rejected, await world.count("ledger")) == (0, len(claims))


async def test_a_flush_waits_for_what_another_task_is_recording(world: Any, queue: QueueStore) -> None:
    [claim] = await on_the_wire(world, queue, 1)
    results, slots = Results(queue), Slots(1)
    slots.take(claim.tenant)
    results.finish(slots, sent(claim))
    async with world.connection.transaction():
        await world.connection.execute("select from ready for update")
        running = asyncio.create_task(results.run())
        while not await world.connection.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
        flushing = asyncio.create_task(results.flush())
        await asyncio.wait([flushing], timeout=0.1)
        assert not flushing.done()
    await flushing
    assert await world.count("ledger") == 1
    running.cancel()


async def test_results_of_a_full_batch_do_not_wait_for_more(
    world: Any, queue: QueueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_module, "GATHER", 600.0)
    claims = await on_the_wire(world, queue, ENOUGH)
    results, slots = Results(queue), Slots(len(claims))
    running = asyncio.create_task(results.run())
    for claim in claims[:-1]:
        slots.take(claim.tenant)
        results.finish(slots, sent(claim))
    await asyncio.wait([running], timeout=0.1)
    assert await world.count("ledger") == 0
    slots.take(claims[-1].tenant)
    results.finish(slots, sent(claims[-1]))
    await all_free(slots)
    assert await world.count("ledger") == ENOUGH
    running.cancel()


async def test_what_comes_while_a_batch_is_recorded_gathers_for_the_next(
    world: Any, queue: QueueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await on_the_wire(world, queue, 3)
    results, slots = Results(queue), Slots(len(claims))
    for claim in claims:
        slots.take(claim.tenant)
    async with world.connection.transaction():
        await world.connection.execute("select from ready where id = $1 for update", claims[0].id)
        results.finish(slots, sent(claims[0]))
        running = asyncio.create_task(results.run())
        while not await world.connection.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
        monkeypatch.setattr(results_module, "GATHER", 600.0)
        for claim in claims[1:]:
            results.finish(slots, sent(claim))
    await asyncio.wait([running], timeout=0.3)
    assert (await world.count("ledger"), slots.free) == (1, 1)
    await results.flush()
    assert (await world.count("ledger"), slots.free) == (3, 3)
    running.cancel()


async def test_what_stays_behind_locked_rows_is_recorded_without_a_new_result(
    world: Any, queue: QueueStore
) -> None:
    claims = await on_the_wire(world, queue, PATIENCE + 4)
    results, slots = Results(queue), Slots(len(claims))
    for claim in claims:
        slots.take(claim.tenant)
        results.finish(slots, sent(claim))
    async with queue._results._connection.use() as connection:  # pyright: ignore[reportPrivateUsage]
        await connection.execute("set lock_timeout = '20ms'")
    running = asyncio.create_task(results.run())
    locked = [claims[n].id for n in range(PATIENCE)]  # the first ones: the rest is left for another batch
    async with world.connection.transaction():
        await world.connection.execute("select from ready where id = any ($1) for update", locked)
        await all_free(slots)
        assert (results.rejected, await world.count("ledger")) == (PATIENCE, len(claims) - PATIENCE)
    running.cancel()


async def all_free(slots: Slots) -> None:
    async with asyncio.timeout(20):
        while slots.free < slots.size:
            await asyncio.sleep(0.01)


async def test_results_wait_while_the_database_is_away(world: Any, queue: QueueStore) -> None:
    [claim] = await on_the_wire(world, queue, 1)
    results, slots = Results(queue), Slots(1)
    slots.take(claim.tenant)
    role = await world.connection.fetchval(
        "select usename from pg_stat_activity where application_name = 'mailcordon worker'"
        " and datname = current_database()"
    )
    await world.connection.execute(f'alter role "{role}" nologin')
    try:
        results.finish(slots, sent(claim))
        flushing = asyncio.create_task(results.flush())
        await asyncio.wait([flushing], timeout=0.6)
        assert not flushing.done()
        assert (results.rejected, slots.free) == (0, 0)
    finally:
        await world.connection.execute(f'alter role "{role}" login')
    await flushing
    assert (slots.free, await world.count("ledger")) == (1, 1)


async def test_what_a_claim_commits_is_on_disk_and_only_results_may_be_late(queue: QueueStore) -> None:
    """A call whose intent a crash of the server takes away would be made twice; a lost result is settled by its Send event."""
    settings: dict[str, str] = {}
    for name, session in (("claim", queue._claims), ("complete", queue._results._connection)):
        async with session.use() as connection:
            settings[name] = await connection.fetchval("show synchronous_commit")
    assert settings == {"claim": "on", "complete": "off"}


async def test_results_gather_longer_only_while_most_slots_stay_free(queue: QueueStore) -> None:
    slots, claim = Slots(8), Claimed(1, 1, 1, 1, 0, 0, None, None, "a@b.example", b"", RowFacts(None))
    results = Results(queue, lambda: True)
    few: list[bool] = []
    for _ in range(4):
        slots.take(claim.tenant)
        results.requeue(slots, Requeue(claim))
        few.append(results._batch.few)
    assert few == [True, True, False, False]
