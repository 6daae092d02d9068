"""A record can be committed and its confirmation lost: recording it again must not touch a delivery claimed since."""

from typing import Any

import pytest

from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.delivery import State
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue, Why
from mailcordon_fixtures.queue_world import new_message


@pytest.fixture
async def claimed(world: Any, queue: QueueStore) -> Claimed:
    """One mail, claimed and on the wire."""
    await world.lane("acme", "password-reset")
    store = AcceptStore(world.database.dsn("send"))
    lanes = await store.lanes(["acme"])
    (entry,) = lanes["acme"].entries["password-reset"]
    id = await world.connection.fetchval("select (now_ms() - 1767225600000) << 22")
    message = new_message(id, "acme", entry.route, campaign="spring")
    await store.node()
    await store.store([message], (await store.moment()).epoch)
    await store.close()
    return await claim(queue)


async def claim(queue: QueueStore) -> Claimed:
    (one,) = (await queue.claim([Class.URGENT], 1)).claimed
    return one


async def again(world: Any, queue: QueueStore, lane: int) -> Claimed:
    """Waiting mail becomes ready, as after settling or lifting a hold, and another worker claims it."""
    await world.connection.execute(
        "with w as (delete from waiting returning *) "
        "insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list) "
        "select lane, id, tenant, attempt, provider, hash, campaign, list from w"
    )
    await world.connection.execute("update turn set next_at = now_us()")
    return await claim(queue)


async def on_the_wire(world: Any) -> int:
    return await world.count("ready", "state = 1")


async def test_mail_requeued_twice_is_not_taken_from_the_worker_that_sends_it_now(
    world: Any, queue: QueueStore, claimed: Claimed
) -> None:
    await queue.complete([], [], [Requeue(claimed)])
    await again(world, queue, claimed.lane)
    await queue.complete([], [], [Requeue(claimed)])
    assert await on_the_wire(world) == 1


@pytest.mark.parametrize("why", [Why.RETRY, Why.UNKNOWN, Why.HELD])
async def test_mail_deferred_twice_is_not_taken_from_the_worker_that_sends_it_now(
    world: Any, queue: QueueStore, claimed: Claimed, why: Why
) -> None:
    defer = Defer(claim=claimed, why=why, code=Reason.RETRY, reason="r", hold=1 if why is Why.HELD else None)
    await queue.complete([], [defer], [])
    await again(world, queue, claimed.lane)
    await queue.complete([], [defer], [])
    assert await on_the_wire(world) == 1


async def test_mail_recorded_twice_is_in_the_ledger_once(
    world: Any, queue: QueueStore, claimed: Claimed
) -> None:
    finish = Finish(claim=claimed, state=State.SENT, reason=Reason.SENT, detail="", ses_id="ses-1")
    for _ in range(2):
        await queue.complete([finish], [], [])
    assert await world.count("ledger") == 1
