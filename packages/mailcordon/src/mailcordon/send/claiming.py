"""The claiming loop of a group of classes: free slots and tokens in, claimed deliveries out.

A claim never exceeds the free call slots, so the rows marked `sending` are the calls on the wire, and a slot is free again only
when its result is committed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from mailcordon.core import stop
from mailcordon.core.errors import Unavailable
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.send.calling import Calling, Loop
from mailcordon.send.moves import Claimed
from mailcordon.send.ports import Bounds, QueueStore
from mailcordon.send.rest import LONGEST, Rest
from mailcordon.send.results import Slots
from mailcordon.send.room import Room
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.tokens import Tokens

log: Any = structlog.get_logger()

POLL_BUSY = 0.01  #: seconds between attempts to claim while something keeps from it, in the first second
POLL_FULL = 0.002  #: seconds between checks for free slots while none are free
POLL_IDLE = 0.05  #: seconds between attempts to claim after a second of them
RECHECK_EVERY = 0.05  #: seconds between rechecks of turns that were set idle
BUSY_FOR = 1.0  #: seconds
TOKENS_KEPT = 0.25  #: seconds of sleep after which unused tokens go back, for other loops and processes
GROUP = 16  #: calls of a claim that start together
#: Seconds for each call of a claim: the next group starts when those of the one before have passed. So a loop starts at most
#: 3,000 calls a second, and an outage meets those of the time that SES takes to answer.
PACE = 1 / 3_000
SLOW = 0.15  #: seconds after which a call counts as slow: others no longer wait for its slot
FEW = 0.25  #: of what a claim could take: it took few
IDLE = 0.75  #: of the slots, free before a claim: few calls are on the wire
FREE = 0.5  #: of the slots that no slow call has, this share must be free before a claim
FAILED_PAUSE = 1.0  #: seconds until the next claim after one that failed with an error of its own


#: Bytes of large contents whose calls are on the wire, of each loop. A call has its content twice for a moment.
LARGE_ROOM = 64 * 1024 * 1024


class _Started:
    """The calls of one claim that have not ended."""

    __slots__ = ("at", "left", "over")

    def __init__(self, at: float, left: int, over: Callable[[], None]) -> None:
        self.at = at
        self.left = left
        self.over = over

    def ended(self) -> None:
        self.left -= 1
        if not self.left:
            self.over()


class Gather(NamedTuple):
    """Seconds in which mail gathers between two claims. The first mail after a longer time is claimed at once."""

    many: float  #: after a claim that took a good part of what it could
    few: float  #: after another one: the slots are free, and a claim of few costs nearly as much as one of many


class Claiming:
    """`probe` sends a canary for a stopped window. `gather`: how long a busy loop lets mail gather between two claims.
    `in_flight`: calls of all loops on the wire. `begins` is told what was claimed before its calls begin. `helps`: a loop whose
    mail this one claims as well, by the weights of the classes, while that has more mail than slots.
    """

    def __init__(
        self,
        classes: Sequence[Class],
        *,
        slots: int,
        gather: Gather,
        store: QueueStore,
        routes: RouteCache,
        calling: Calling,
        probe: Callable[[], Awaitable[None]],
        in_flight: Callable[[], int],
        rest: Rest,
        begins: Callable[[Sequence[Claimed]], Awaitable[None]] | None = None,
        helps: "Claiming | None" = None,
    ) -> None:
        self._classes = classes
        self._helps = helps
        self._short = False  #: whether the last claim may have left mail behind that could be called now
        self._gather = gather
        self._pause = gather.many
        self._store = store
        self._routes = routes
        self._calling = calling
        self._probe = probe
        self._in_flight = in_flight
        self._rest = rest
        self._sleep = rest.sleep(classes)
        self._drained = False  #: whether the last claim left nothing of what it found
        self._begins = begins
        self._logged: Reason | None = None  #: why the account's rate gives nothing
        self._reserved = 0
        self._claimed_at = float("-inf")
        self._full = False  #: whether the slots alone kept the last claim from taking more
        self._started: deque[_Started] = deque()  #: the oldest claim first
        #: One for each claim whose calls have not all started, in order.
        self._starting: deque[asyncio.Task[None]] = deque()
        self._over = asyncio.Event()  #: set when the last call of a claim has ended
        self._loop = Loop(
            Slots(slots),
            Tokens(store, calling.window.name, urgent=Class.URGENT in classes),
            Room(LARGE_ROOM),
        )

    @property
    def in_flight(self) -> int:
        """Calls on the wire, results that are not recorded yet, and what a claim in progress may add."""
        return self._loop.slots.size - self._loop.slots.free + self._reserved

    @property
    def _now_claimed(self) -> Sequence[Class]:
        helped = self._helps
        return self._classes if helped is None or not helped._short else (*helped._classes, *self._classes)

    async def run(self) -> None:
        """Claims until `calling.stopping`. On return the calls of all claims have started, or gone back to the queue."""
        try:
            await self._run()
            while self._starting:
                await self._starting[0]
        finally:
            for starting in self._starting:
                starting.cancel()

    async def _run(self) -> None:
        slots = self._loop.slots
        quiet_since = 0.0
        while not self._calling.stopping:
            try:
                claimed = await self._claim()
                self._log_tokens()
                if self._sleep.often and self._sleep.asked:
                    self._sleep.asked = False
                    await self._store.awake(self._classes)
                if self._drained and not self._sleep.often:
                    await self._sleep_until_due()
                    quiet_since = 0.0
                    continue
            except Unavailable as problem:
                log.warning("claiming failed", problem=str(problem))
                await asyncio.sleep(0.25)
                continue
            except Exception:
                # The claim was rolled back. The other loop, the calls on the wire and their results go on.
                log.exception("a claim failed", retry_seconds=FAILED_PAUSE)
                await asyncio.sleep(FAILED_PAUSE)
                continue
            now = time.monotonic()
            if claimed or self._drained:
                quiet_since = 0.0
                # Mail and free slots gather meanwhile: claiming many costs little more than claiming one. Of a backlog there is
                # mail enough, and half of the slots are waited for.
                pause = 0.0 if self._full else self._claimed_at + self._pause - now
                await asyncio.sleep(max(POLL_FULL, pause))
            elif not self._worth_a_claim():
                await asyncio.sleep(POLL_FULL)
            elif slots.free < slots.size:
                await asyncio.sleep(POLL_BUSY)
            else:
                quiet_since = quiet_since or now
                await asyncio.sleep(POLL_BUSY if now - quiet_since < BUSY_FOR else POLL_IDLE)

    async def _sleep_until_due(self) -> None:
        """After a claim that left nothing: until a turn has mail, and a claim may find several."""
        tokens, thorough = self._loop.tokens, False
        if tokens.scarce:
            await tokens.return_unused()
        # Most often a hint comes within the time in which mail gathers anyway, and no look is needed.
        told = self._sleep.asked and await self._sleep.told_within(
            self._claimed_at + self._pause - time.monotonic()
        )
        looks = 0
        while not told and not self._calling.stopping:
            self._sleep.begin()
            look = await self._store.look(self._classes, thorough=thorough)
            self._sleep.asked = True
            self._rest.seen(look, thorough=thorough)
            seconds = self._sleep.seconds(look, looks)
            looks += 1
            if await self._sleep.told_within(min(seconds, TOKENS_KEPT)):
                break
            if seconds > TOKENS_KEPT:
                await tokens.return_unused()
                if await self._sleep.told_within(seconds - TOKENS_KEPT):
                    break
            thorough = seconds >= LONGEST
        wait = self._claimed_at + self._pause - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _claim(self) -> int:
        tokens, calling = self._loop.tokens, self._calling
        self._drained = False
        if not calling.stops.stopped:
            tokens.because = None  # of an earlier claim; a stop that it led to has ended
        if not self._worth_a_claim() or calling.window.stopped or calling.stops.stopped:
            if calling.holds.fresh and calling.window.canary_due():
                await self._probe()
            return 0
        if not await calling.holds.refresh() or calling.stops.stopped:
            return 0
        await self._store.recheck(RECHECK_EVERY)
        allowed = calling.window.allowed(self._in_flight())
        room, bounds = bounds_of(self._loop.slots, calling.window.narrow)
        most = min(room, allowed)
        if not most:
            return 0
        # The other loop counts them as on the wire: of a narrow window, both must not take the same calls.
        self._reserved = most
        try:
            claimed = await self._claim_most(most, bounds)
        finally:
            self._reserved = 0
        self._full = claimed == room
        return claimed

    async def _claim_most(self, most: int, bounds: Bounds) -> int:
        slots, tokens, _ = self._loop
        granted = await tokens.take(most)
        # Only here: a reason that is older than this visit of the shared row must not bring back a stop that has ended.
        self._calling.stops.without_tokens(tokens.because)
        if not granted:
            return 0
        bounds = bounds._replace(cell=self._calling.window.name, reserve_left=tokens.reserve_left)
        self._sleep.begin()
        batch = await self._store.claim(self._now_claimed, granted, bounds, self._calling.holds.narrow)
        claimed = batch.claimed
        tokens.keep(granted - len(claimed))
        self._claimed_at = time.monotonic()
        self._drained = len(claimed) < granted
        self._short = not self._drained or batch.more
        # While many calls are on the wire, the bounds of their tenants may have made it a small claim.
        few = len(claimed) < most * FEW and slots.free >= slots.size * IDLE
        self._pause = self._gather.few if few else self._gather.many
        if claimed:
            self._rest.worked()
            for claim in claimed:
                slots.take(claim.tenant)
            self._reserved = 0
            self._calling.facts.claim(len(claimed))
            if self._begins is not None:
                await self._begins(claimed)
            routes = await self._routes_of(claimed, batch.epoch)
            if routes is None:
                self._calling.put_back(claimed, self._loop)
            else:
                started = _Started(self._claimed_at, len(claimed), self._over.set)
                self._started.append(started)
                before = self._starting[-1] if self._starting else None
                starting = asyncio.create_task(self._start(claimed, routes, started, before))
                self._starting.append(starting)
                starting.add_done_callback(self._starting.remove)
        return len(claimed)

    async def _start(
        self,
        claimed: Sequence[Claimed],
        routes: Mapping[int, Route],
        started: _Started,
        before: asyncio.Task[None] | None,
    ) -> None:
        """Starts the calls in groups, at a pace, after those of the claim `before`. The next claim is made meanwhile.

        Answers are seen in between, so an outage meets a few calls of a claim and not all of them. What is left then goes back.
        """
        if before is not None:
            await asyncio.wait([before])
        begun = time.monotonic()
        for first in range(0, len(claimed), GROUP):
            if first:
                # By the clock: on a busy machine a pause takes longer than asked for.
                await asyncio.sleep(max(0.0, begun + first * PACE - time.monotonic()))
            for claim in claimed[first : first + GROUP]:
                route = routes.get(claim.lane)
                self._calling.begin(claim, route and route.of(claim.path), self._loop, started.ended)

    async def calls_ended(self) -> None:
        """Once `run` has ended: until the results of all its calls are handed over."""
        while any(one.left for one in self._started):
            self._over.clear()
            await self._over.wait()

    def _log_tokens(self) -> None:
        because = self._loop.tokens.because
        if because != self._logged:
            self._logged = because
            sentence = None if because is None else stop.because_of(because, self._calling.window.name)
            self._calling.facts.because[self._classes[0].word] = sentence
            if sentence:
                log.warning("nothing is sent", because=sentence)

    def _worth_a_claim(self) -> bool:
        """Most slots are free that are not taken by slow calls: a tenant with slow calls delays no other.

        A claim of many costs little more than a claim of one, so it is worth waiting for the fast calls.
        """
        slots = self._loop.slots
        if not slots.free:
            return False
        slow_since = time.monotonic() - SLOW
        if self._claimed_at <= slow_since:
            return True
        while self._started and not self._started[0].left:
            self._started.popleft()
        slow = sum(one.left for one in self._started if one.at <= slow_since)
        return slots.free >= (slots.size - slow) * FREE

    async def _routes_of(self, claimed: Sequence[Claimed], epoch: int) -> dict[int, Route] | None:
        """Retries until the database answers: claimed mail must not be dropped. It is requeued if the holds are stale by then.

        Returns None if the dispatcher stops meanwhile.
        """
        while True:
            try:
                return await self._routes.get({claim.lane for claim in claimed}, epoch)
            except Unavailable as problem:
                log.warning("routes could not be read", problem=str(problem))
                if self._calling.stopping:
                    return None
                await asyncio.sleep(0.25)
            except Exception:
                log.exception("routes could not be read; the mail is deferred")
                return {}


def bounds_of(slots: Slots, narrow: int | None = None) -> tuple[int, Bounds]:
    """How many deliveries to claim at most, and what one tenant may have of them. `narrow`: what the window allows all loops.

    Afterwards no tenant has more than twice as many calls on the wire as there are free slots, or one. So a tenant whose calls
    take long gets at most two thirds of the slots while it is alone, and less the more others send. Of a narrow window it gets
    a quarter in each loop: if its calls filled the window, nobody's answers could widen it.
    """
    most = max(1, slots.free * 2 // 3)
    of_tenant = 2 * (slots.free - most)
    if narrow is not None:
        of_tenant = min(of_tenant, narrow // 4)
    return most, Bounds(max(1, of_tenant), slots.in_flight)
