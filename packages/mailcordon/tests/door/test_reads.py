"""Few reads run at once, of each caller fewer, and callers take turns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from mailcordon.core.errors import TooMuch, Unavailable
from mailcordon.core.principal import Principal
from mailcordon.door.reads import ReadLimits, Reads

LIMITS = ReadLimits(at_once=4, at_once_each=2, waiting_each=3, waiting=5)


def turn(reads: Reads, caller: str) -> AbstractAsyncContextManager[None]:
    if caller.isupper():
        return reads.of_client(f"192.0.2.{ord(caller)}")
    number = ord(caller)
    principal = Principal(
        key_id=number,
        prefix="",
        name="",
        holder="",
        tenant_id=number,
        tenant_slug=caller,
        scopes=frozenset(),
    )
    return reads.of(principal)


class World:
    """Requests that run until they are told to end."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.reads = Reads(LIMITS, self.refused.append)
        self.running: list[str] = []  #: by name of the request, in the order in which they began
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, *requests: str) -> None:
        """The caller is the first letter of a request: a tenant, or a stranger if it is a capital."""
        for name in requests:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._run(name))
        await self.settle()

    async def end(self, *requests: str) -> None:
        for name in requests:
            self._ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _run(self, name: str) -> None:
        async with turn(self.reads, name[0]):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for task in world.tasks.values():
        task.cancel()
    await asyncio.gather(*world.tasks.values(), return_exceptions=True)
    assert (world.reads.running, world.reads.waiting, world.reads._callers) == (0, 0, {})
    assert not any(group.next for group in world.reads._groups)


async def test_a_caller_never_runs_more_than_its_share(world: World):
    await world.begin("a1", "a2", "a3", "a4")
    assert world.running == ["a1", "a2"]
    await world.end("a1")
    assert world.running == ["a2", "a3"]


async def test_another_caller_runs_at_once_while_one_has_many_waiting(world: World):
    await world.begin("a1", "a2", "a3", "a4", "a5", "b1")
    assert world.running == ["a1", "a2", "b1"]


async def test_callers_take_turns_when_all_places_are_taken(world: World):
    await world.begin("a1", "a2", "b1", "b2", "a3", "a4", "b3", "c1")
    assert world.running == ["a1", "a2", "b1", "b2"]
    await world.end("a1")
    assert world.running == ["a2", "b1", "b2", "c1"]
    await world.end("b1")
    assert world.running == ["a2", "b2", "c1", "a3"]
    await world.end("a2")
    assert world.running == ["b2", "c1", "a3", "b3"]


async def test_a_caller_with_too_many_waiting_is_refused_and_others_are_not(world: World):
    await world.begin("a1", "a2", "a3", "a4", "a5", "a6")
    assert isinstance(world.tasks["a6"].exception(), TooMuch)
    assert world.refused == ["reads-per-caller"]
    await world.begin("b1")
    assert "b1" in world.running


async def test_waiting_is_bounded_in_all(world: World):
    await world.begin("a1", "a2", "b1", "b2", "a3", "a4", "a5", "b3", "b4", "b5")
    assert isinstance(world.tasks["b5"].exception(), Unavailable)
    assert world.refused == ["reads"]


async def test_a_caller_with_none_waiting_may_always_wait(world: World):
    await world.begin("a1", "a2", "b1", "b2", "a3", "a4", "a5", "b3", "b4", "c1", "C1", "D1", "E1")
    assert (world.reads.waiting, world.refused) == (9, [])
    await world.begin("c2")
    assert isinstance(world.tasks["c2"].exception(), Unavailable)


async def test_strangers_do_not_fill_the_queue_of_keys(world: World):
    await world.begin("A1", "A2", "A3", "A4", "A5", "B1", "B2")
    assert isinstance(world.tasks["A5"].exception(), Unavailable)
    assert isinstance(world.tasks["B2"].exception(), Unavailable)
    await world.begin("a1", "a2", "a3", "a4", "a5", "b1", "b2")
    assert world.refused == ["reads", "reads"]
    assert world.running == ["A1", "A2", "a1", "a2"]


async def test_strangers_leave_half_of_the_places_to_keys(world: World):
    await world.begin("A1", "B1", "C1", "D1", "E1")
    assert world.running == ["A1", "B1"]
    await world.begin("a1")
    assert world.running == ["A1", "B1", "a1"]
    await world.end("A1")
    assert world.running == ["B1", "a1", "C1"]


async def test_strangers_take_turns_with_keys_when_all_places_are_taken(world: World):
    await world.begin("a1", "a2", "b1", "b2", "a3", "b3", "A1", "B1")
    await world.end("a1")
    await world.end("b1")
    await world.end("a2")
    await world.end("b2")
    assert world.running == ["a3", "A1", "b3", "B1"]


async def test_the_addresses_of_one_ipv6_customer_are_one_caller():
    reads = Reads(LIMITS, lambda limit: None)
    async with reads.of_client("2001:db8:0:1::1"):
        async with reads.of_client("2001:db8:0:1::2"):
            assert len(reads._callers) == 1
        async with reads.of_client("2001:db8:0:2::1"):
            assert len(reads._callers) == 2


@pytest.mark.parametrize("gone", ["a3", "a4"])
async def test_a_caller_that_gives_up_leaves_its_place_to_the_next(world: World, gone: str):
    await world.begin("a1", "a2", "a3", "a4")
    world.tasks[gone].cancel()
    await world.settle()
    await world.end("a1", "a2")
    [left] = {"a3", "a4"} - {gone}
    assert world.running == [left]


async def test_a_turn_that_is_given_to_a_caller_that_just_gave_up_goes_to_the_next(world: World):
    await world.begin("a1", "a2", "a3", "a4")
    world._ends["a1"].set()
    await asyncio.sleep(0)
    world.tasks["a3"].cancel()
    await world.settle()
    assert world.running == ["a2", "a4"]


async def test_a_request_that_gave_up_while_its_turn_came_is_passed_over(world: World):
    await world.begin("a1", "a2", "a3", "a4")
    world.tasks["a3"].cancel()
    world._ends["a1"].set()
    await world.settle()
    assert world.running == ["a2", "a4"]


async def test_a_request_that_fails_gives_its_turn_back(world: World):
    async def fails() -> Any:
        async with turn(world.reads, "a"):
            raise ValueError

    with pytest.raises(ValueError):
        await fails()
    assert world.reads.running == 0
