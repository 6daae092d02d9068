"""Commits the results of claimed deliveries in batches. Their call slots are free again after the commit.

So the rows marked `sending` never exceed the slots, even while the database is unavailable. Results wait here until it is back.
If the process dies first, the outcome of their deliveries is unknown.
"""

import asyncio
from typing import Any

import structlog

from mailcordon.core.errors import Unavailable
from mailcordon.send.moves import Defer, Finish, Requeue
from mailcordon.send.ports import QueueStore

log: Any = structlog.get_logger()

GATHER = 0.02  #: seconds in which results gather under load, to share one commit


class Slots:
    """How many calls may still start. A slot is taken at the claim and released when its result is committed."""

    def __init__(self, size: int) -> None:
        self.size = self.free = size

    def take(self, n: int) -> None:
        self.free -= n

    def release(self) -> None:
        self.free += 1


class Results:
    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._finished: list[Finish] = []
        self._deferred: list[Defer] = []
        self._requeued: list[Requeue] = []
        self._slots: list[Slots] = []
        self._arrived = asyncio.Event()
        self._busy = False

    def finish(self, slots: Slots, finish: Finish) -> None:
        self._finished.append(finish)
        self._done(slots)

    def defer(self, slots: Slots, defer: Defer) -> None:
        self._deferred.append(defer)
        self._done(slots)

    def requeue(self, slots: Slots, requeue: Requeue) -> None:
        self._requeued.append(requeue)
        self._done(slots)

    def _done(self, slots: Slots) -> None:
        self._slots.append(slots)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if len(self._slots) > 1 or self._busy:
                await asyncio.sleep(GATHER)
            self._busy = len(self._slots) > 1
            await self.flush()

    async def flush(self) -> None:
        while self._slots:
            finished, deferred, requeued, slots = (
                self._finished,
                self._deferred,
                self._requeued,
                self._slots,
            )
            self._finished, self._deferred, self._requeued, self._slots = [], [], [], []
            while True:
                try:
                    await self._store.complete(finished, deferred, requeued)
                    break
                except Unavailable as problem:
                    # Until the commit the rows say `sending`. If this process dies first, they become "outcome unknown".
                    log.warning(
                        "database unavailable; results wait", results=len(slots), problem=str(problem)
                    )
                    await asyncio.sleep(0.25)
            for one in slots:
                one.release()
