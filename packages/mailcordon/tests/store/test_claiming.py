"""What a claiming loop does while it may not claim, and when it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from mailcordon.core.errors import Unavailable
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send import claiming as claiming_module
from mailcordon.send.claiming import GROUP, Claiming, Gather
from mailcordon.send.holds import VALID_FOR
from mailcordon.send.moves import Claimed
from mailcordon.send.rest import Rest
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.window import CANARY_EVERY
from mailcordon_fixtures.calls import Caller

from .test_claim import mail

NO_GATHER = Gather(0, 0)


@dataclass
class Loop:
    caller: Caller
    routes: RouteCache | None = None
    classes: tuple[Class, ...] = (Class.URGENT,)
    helps: Claiming | None = None
    slots: int = 8
    gather: Gather = NO_GATHER
    claims: int = 1  #: after which the loop ends
    probes: list[float] = field(default_factory=list)
    claimed: int = 0
    sizes: list[int] = field(default_factory=list)  #: of the claims

    def __post_init__(self) -> None:
        self.claiming = Claiming(
            self.classes,
            slots=self.slots,
            gather=self.gather,
            store=self.caller.queue,
            routes=self.routes or RouteCache(self.caller.queue),
            calling=self.caller.calling,
            probe=self.probe,
            in_flight=lambda: self.claiming.in_flight,
            rest=Rest(lambda: False),
            begins=self.begins,
            helps=self.helps,
        )

    async def begins(self, claimed: Sequence[Claimed]) -> None:
        """Ends the loop after `claims`."""
        self.claimed = len(claimed)
        self.sizes.append(self.claimed)
        self.caller.calling.stopping = len(self.sizes) == self.claims

    async def probe(self) -> None:
        self.probes.append(self.caller.now)
        self.caller.calling.stopping = True


@pytest.fixture
def loop(caller: Caller) -> Loop:
    return Loop(caller)


async def test_a_stopped_window_is_probed_only_while_it_is_known_what_is_held(
    caller: Caller, loop: Loop
) -> None:
    caller.calling.window.stop("outage")
    caller.now += VALID_FOR + CANARY_EVERY
    running = asyncio.create_task(loop.claiming.run())
    await asyncio.wait([running], timeout=0.2)
    assert loop.probes == []
    await caller.calling.holds.read()
    await running
    assert len(loop.probes) == 1


async def test_if_the_dispatcher_stops_while_routes_cannot_be_read_claimed_mail_goes_back(
    caller: Caller,
) -> None:
    class Away(RouteCache):
        async def get(self, lanes: set[int], epoch: int) -> dict[int, Route]:
            caller.calling.stopping = True
            raise Unavailable("the database is away")

    await caller.claim(2)
    await caller.world.connection.execute("update ready set state = 0, worker = null")
    await caller.world.connection.execute("update turn set next_at = now_us()")
    await Loop(caller, Away(caller.queue)).claiming.run()
    assert await caller.world.count("ready", "state = 1") == 2
    await caller.calling.results.flush()
    assert await caller.world.count("ready", "state = 0") == 2
    assert caller.ses.calls == 0


@pytest.mark.parametrize(("waiting", "left"), [(2, 2), (5, 0)])
async def test_urgent_mail_that_its_loop_has_no_slots_for_is_claimed_with_other_mail(
    caller: Caller, waiting: int, left: int
) -> None:
    """The loop of urgent mail has eight slots and takes five: more may wait behind five, none behind two."""
    lane, calling = await caller.lane(), caller.calling
    for _ in range(24):
        calling.window.answered()  # it is open now
    urgent = Loop(caller)
    await mail(caller.world, lane, waiting)
    await calling.holds.read()
    await urgent.claiming.run()
    assert urgent.claimed == waiting
    await mail(caller.world, lane, 2, age_ms=1)
    calling.stopping = False
    other = Loop(caller, classes=(Class.TRANSACTIONAL, Class.MARKETING), helps=urgent.claiming)
    running = asyncio.create_task(other.claiming.run())
    await asyncio.wait([running], timeout=0.5)
    calling.stopping = True
    other.claiming._sleep.told(-1)  # pyright: ignore[reportPrivateUsage]
    await running
    assert await caller.world.count("ready", "state = 0") == left


async def test_urgent_mail_of_a_tenant_whose_calls_are_slow_is_claimed_with_other_mail(
    caller: Caller,
) -> None:
    """Four of eight slots have slow calls of this tenant. It may have no more then: a claim of its loop finds nothing."""
    lane, calling = await caller.lane(), caller.calling
    for _ in range(24):
        calling.window.answered()
    urgent = Loop(caller)
    tenant = await caller.world.connection.fetchval("select tenant from lane")
    for _ in range(4):
        urgent.claiming._loop.slots.take(tenant)  # pyright: ignore[reportPrivateUsage]
    await mail(caller.world, lane, 3)
    await calling.holds.read()
    running = asyncio.create_task(urgent.claiming.run())
    await asyncio.wait([running], timeout=0.5)
    assert urgent.sizes == []
    other = Loop(caller, classes=(Class.TRANSACTIONAL, Class.MARKETING), helps=urgent.claiming)
    helping = asyncio.create_task(other.claiming.run())
    await asyncio.wait([helping], timeout=5)
    assert other.sizes == [3]
    for loop, task in ((urgent, running), (other, helping)):
        loop.claiming._sleep.told(-1)  # pyright: ignore[reportPrivateUsage]
        await task


@pytest.fixture
async def backlog(caller: Caller) -> AsyncIterator[Caller]:
    """50 mails of each of two tenants wait, the window is open, and results are recorded."""
    for _ in range(24):
        caller.calling.window.answered()
    other = await caller.world.lane("beta", "password-reset")
    for lane in (await caller.lane(), other):
        await mail(caller.world, lane, 50)
    await caller.calling.holds.read()
    recording = asyncio.create_task(caller.calling.results.run())
    yield caller
    recording.cancel()


async def test_of_a_backlog_the_next_claim_is_made_while_the_calls_of_the_last_one_start(
    backlog: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """32 of 48 slots are taken at once, 16 calls start and end, and the others start in ten minutes."""
    monkeypatch.setattr(claiming_module, "PACE", 600 / GROUP)
    monkeypatch.setattr(
        claiming_module, "SLOW", 600
    )  # else a claim is tried before results are recorded, and finds nothing
    loop = Loop(backlog, slots=48, gather=Gather(600, 600), claims=2)
    running = asyncio.create_task(loop.claiming.run())
    async with asyncio.timeout(20):
        while len(loop.sizes) < 2:
            await asyncio.sleep(0.01)
        [first, second] = loop.sizes
        assert (first, second > 0) == (32, True)
        # Of the first claim 16 wait for their turn, and all of the second.
        while loop.claiming.in_flight != 16 + second:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


async def test_mail_gathers_between_claims_that_the_account_s_rate_keeps_small(backlog: Caller) -> None:
    await backlog.world.connection.execute("update account_rate set rate = 4, tokens = 4, ceiling = 4")
    loop = Loop(backlog, slots=48, gather=Gather(600, 600), claims=2)
    running = asyncio.create_task(loop.claiming.run())
    await asyncio.wait([running], timeout=2.5)  # two seconds bring eight tokens more
    assert loop.sizes == [4]
    running.cancel()
    await asyncio.wait([running])


async def test_claimed_mail_whose_calls_have_not_started_goes_back_when_the_dispatcher_stops(
    backlog: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_module, "PACE", 0.2 / GROUP)
    loop = Loop(backlog, slots=48, claims=1)
    await loop.claiming.run()
    await loop.claiming.calls_ended()
    await backlog.calling.results.flush()
    assert loop.sizes == [32]
    assert await backlog.world.count("ready", "state = 0") == 100
