"""Reads one queue: several receives run at once, their messages are stored in batches and deleted after the commit.

Messages gather for a moment before they are stored, longer under load, and while one batch is committed the next gathers. While
the database is unavailable nothing is received and the messages stay in the queue. If a batch cannot be stored, its messages
are stored one by one, and the bad one goes to quarantine.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailcordon.messages import reasons
from mailcordon.observe.facts import QueueFacts
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import (
    BadRow,
    Decode,
    Decoded,
    Malformed,
    Queue,
    Received,
    Store,
    Transaction,
    Unreachable,
)

BATCH = 500  #: events per transaction, at most: about 10 ms of locks
GATHER = 0.1  #: seconds in which messages gather before they are stored
GATHER_BUSY = 0.25  #: the same while batches have at least BUSY_BATCH events
BUSY_BATCH = 40
FULL = 10  #: most messages of one receive
MANY_FULL = 4  #: full receives in a row that start one more receiver
MAX_BUFFERED = 200  #: receives whose messages are not stored yet
FIRST_PAUSE = 0.1  #: seconds until the first retry; doubled up to LONGEST_PAUSE
LONGEST_PAUSE = 5.0

_log = logging.getLogger("mailcordon.observe")


@dataclass(slots=True)
class Totals:
    """Counts of one pipeline since its start."""

    received: int = 0
    stored: int = 0  #: messages whose batch was committed
    batches: int = 0
    copies: int = 0
    elsewhere: int = 0
    notices: int = 0
    counted: Counter[str] = field(default_factory=Counter[str])
    quarantined: Counter[str] = field(default_factory=Counter[str])

    def add(self, messages: int, report: Report) -> None:
        self.stored += messages
        self.batches += 1
        self.copies += report.copies
        self.elsewhere += report.elsewhere
        self.notices += report.notices
        self.counted.update({kind.word: count for kind, count in report.counted.items()})
        self.quarantined.update(report.quarantined)


class Pipeline:
    """Reads one queue with its own store, so that opens, on another pipeline, do not delay bounces."""

    def __init__(
        self,
        queue: Queue,
        store: Store,
        *,
        decode: Decode,
        ingest: Ingest,
        receivers: int = 4,
        batch: int = BATCH,
    ) -> None:
        self._queue = queue
        self._store = store
        self._decode = decode
        self._ingest = ingest
        self._batch = batch
        self._buffer: asyncio.Queue[list[Received]] = asyncio.Queue(MAX_BUFFERED)
        self._gather = GATHER
        self._open = asyncio.Event()  #: set while the database is available
        #: One per additional receiver; set while it should receive.
        self._wanted = [asyncio.Event() for _ in range(receivers - 1)]
        self._deletes: set[asyncio.Task[None]] = set()
        self.totals = Totals()
        self.facts = QueueFacts(queue.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set. Then stores and deletes what was received, and returns."""
        self._open.set()
        receivers = [
            asyncio.create_task(receive, name=f"receive {self._queue.name} {n}")
            for n, receive in enumerate([self._receive(None), *map(self._receive, self._wanted)])
        ]
        storing = asyncio.create_task(self._store_all(), name=f"store {self._queue.name}")
        stopping = asyncio.create_task(stop.wait())
        try:
            # A receiver or the storing loop ends only by an internal error: then all end, and the error is raised.
            await asyncio.wait([stopping, storing, *receivers], return_when=asyncio.FIRST_COMPLETED)
            await _cancel(receivers)
            if not storing.done() and self._open.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._buffer.join(), 5)
        finally:
            await _cancel([*receivers, stopping, storing])
            if self._deletes:
                await asyncio.wait(self._deletes, timeout=5)
        for task in (storing, *receivers):
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault

    # Receive --------------------------------------------------------------------------------------------------------------

    async def _receive(self, wanted: asyncio.Event | None) -> None:
        """The first receiver waits for messages. The others (with `wanted`) receive without waiting while the queue is full."""
        pause, full = FIRST_PAUSE, 0
        while True:
            await self._open.wait()
            if wanted is not None:
                await wanted.wait()
            try:
                messages = await self._queue.receive(wait=wanted is None)
                pause = FIRST_PAUSE
                self.facts.answered(len(messages))
            except Unreachable as error:
                self.facts.failed(str(error))
                _log.warning("receiving events failed: %s; retrying in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if messages:
                self.totals.received += len(messages)
                await self._buffer.put(messages)
            if wanted is not None:
                if not messages:
                    wanted.clear()
                continue
            full = full + 1 if len(messages) >= FULL else 0
            if full:
                self._add_receivers(full)
            elif messages:
                # A call costs the same for one message as for ten, and a waiting call returns with the first one.
                await asyncio.sleep(self._gather / 2)

    def _add_receivers(self, full: int) -> None:
        for wanted in self._wanted[: full // MANY_FULL]:
            wanted.set()

    # Store ----------------------------------------------------------------------------------------------------------------

    async def _store_all(self) -> None:
        while True:
            batch = list(await self._buffer.get())
            receives = 1
            if self._buffer.qsize() * FULL < self._batch:
                await asyncio.sleep(self._gather)
            while len(batch) < self._batch and not self._buffer.empty():
                batch += self._buffer.get_nowait()
                receives += 1
            self._gather = GATHER_BUSY if len(batch) >= BUSY_BATCH else GATHER
            try:
                await self._store_batch(batch)
            except Unreachable as error:
                await self._wait_for_database(error)
            finally:
                for _ in range(receives):
                    self._buffer.task_done()

    async def _store_batch(self, batch: Sequence[Received]) -> None:
        decoded = [self._decode(message.body) for message in batch]
        try:
            report = await self._commit(decoded)
        except Unreachable:
            raise
        except Exception as error:
            if not isinstance(error, BadRow):
                _log.exception(
                    "a batch of %d could not be stored; storing its messages one by one", len(batch)
                )
            await self._store_singly(batch, decoded)
            return
        self._done(batch, report)

    async def _store_singly(self, batch: Sequence[Received], decoded: Sequence[Decoded]) -> None:
        for message, one in zip(batch, decoded, strict=True):
            try:
                self._done([message], await self._commit([one]))
            except Unreachable:
                raise
            except Exception as error:
                await self._quarantine(message, error)

    async def _quarantine(self, message: Received, error: Exception) -> None:
        if not isinstance(error, BadRow):
            _log.exception("storing a message failed; quarantining it")
        why = reasons.not_stored(
            str(error) if isinstance(error, BadRow) else f"{type(error).__name__}: {error}"
        )
        try:
            self._done([message], await self._commit([Malformed(why, message.body)]))
        except BadRow as worse:
            # Not even its text can be stored. It stays in the queue and is received again.
            _log.error("a message can neither be stored nor quarantined: %s", worse)

    async def _commit(self, decoded: Sequence[Decoded]) -> Report:
        async def work(tx: Transaction) -> Report:
            return await self._ingest.store(tx, decoded, self._queue.name)

        return await self._store.run(work)

    def _done(self, messages: Sequence[Received], report: Report) -> None:
        self.totals.add(len(messages), report)
        self.facts.committed(len(messages), sum(report.quarantined.values()))
        for sentence in report.alarms:
            _log.warning("quarantine: %s", sentence)
        task = asyncio.create_task(self._delete([message.receipt for message in messages]))
        self._deletes.add(task)
        task.add_done_callback(self._deletes.discard)

    async def _delete(self, receipts: Sequence[str]) -> None:
        try:
            await self._queue.delete(receipts)
        except Unreachable as error:
            _log.warning(
                "%d stored messages were not deleted and will be received again: %s", len(receipts), error
            )

    async def _wait_for_database(self, error: Unreachable) -> None:
        """Drops the buffer and waits. The messages are received again; storing one twice changes nothing."""
        self._open.clear()
        self.facts.failed(str(error))
        pause, since = FIRST_PAUSE, time.monotonic()
        _log.warning("receiving events stopped: %s", error)
        while True:
            self._drop_buffer()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            with contextlib.suppress(Unreachable):
                await self._store.run(_nothing)
                break
        _log.warning("receiving events again after %.1f s", time.monotonic() - since)
        self._open.set()

    def _drop_buffer(self) -> None:
        while not self._buffer.empty():
            self._buffer.get_nowait()
            self._buffer.task_done()


async def _nothing(tx: Transaction) -> None:
    await tx.known({}, set(), set())


async def _cancel(tasks: Sequence[asyncio.Task[None]] | Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
