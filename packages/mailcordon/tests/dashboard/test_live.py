"""Live figures: one reader for all, only what changed is sent, and the stream ends when it must."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mailcordon.adapters.dashboard.live import Live
from mailcordon.core.errors import Unavailable


class World:
    """Figures that a test sets. Each read is counted."""

    def __init__(self, **over: Any) -> None:
        self.figures: dict[str, Any] = {"one": 1, "two": 1}
        self.reads = 0
        self.fails = False
        self.stop = asyncio.Event()
        self.live = Live(self.read, self.render, self.stop, **{"every": 0.001, **over})

    async def read(self) -> dict[str, Any]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("away")
        return dict(self.figures)

    def render(self, name: str, value: Any) -> str:
        return f"<b>\n{name}={value}</b>"


async def may() -> bool:
    return True


async def message(stream: AsyncGenerator[str]) -> str:
    """The next event; comments are passed over."""
    async with asyncio.timeout(30):
        while True:
            text = await anext(stream)
            assert text.endswith("\n\n")
            if not text.startswith(":"):
                return text


async def test_a_viewer_gets_everything_once_and_then_only_what_changed() -> None:
    world = World()
    stream = world.live.stream(may)
    first = await message(stream)
    assert "data: one=1</b>" in first
    assert "two=1" in first
    world.figures["two"] = 2
    assert await message(stream) == "data: <b>\ndata: two=2</b>\n\n"
    await stream.aclose()
    assert world.live.viewers == 0


async def test_what_the_page_had_is_not_sent_again() -> None:
    world = World()
    await world.live.figures()
    stream = world.live.stream(may, world.live.known.split(","))
    assert await anext(stream) == ": hello\n\n"
    world.figures["one"] = 5
    assert "two" not in await message(stream)
    await stream.aclose()


async def test_all_viewers_share_one_reader_which_ends_with_the_last_of_them() -> None:
    world = World()
    streams = [world.live.stream(may) for _ in range(50)]
    for stream in streams:
        await anext(stream)
    assert world.live.viewers == 50
    before = world.reads
    world.figures["one"] = 7
    for text in await asyncio.gather(*(message(stream) for stream in streams)):
        assert "one=" in text
    assert world.reads - before < 20, "not a read for each viewer"
    for stream in streams:
        await stream.aclose()
    async with asyncio.timeout(30):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
    after = world.reads
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.reads == after, "nobody watches"


async def test_a_page_and_a_reader_at_the_same_time_read_once() -> None:
    world = World()
    await asyncio.gather(*(world.live.figures() for _ in range(20)))
    assert world.reads == 1


async def test_no_more_than_so_many_watch() -> None:
    world = World(most=2)
    streams = [world.live.stream(may) for _ in range(3)]
    for stream in streams[:2]:
        await anext(stream)
    with pytest.raises(Unavailable):
        await anext(streams[2])
    await streams[0].aclose()
    again = world.live.stream(may)
    await anext(again)
    for stream in (streams[1], again):
        await stream.aclose()
    assert world.live.viewers == 0


async def test_it_ends_when_the_process_stops() -> None:
    world = World(every=1_000.0)
    stream = world.live.stream(may)
    await message(stream)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    world.stop.set()
    async with asyncio.timeout(30):
        with pytest.raises(StopAsyncIteration):
            await waiting
    assert world.live.viewers == 0


async def test_it_ends_when_the_session_does() -> None:
    world = World(check=0.0)

    async def may_not() -> bool:
        return False

    stream = world.live.stream(may_not)
    async with asyncio.timeout(30):
        texts = [text async for text in stream]
    assert texts[0] == ": hello\n\n"
    assert world.live.viewers == 0


async def test_a_silent_stream_is_kept_open_by_comments() -> None:
    world = World(heartbeat=0.0)
    stream = world.live.stream(may)
    await message(stream)
    async with asyncio.timeout(30):
        assert (await anext(stream)).startswith(": ")
    await stream.aclose()


async def test_viewers_are_told_that_nothing_can_be_read_and_that_it_goes_on() -> None:
    world = World()
    stream = world.live.stream(may)
    await message(stream)
    world.fails = True
    assert "stand still" in await message(stream)
    world.fails = False
    assert await message(stream) == "data: <b>\ndata: problem=</b>\n\n"
    await stream.aclose()


async def test_a_slow_database_is_asked_less_often() -> None:
    world = World(every=0.0)
    loop = asyncio.get_running_loop()
    began: list[float] = []
    ended: list[float] = []
    read = world.read

    async def slow() -> dict[str, Any]:
        began.append(loop.time())
        await asyncio.sleep(0.02)
        world.figures["one"] = len(began)
        found = await read()
        ended.append(loop.time())
        return found

    live = Live(slow, world.render, world.stop, every=0.0)
    stream = live.stream(may)
    while len(began) < 2:
        await message(stream)
    await stream.aclose()
    assert began[1] - ended[0] >= 19 * 0.02, "twenty times as long as a read takes, less the read"
