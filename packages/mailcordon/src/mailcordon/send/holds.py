"""Which mail must not leave, as every dispatcher remembers it: read anew within 250 ms of any change, and trusted for 0.75 s.

A hold acts at once (architecture, invariant 7): a claim takes only what can leave within a second, and the last look before
each call is into this memory. Memory that is too old, because the database is gone or this process was stopped, stops
everything: the clock is CLOCK_BOOTTIME, which runs on while a process or a machine sleeps.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from mailcordon.core.errors import Unavailable
from mailcordon.core.hold import Hold
from mailcordon.send.ports import Claimed, LaneRoute, QueueStore

READ_EVERY = 0.25  #: seconds
TRUSTED_FOR = 0.75  #: seconds; with the reading this keeps "no later than 1 s after the commit"

log: Any = structlog.get_logger()


def boot_time() -> float:
    """Seconds that also pass while the machine sleeps, where the system can say so."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Holds:
    def __init__(self, store: QueueStore, clock: Callable[[], float] = boot_time) -> None:
        self._store = store
        self._clock = clock
        self._epoch = -1
        self._read_at = float("-inf")
        self._lanes: frozenset[int] = frozenset()
        self._narrow: dict[int, list[Hold]] = {}

    @property
    def fresh(self) -> bool:
        """Whether what is remembered may be acted on: calls may start only then."""
        return self._clock() - self._read_at < TRUSTED_FOR

    def holds_lane(self, lane: int) -> bool:
        return lane in self._lanes

    def narrow_hold(self, claim: Claimed, route: LaneRoute, now_ms: int) -> Hold | None:
        """The hold on this mail's campaign, list or mailbox provider, if there is one."""
        for hold in self._narrow.get(claim.tenant, ()):
            if hold.covers_lane(route.tenant, route.class_, route.lane) and hold.stops_mail(
                claim.provider, claim.campaign, claim.list, now_ms
            ):
                return hold
        return None

    async def read(self) -> None:
        """Reads the epoch, and the holds if it moved. The moment of the reading is taken before it starts."""
        before = self._clock()
        epoch = await self._store.hold_epoch()
        if epoch != self._epoch:
            lanes, narrow = await self._store.holds()
            by_tenant: dict[int, list[Hold]] = {}
            for hold in narrow:
                by_tenant.setdefault(hold.tenant, []).append(hold)
            self._lanes, self._narrow, self._epoch = lanes, by_tenant, epoch
        self._read_at = before

    async def run(self) -> None:
        while True:
            try:
                await self.read()
            except Unavailable as problem:
                log.warning("holds cannot be read; no call starts until they can", problem=str(problem))
            await asyncio.sleep(READ_EVERY)
