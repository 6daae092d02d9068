"""Large content is not read with its claim, but right before its call, and as much of it at once as there is room for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from mailcordon.adapters.db import claimed_content, queue_store
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.priority import Class
from mailcordon.send import calling
from mailcordon.send.moves import Claimed
from mailcordon.send.refusals import Answer
from mailcordon.send.room import Room
from mailcordon_fixtures.calls import Caller
from mailcordon_fixtures.queue_world import accepting, allowed

CONTENT = b'"FromEmailAddress":"a@b.example","Content":{"Simple":{"Subject":{"Data":"' + b"x" * 5000 + b'"}}}'


async def large(caller: Caller) -> Claimed:
    [claim] = await caller.claim()
    message = claim.id - claim.id % 64
    await caller.world.connection.execute(
        "insert into urgent_content (id, body) values ($1, $2)", message, CONTENT
    )
    return claim._replace(content=None, large=len(CONTENT))


async def test_the_content_is_read_in_parts_right_before_the_call(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_store, "_PART", 1000)
    bodies: list[bytes] = []

    async def send_email(body: bytes, permitted: Callable[[], bool] | None = None) -> Answer:
        bodies.append(body)
        return Answer(200, ses_id="0100-ab")

    monkeypatch.setattr(caller.ses, "send_email", send_email)
    await caller.deliver(await large(caller))
    assert [one["state"] for one in await _ledger(caller)] == [20]
    (body,) = bodies
    assert json.loads(body)["Content"]["Simple"]["Subject"]["Data"] == "x" * 5000


async def test_mail_whose_content_is_gone_is_not_called(caller: Caller) -> None:
    [claim] = await caller.claim()
    await caller.deliver(claim._replace(content=None, large=5000))
    assert caller.ses.calls == 0
    assert [one["reason"] for one in await _ledger(caller)] == ["no-content"]


async def test_without_room_it_goes_back_to_its_queue(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "LARGE_WAIT", 0.01)
    claim = await large(caller)
    await caller.loop.large.take(1 << 20, within=1)
    await caller.deliver(claim)
    assert caller.ses.calls == 0
    assert await caller.world.count("ready", "state = 0") == 1
    caller.loop.large.give_back(1 << 20)
    await caller.loop.large.take(1 << 20, within=1)


async def test_a_claim_has_the_size_of_what_is_large_in_place_of_its_content(
    world: Any, queue: QueueStore, make_submission: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.lane("acme", "password-reset")
    async with accepting(world) as accept:
        for size in (10, 5000):
            await accept.enqueue(
                "acme", make_submission(text="x" * size), api_key=1, key=None, still_allowed=allowed
            )
    monkeypatch.setattr(claimed_content, "LARGE", 4000)
    small, large = (await queue.claim([Class.URGENT], 10)).claimed
    assert (small.large, b"xxxx" in (small.content or b"")) == (0, True)
    content = b"".join(await queue.large_content(large.id - large.id % 64))
    assert (large.large, large.content, large.to) == (len(content), None, "kim@example.com")
    assert b"x" * 5000 in content


async def test_who_asks_first_has_room_first_and_what_is_larger_than_all_of_it_has_all() -> None:
    room, order = Room(10), list[int]()

    async def take(size: int) -> None:
        await room.take(size, within=5)
        order.append(size)

    await room.take(8, within=1)
    waiting = [asyncio.create_task(take(size)) for size in (100, 1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await room.take(1, within=0.01)
    room.give_back(8)
    await waiting[0]
    assert order == [100]
    room.give_back(100)
    await asyncio.gather(*waiting)
    assert order == [100, 1, 2]


async def _ledger(caller: Caller) -> Any:
    return await caller.world.connection.fetch("select state, reason from ledger order by id")
