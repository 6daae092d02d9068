"""Commits the results of claimed deliveries in batches. Their call slots are free again after the commit.

So the rows marked `sending` never exceed the slots, even while the database is unavailable. Results wait here until it is back.
If the process dies first, the outcome of their deliveries is unknown.

If the database rejects a batch, its results are recorded one by one. One that is rejected by itself is kept and tried again
every RETRY_EVERY seconds; meanwhile its delivery stays `sending`, and the dispatcher goes on. Up to MOST_REJECTED of them free
their slots: beyond that, what cannot be recorded slows the dispatcher down to nothing instead of sending more of it. The same
happens to a batch that meets other transactions' locks PATIENCE times in a row: one locked row must not keep the others waiting.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from mailcordon.core import ids
from mailcordon.core.errors import Unavailable
from mailcordon.send.moves import Defer, Finish, Requeue
from mailcordon.send.ports import QueueStore

log: Any = structlog.get_logger()

GATHER = 0.04  #: seconds in which results gather under load, to share one commit
#: Seconds in which they gather while most slots are free. Until the commit their slots are taken, and if this process dies their
#: outcome is unknown until the Send events settle it: that of a tenth of a second's calls, when few are on the wire.
GATHER_FEW = 0.1
ENOUGH = 32  #: results that wait for no more: each costs little less in a larger commit, and their slots are needed
FREE = 0.75  #: of the slots: so many are most
RETRY_EVERY = 5.0  #: seconds between two attempts to record what the database rejected
PATIENCE = 3  #: attempts that may meet locks; also how many singles in a row may, until the rest is tried together again
MOST_REJECTED = 64  #: rejected results that wait without their slot


class Slots:
    """How many calls may still start. A slot is taken at the claim and released when its result is committed."""

    def __init__(self, size: int) -> None:
        self.size = self.free = size
        self.in_flight: dict[int, int] = {}  #: by tenant

    def take(self, tenant: int) -> None:
        self.free -= 1
        self.in_flight[tenant] = self.in_flight.get(tenant, 0) + 1

    def release(self, tenant: int) -> None:
        self.free += 1
        if self.in_flight[tenant] == 1:
            del self.in_flight[tenant]
        else:
            self.in_flight[tenant] -= 1


@dataclass(slots=True)
class _Batch:
    """Results, and the slots of each kind in the same order."""

    finished: list[Finish] = field(default_factory=list[Finish])
    deferred: list[Defer] = field(default_factory=list[Defer])
    requeued: list[Requeue] = field(default_factory=list[Requeue])
    slots: tuple[list[Slots], list[Slots], list[Slots]] = field(default_factory=lambda: ([], [], []))

    def __len__(self) -> int:
        return len(self.finished) + len(self.deferred) + len(self.requeued)

    def add(self, other: "_Batch") -> None:
        self.finished += other.finished
        self.deferred += other.deferred
        self.requeued += other.requeued
        for mine, others in zip(self.slots, other.slots, strict=True):
            mine += others

    def singles(self) -> Iterator["_Batch"]:
        for one, slots in zip(self.finished, self.slots[0], strict=True):
            yield _Batch(finished=[one], slots=([slots], [], []))
        for one, slots in zip(self.deferred, self.slots[1], strict=True):
            yield _Batch(deferred=[one], slots=([], [slots], []))
        for one, slots in zip(self.requeued, self.slots[2], strict=True):
            yield _Batch(requeued=[one], slots=([], [], [slots]))

    @property
    def few(self) -> bool:
        """Whether most slots of the loops whose results these are stay free while they wait."""
        return all(slots.free >= slots.size * FREE for kind in self.slots for slots in set(kind))

    @property
    def delivery(self) -> int:
        """Of a single result."""
        [one] = [*self.finished, *self.deferred, *self.requeued]
        return one.claim.id

    def release(self) -> None:
        for results, kind in zip((self.finished, self.deferred, self.requeued), self.slots, strict=True):
            for one, slots in zip(results, kind, strict=False):  # no slots: they were released before
                slots.release(one.claim.tenant)
            kind.clear()


class Results:
    def __init__(self, store: QueueStore, unhurried: Callable[[], bool] = lambda: False) -> None:
        """`unhurried`: whether no call waits for a result to be recorded, as far as the window goes."""
        self._store = store
        self._unhurried = unhurried
        self._batch = _Batch()
        self._rejected: list[_Batch] = []  #: singles
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()  #: set while so many wait
        self._busy = False
        self._flushing = asyncio.Lock()

    @property
    def rejected(self) -> int:
        """How many results the database rejects at the moment. Their deliveries stay `sending`."""
        return len(self._rejected)

    def finish(self, slots: Slots, finish: Finish) -> None:
        self._batch.finished.append(finish)
        self._batch.slots[0].append(slots)
        self._wake()

    def defer(self, slots: Slots, defer: Defer) -> None:
        self._batch.deferred.append(defer)
        self._batch.slots[1].append(slots)
        self._wake()

    def requeue(self, slots: Slots, requeue: Requeue) -> None:
        self._batch.requeued.append(requeue)
        self._batch.slots[2].append(slots)
        self._wake()

    def _wake(self) -> None:
        """What was put into the batch is to be recorded."""
        self._arrived.set()
        if len(self._batch) >= ENOUGH:
            self._enough.set()

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        retry_at = clock()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), RETRY_EVERY if self._rejected else None)
            self._arrived.clear()
            if self._batch.few and self._unhurried():
                await self._gather(GATHER_FEW)
            elif len(self._batch) > 1 or self._busy:
                await self._gather(GATHER)
            self._busy = len(self._batch) > 1
            await self._record()
            if self._rejected and clock() >= retry_at:
                await self.retry_rejected()
                retry_at = clock() + RETRY_EVERY

    async def _gather(self, seconds: float) -> None:
        """Until so many seconds have passed, or enough results wait."""
        if len(self._batch) < ENOUGH:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), seconds)

    async def flush(self) -> None:
        """Returns once everything that has arrived is recorded, or rejected."""
        while True:
            await self._record()
            if not self._batch:
                return

    async def _record(self) -> None:
        """Records what has arrived, or keeps what is rejected. What comes meanwhile gathers for a batch of its own."""
        async with self._flushing:  # what another task is recording has arrived too
            if not self._batch:
                return
            batch, self._batch = self._batch, _Batch()
            try:
                await self._commit(batch, PATIENCE)
            except Unavailable as problem:
                log.warning(
                    "results meet locks; recording them one by one",
                    results=len(batch),
                    problem=str(problem),
                )
                await self._record_singles(batch)
            except Exception:
                log.exception(
                    "a batch of results was rejected; recording them one by one", results=len(batch)
                )
                await self._record_singles(batch)

    async def _record_singles(self, batch: _Batch) -> None:
        """If many in a row meet locks, the rest goes back: each would wait for as long as a whole batch."""
        busy, rest = 0, _Batch()
        for single in batch.singles():
            if busy == PATIENCE:
                rest.add(single)
            else:
                busy = busy + 1 if await self._record_single(single) else 0
        rest.add(self._batch)
        self._batch = rest
        if rest:
            self._wake()

    async def retry_rejected(self) -> None:
        """Tries again to record what the database rejected."""
        async with self._flushing:
            rejected, self._rejected = self._rejected, []
            busy = 0
            for single in rejected:
                if busy == PATIENCE:
                    self._rejected.append(single)
                else:
                    busy = busy + 1 if await self._record_single(single, again=True) else 0

    async def _record_single(self, single: _Batch, *, again: bool = False) -> bool:
        """Returns whether it met locks."""
        try:
            await self._commit(single, 1)
        except Exception as problem:
            self._rejected.append(single)
            if not again:
                log.error(
                    "the database rejects the result of a call; the delivery stays `sending`, the result is tried again",
                    delivery=ids.delivery_id(single.delivery),
                    rejected=len(self._rejected),
                    problem=str(problem),
                )
            if len(self._rejected) <= MOST_REJECTED:
                single.release()
            return isinstance(problem, Unavailable)
        if again:
            log.info("a rejected result was recorded", delivery=ids.delivery_id(single.delivery))
        return False

    async def _commit(self, batch: _Batch, patience: int) -> None:
        """Waits while the database is away. Raises Unavailable once it was there and busy `patience` times in a row."""
        busy = 0
        while True:
            try:
                await self._store.complete(batch.finished, batch.deferred, batch.requeued)
                break
            except Unavailable as problem:
                busy = busy + 1 if problem.code == "busy" else 0
                if busy >= patience:
                    raise
                # Until the commit the rows say `sending`. If this process dies first, they become "outcome unknown".
                log.warning("database unavailable; results wait", results=len(batch), problem=str(problem))
                await asyncio.sleep(0.25)
        batch.release()
