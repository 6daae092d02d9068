"""A dispatcher that rests is told of mail, and misses none of a transaction that did not know that it rests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.priority import Class
from mailcordon.send.accept import Accept
from mailcordon_fixtures.queue_world import accepting, allowed

ALL = list(Class)
WAKE = "select wake_turns(array(select turn from lane), 0)"


@pytest.fixture
async def hints(world: Any) -> "asyncio.Queue[str]":
    """What anybody is told."""
    found: asyncio.Queue[str] = asyncio.Queue()
    await world.connection.add_listener("mailcordon_turns", lambda *hint: found.put_nowait(hint[3]))
    return found


@pytest.fixture
async def accept(world: Any) -> AsyncIterator[Accept]:
    async with accepting(world) as accept:
        yield accept


async def put(accept: Accept, submission: Any) -> None:
    await accept.enqueue("acme", submission, api_key=1, key=None, still_allowed=allowed)


async def told(world: Any, hints: "asyncio.Queue[str]") -> list[str]:
    """What came up to now: a hint of ours comes behind it."""
    await world.connection.execute("select pg_notify('mailcordon_turns', 'end')")
    found: list[str] = []
    while (hint := await hints.get()) != "end":
        found.append(hint)
    return found


async def test_nobody_is_told_while_no_dispatcher_rests(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any, hints: "asyncio.Queue[str]"
) -> None:
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    assert await told(world, hints) == []


async def test_mail_of_an_idle_turn_tells_a_dispatcher_that_rests_its_class_and_once(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any, hints: "asyncio.Queue[str]"
) -> None:
    await world.lane("acme", "password-reset")
    mine: asyncio.Queue[int] = asyncio.Queue()
    queue.tell(mine.put_nowait)
    look = await queue.look(ALL, thorough=True)
    assert not look.due
    assert look.certain
    assert not look.busy
    await put(accept, make_submission())
    await put(accept, make_submission())
    assert await told(world, hints) == [str(1 << Class.URGENT)]
    assert await mine.get() == 1 << Class.URGENT
    look = await queue.look(ALL, thorough=True)
    assert look.due[Class.URGENT] <= 0
    assert look.busy


async def test_a_dispatcher_that_is_awake_is_not_told(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any, hints: "asyncio.Queue[str]"
) -> None:
    await world.lane("acme", "password-reset")
    await queue.look(ALL, thorough=False)
    await queue.awake(ALL)
    await put(accept, make_submission())
    assert await told(world, hints) == []


async def test_a_loop_that_rests_has_no_hints_of_the_others_classes(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any, hints: "asyncio.Queue[str]"
) -> None:
    await world.lane("acme", "password-reset")
    await queue.look([Class.TRANSACTIONAL, Class.MARKETING], thorough=False)
    await queue.look([Class.URGENT], thorough=False)
    await queue.awake([Class.URGENT])
    await put(accept, make_submission())
    assert await told(world, hints) == []


async def test_others_that_wake_turns_tell_it_too(
    world: Any, queue: QueueStore, hints: "asyncio.Queue[str]"
) -> None:
    lane = await world.lane("acme", "newsletter")
    await queue.look(ALL, thorough=False)
    await world.connection.execute("select turns_wake(array(select turn from lane where id = $1))", lane)
    assert await told(world, hints) == [str(1 << Class.MARKETING)]


async def test_a_transaction_that_began_before_the_rest_is_waited_for(world: Any, queue: QueueStore) -> None:
    """It found nobody resting, so it sends no hint."""
    await world.lane("acme", "password-reset")
    other = await engine.connect(world.database.dsn("owner"))
    transaction = other.transaction()
    await transaction.start()
    await other.execute(WAKE)
    assert not (await queue.look(ALL, thorough=False)).certain
    look = await queue.look(ALL, thorough=False)
    assert not look.certain
    assert not look.due
    await transaction.commit()
    async with asyncio.timeout(60):
        while not look.certain:
            look = await queue.look(ALL, thorough=False)
    assert look.due[Class.URGENT] <= 0
    await other.close()


async def test_a_turn_set_idle_is_looked_at_until_each_enqueue_that_saw_it_awake_has_ended(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any
) -> None:
    """Also one whose number is higher than that of the claim that set the turn idle, and than that of all that have ended."""
    lane = await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    other = await engine.connect(world.database.dsn("owner"))
    transaction = other.transaction()
    claim = await engine.connect(world.database.dsn("owner"))
    async with claim.transaction():
        await claim.execute("update turn set next_at = null")  # what a claim does, with the lower number
        await transaction.start()
        await other.execute(WAKE)  # waits for nothing: it sees the turn awake
        await other.execute(
            "insert into ready (lane, id, tenant, hash) select $1, first_id_at(now_ms()) + 1, tenant, '\\x00' from lane",
            lane,
        )
    await world.connection.execute("delete from ready")
    turn = await world.connection.fetchval("select turn from lane")
    queue._rest.set_idle([turn])  # pyright: ignore[reportPrivateUsage]
    for _ in range(3):
        assert await queue.recheck() == 0
    assert not (await queue.look(ALL, thorough=False)).certain
    await transaction.commit()
    assert await queue.recheck() == 1
    await other.close()
    await claim.close()


async def test_a_new_session_of_the_worker_says_again_that_it_rests(
    world: Any, queue: QueueStore, accept: Any, make_submission: Any, hints: "asyncio.Queue[str]"
) -> None:
    await world.lane("acme", "password-reset")
    await queue.look(ALL, thorough=False)
    await world.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mailcordon worker'"
        " and datname = current_database()"
    )
    worker = queue.worker
    while queue.worker == worker:
        try:
            await queue.begin_work()
        except Exception:
            await asyncio.sleep(0)
    await queue.look(ALL, thorough=False)
    await put(accept, make_submission())
    assert await told(world, hints) == [str(1 << Class.URGENT)]
