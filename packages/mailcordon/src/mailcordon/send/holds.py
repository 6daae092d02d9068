"""The dispatcher's cache of holds, stops and the database's clock: read every 250 ms while there is mail, and valid for 0.75 s.

A dispatcher that rests does not read it. Then the first claim does, before it takes mail.

A hold acts within a second (architecture, invariant 7): a claim takes at most a second of work, and this cache is checked
before each call. If it is too old, because the database is unavailable or this process was suspended, no call starts. The
clock is CLOCK_BOOTTIME, which also runs while a process or a machine sleeps.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from mailcordon.core import provider
from mailcordon.core.clock import boot_time
from mailcordon.core.errors import Unavailable
from mailcordon.core.hold import Hold
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.provider import Provider
from mailcordon.core.route import Route
from mailcordon.core.stop import Stop
from mailcordon.send.moves import Claimed
from mailcordon.send.ports import QueueStore

READ_EVERY = 0.25  #: seconds
VALID_FOR = 0.75  #: seconds; together with READ_EVERY within 1 s of the commit
OLD_AFTER = 0.5  #: seconds after which a claim reads first

log: Any = structlog.get_logger()


class Holds:
    def __init__(
        self,
        store: QueueStore,
        clock: Callable[[], float] = boot_time,
        stops: Callable[[Sequence[Stop]], None] = lambda stops: None,
        provider_of: Callable[[str], int] = provider.of,
        goes_on: Callable[[], Awaitable[bool]] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pause` lasts until the next reading, at least so many seconds. `stops` is told the open stops whenever they are read.
        `provider_of` says who receives a domain's mail, from memory. `goes_on` is asked after each reading whether calls may
        start for all that is known of the database (send/lineage.py)."""
        self._store = store
        self._tell_stops = stops
        self._clock = clock
        self._provider_of = provider_of
        self._goes_on = goes_on
        self._pause = pause
        self._reading = asyncio.Lock()
        self._failed = LogLimit()
        self._epoch = -1
        self._read_at = float("-inf")
        self._database: tuple[int, float] | None = None  #: its clock in ms, and ours right after
        self._lanes: frozenset[int] = frozenset()
        self._narrow: dict[int, list[Hold]] = {}

    @property
    def fresh(self) -> bool:
        """Whether the cache is recent enough: calls may start only then."""
        return self._clock() - self._read_at < VALID_FOR

    @property
    def database_ms(self) -> int | None:
        """The database's clock, in ms since 1970; None until it is known.

        Late by up to the time that the read took, never ahead, and independent of this host's time of day.
        """
        if self._database is None:
            return None
        then, ours = self._database
        return then + int((self._clock() - ours) * 1000)

    def holds_lane(self, lane: int) -> bool:
        return lane in self._lanes

    def narrow_hold(self, claim: Claimed, route: Route, now_ms: int) -> Hold | None:
        """Returns a hold on this mail's campaign, list or mailbox provider, or None."""
        holds = self._narrow.get(claim.tenant)
        if not holds:
            return None
        whose, lane = self._provider(claim), route.lane
        for hold in holds:
            if hold.target.covers_lane(lane.tenant, lane.class_, lane.id) and hold.stops_mail(
                whose, claim.campaign, claim.list, now_ms
            ):
                return hold
        return None

    def possible_hold(self, claim: Claimed, route: Route, now_ms: int) -> Hold | None:
        """Returns a hold that stops this mail if its mailbox provider, which is not known yet, turns out to be the hold's."""
        holds = self._narrow.get(claim.tenant)
        if not holds or self._provider(claim) != Provider.UNKNOWN:
            return None
        lane = route.lane
        for hold in holds:
            whose = hold.target.provider
            if (
                whose is not None
                and hold.target.covers_lane(lane.tenant, lane.class_, lane.id)
                and hold.stops_mail(whose, claim.campaign, claim.list, now_ms)
            ):
                return hold
        return None

    def _provider(self, claim: Claimed) -> int:
        """What was unknown when the mail was accepted may be known by now."""
        if claim.provider != Provider.UNKNOWN:
            return claim.provider
        return self._provider_of(claim.to.rpartition("@")[2].lower())

    @property
    def narrow(self) -> Mapping[int, Sequence[Hold]]:
        """By tenant, the open holds on campaigns, lists and mailbox providers."""
        return self._narrow

    async def read(self) -> None:
        """Reads the epoch, and holds and stops if it has moved. The age of the cache counts from before the read."""
        before = self._clock()
        now, epoch = await self._store.hold_epoch()
        self._database = (now, self._clock())
        if epoch != self._epoch:
            lanes, narrow = await self._store.holds()
            stops = await self._store.stops()
            by_tenant: dict[int, list[Hold]] = {}
            for hold in narrow:
                by_tenant.setdefault(hold.target.tenant, []).append(hold)
            self._tell_stops(stops)
            self._lanes, self._narrow, self._epoch = lanes, by_tenant, epoch
        if self._goes_on is not None and not await self._goes_on():
            self._epoch = -1  # of another database: its numbers say nothing
            self._read_at = float("-inf")
            return
        self._read_at = before

    async def refresh(self) -> bool:
        """Before a claim. Returns whether calls may start; reads first if the cache would soon be too old."""
        if self._clock() - self._read_at >= OLD_AFTER:
            await self._read_or_log()
        return self.fresh

    async def _read_or_log(self) -> None:
        began = self._clock()
        async with self._reading:
            if self._read_at >= began:
                return  # another task has just read it
            try:
                await self.read()
            except Unavailable as problem:
                log.warning("reading holds failed; no call starts until it succeeds", problem=str(problem))
            except Exception as problem:
                if times := self._failed.count(type(problem)):
                    log.exception("reading holds failed; no call starts until it succeeds", times=times)

    async def run(self) -> None:
        """Reads until it is cancelled. What cannot be read ages, so that no call starts; it does not end the dispatcher."""
        while True:
            await self._read_or_log()
            await self._pause(READ_EVERY)
