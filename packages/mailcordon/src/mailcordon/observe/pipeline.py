"""Reads one queue: several receives run at once, their messages are stored in batches and deleted after the commit.

Messages gather in the queue for a moment, so that a receive brings ten and a batch is full. What was received is stored when the
queue is read to its end, or a batch is full; while one batch is committed the next gathers. While the database is unavailable
nothing is received and the messages stay in the queue. If a batch cannot be stored, its messages are stored one by one, and the
bad one goes to quarantine. While SNS's certificates cannot be fetched, nothing is received either: whatever they signed stays in
the queue. So do messages with a certificate that may or may not exist; others go on.

A pipeline with a watermark also proves how far its queue is read (watermark.py). It asks the database once a second whether an
unknown outcome needs that, and does nothing more if none does. If it gets no answer it stops receiving: the other observers
cannot hear from it, and take what is invisible for longer than the visibility time-out as read.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

from mailcordon.core.clock import boot_time
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.pace import Pace, Rest
from mailcordon.core.queue import Queue, Received, Unreachable
from mailcordon.messages import reasons
from mailcordon.observe.batches import Batches
from mailcordon.observe.facts import QueueFacts, Totals
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import (
    BadRow,
    Decoded,
    DecodedEvent,
    EventReader,
    NoCertificate,
    Store,
    Transaction,
    Undecided,
)
from mailcordon.observe.watermark import Observer, Watermark

BATCH = 500  #: events per transaction, at most: about 10 ms of locks
#: Seconds in which messages gather in the queue after it was read to its end, and at most before what was received is stored.
GATHER = 0.25
FULL = 10  #: most messages of one receive
#: At most. A receive brings ten messages and takes SQS 5 to 20 ms, so a full queue of 10,000 messages a second needs that many.
RECEIVERS = 16
MANY_FULL = 4  #: full receives in a row that start one more receiver
MAX_BUFFERED = 200  #: receives whose messages are not stored yet
FIRST_PAUSE = 0.1  #: seconds until the first retry; doubled up to LONGEST_PAUSE
LONGEST_PAUSE = 5.0
COUNT_EVERY = 30.0  #: seconds
TICK = 0.5  #: seconds between two ticks of the watermark
#: Questions to the database whether the watermark is needed: quick while messages come, or something waits for its proof. An
#: unclear answer is settled after its grace of a minute at least.
ASK = Pace(quick=1.0, slow=4.0)
ASK_PATIENCE = 3.0  #: seconds; while such a question is open for longer, nothing is received

_log = logging.getLogger("mailcordon.observe")


class Pipeline:
    """Reads one queue with its own store, so that opens, on another pipeline, do not delay bounces.

    `settles_after`: seconds after which time alone proves how far the queue is read (watermark.py); None for a queue without
    Send events. `exact`: the queue's count is exact, so that a count of zero proves it at once.
    """

    def __init__(
        self,
        queue: Queue,
        store: Store,
        *,
        reader: EventReader,
        ingest: Ingest,
        receivers: int = RECEIVERS,
        batch: int = BATCH,
        settles_after: float | None = None,
        exact: bool = False,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._queue = queue
        self._store = store
        self._reader = reader
        self._batches = Batches(store, ingest, queue.name)
        self._batch = batch
        self._clock = clock
        self._proves, self._exact = settles_after is not None, exact
        self._watermark = Watermark(settles_after=settles_after or 0.0, now=clock())
        self._observer = uuid.uuid4().hex
        self._reported = False
        #: The number of each receive with its messages.
        self._buffer: asyncio.Queue[tuple[int, list[Received]]] = asyncio.Queue(MAX_BUFFERED)
        self._read_to_end = asyncio.Event()  #: set while the first receiver lets messages gather in the queue
        self._open = asyncio.Event()  #: set while the database is available
        self._waiting = False  #: one loop waits for the database, the other one for `_open`
        #: One per additional receiver; set while it should receive.
        self._wanted = [asyncio.Event() for _ in range(receivers - 1)]
        self._deletes: set[asyncio.Task[None]] = set()
        self._warnings = LogLimit()
        self.totals = Totals()
        self.facts = QueueFacts(queue.name, self.totals)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set. Then stores and deletes what was received, and returns."""
        self._open.set()
        receivers = [
            asyncio.create_task(receive, name=f"receive {self._queue.name} {n}")
            for n, receive in enumerate([self._receive(None), *map(self._receive, self._wanted)])
        ]
        storing = asyncio.create_task(self._store_all(), name=f"store {self._queue.name}")
        receivers.append(asyncio.create_task(self._count_all(), name=f"count {self._queue.name}"))
        if self._proves:
            receivers.append(asyncio.create_task(self._prove_all(), name=f"prove {self._queue.name}"))
        stopping = asyncio.create_task(stop.wait())
        try:
            # A receiver or the storing loop ends only by an internal error: then all end, and the error is raised.
            await asyncio.wait([stopping, storing, *receivers], return_when=asyncio.FIRST_COMPLETED)
            await _cancel(receivers)
            if not storing.done() and self._open.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._buffer.join(), 5)
                if self._reported:
                    await self._report(ended=True)
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
            receive = self._watermark.receive(self._clock())
            try:
                messages = await self._queue.receive(wait=wanted is None)
                pause = FIRST_PAUSE
                if self._open.is_set():
                    self.facts.answered()
            except Unreachable as error:
                self._watermark.failed(self._clock())
                self._watermark.stored(receive)
                self.facts.failed(str(error))
                _log.warning("receiving events failed: %s; retrying in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if wanted is None and len(messages) < FULL:
                self._watermark.drained(receive, self._clock())
            if messages:
                self.totals.received += len(messages)
                await self._buffer.put((receive, messages))
            else:
                self._watermark.stored(receive)
            if wanted is not None:
                if not messages:
                    wanted.clear()
                continue
            full = full + 1 if len(messages) >= FULL else 0
            if full:
                self._add_receivers(full)
            elif messages:
                # A call costs the same for one message as for ten, and a waiting call returns with the first one.
                self._read_to_end.set()
                await asyncio.sleep(GATHER)
                self._read_to_end.clear()

    async def _count_all(self) -> None:
        """Counts what waits in the queue, for the status."""
        while True:
            try:
                self.facts.waiting = await self._queue.count()
            except Unreachable:  # a receive fails as well, and says so
                self.facts.waiting = None
            await asyncio.sleep(COUNT_EVERY)

    def _add_receivers(self, full: int) -> None:
        for wanted in self._wanted[: full // MANY_FULL]:
            wanted.set()

    # Store ----------------------------------------------------------------------------------------------------------------

    async def _store_all(self) -> None:
        while True:
            receive, messages = await self._buffer.get()
            receives, batch = [receive], list(messages)
            if self._buffer.qsize() * FULL < self._batch:
                await self._gathered()
            while len(batch) < self._batch and not self._buffer.empty():
                receive, messages = self._buffer.get_nowait()
                receives.append(receive)
                batch += messages
            try:
                await self._store_batch(batch)
            except Unreachable as error:
                await self._wait(error)
            finally:
                for receive in receives:
                    self._watermark.stored(receive)
                    self._buffer.task_done()

    async def _gathered(self) -> None:
        """Waits for the rest of what is in the queue."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await self._read_to_end.wait()

    async def _store_batch(self, batch: Sequence[Received]) -> None:
        """What needs a certificate that is not here yet is stored after the rest."""
        waiting = await self._store_decided(batch)
        if waiting:
            await self._fetch({one.certificate for _, one in waiting})
            waiting = await self._store_decided([message for message, _ in waiting])
        if waiting:
            self._leave(waiting)

    def _leave(self, waiting: Sequence[tuple[Received, Undecided]]) -> None:
        """They stay in the queue and are received again. One may be a Send event: while it stays, no absence is proved."""
        why = next((one.why for _, one in waiting if one.why), reasons.certificates_not_here())
        self._watermark.failed(self._clock())
        self.facts.left(why)
        if self._warnings.count("left") is not None:
            _log.warning("%d messages stay in the queue: %s", len(waiting), why)

    async def _store_decided(self, batch: Sequence[Received]) -> list[tuple[Received, Undecided]]:
        """Returns the messages that need a certificate."""
        messages: list[Received] = []
        decoded: list[Decoded] = []
        waiting: list[tuple[Received, Undecided]] = []
        for message in batch:
            one = self._reader.decode(message.body)
            if isinstance(one, Undecided):
                waiting.append((message, one))
            else:
                messages.append(message)
                decoded.append(one)
        if messages:
            await self._store_messages(messages, decoded)
        return waiting

    async def _store_messages(self, batch: Sequence[Received], decoded: Sequence[Decoded]) -> None:
        def done(places: Sequence[int], report: Report) -> None:
            self._done([batch[place] for place in places], [decoded[place] for place in places], report)

        bodies = [message.body for message in batch]
        if await self._batches.store(decoded, bodies, done):
            # What is left stays in the queue and is received again. It may be a Send event: while it keeps coming, the absence
            # of another one is not proved.
            self._watermark.failed(self._clock())

    def _done(self, messages: Sequence[Received], stored: Sequence[Decoded], report: Report) -> None:
        self.totals.add(len(messages), report)
        self.facts.committed(one.event.at for one in stored if isinstance(one, DecodedEvent))
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

    async def _fetch(self, certificates: set[str]) -> None:
        """Receives nothing until the certificates are here: until then nobody knows what the messages are. The batch is kept
        for as long as it is not received again; storing a message twice changes nothing."""
        try:
            await self._reader.fetch(certificates)
        except NoCertificate as error:
            self.facts.uncertain = str(error)
            try:
                await self._wait(error, lambda: self._reader.fetch(certificates))
            finally:
                self.facts.uncertain = None

    async def _wait(self, error: Unreachable, probe: Callable[[], Awaitable[None]] | None = None) -> None:
        """Drops the buffer and waits for the database, or for what `probe` asks. The messages are received again."""
        self._open.clear()
        self._watermark.failed(self._clock())
        if self._waiting:
            await self._open.wait()
            return
        self.facts.failed(str(error))
        pause, since = FIRST_PAUSE, time.monotonic()
        _log.warning("receiving events stopped: %s", error)
        self._waiting = True
        try:
            while True:
                self._drop_buffer()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                with contextlib.suppress(Unreachable):
                    await (probe() if probe is not None else self._store.run(_nothing))
                    break
        finally:
            self._waiting = False
        self._watermark.failed(self._clock())  # receives that were open were answered meanwhile, and dropped
        _log.warning("receiving events again after %.1f s", time.monotonic() - since)
        self._open.set()

    def _drop_buffer(self) -> None:
        while not self._buffer.empty():
            receive, _ = self._buffer.get_nowait()
            self._watermark.stored(receive)
            self._buffer.task_done()

    # Prove ----------------------------------------------------------------------------------------------------------------

    async def _prove_all(self) -> None:
        rest = Rest(ASK, self._clock())
        received = self.totals.received
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            self._watermark.tick(now)
            if self.totals.received != received:
                received = self.totals.received
                rest.changed(now)
            if now < rest.over_at or not self._open.is_set():
                continue
            try:
                await self._prove_soon()
            except Unreachable as error:
                await self._wait(error)
            except BadRow as error:
                _log.warning("how far the queue is read could not be recorded: %s", error)
            if not self._waiting:
                self._open.set()
            rest.ends(now, worked=self._watermark.waits)

    async def _prove_soon(self) -> None:
        """Receives nothing while the database takes too long to answer."""
        proving = asyncio.create_task(self._prove())
        try:
            if not (await asyncio.wait([proving], timeout=ASK_PATIENCE))[0]:
                self._open.clear()
                self._watermark.failed(self._clock())
            await proving
        finally:
            proving.cancel()

    async def _prove(self) -> None:
        """One round: a mark of what needs proof, then what confirms this mark or an earlier one."""
        needed = await self._store.run(lambda tx: tx.unproved())
        self._watermark.mark(self._clock(), needed)
        if not self._watermark.waits:
            return
        others = await self._report()
        confirmed = self._watermark.settled(self._clock(), others)
        if self._exact and self._buffer.empty():
            asked = self._clock()
            with contextlib.suppress(Unreachable):  # a receive fails as well, and says so
                if await self._queue.count() == 0:
                    confirmed |= self._watermark.emptied(asked)
        if confirmed:
            await self._store.run(lambda tx: tx.prove(confirmed))

    async def _report(self, *, ended: bool = False) -> Sequence[Observer]:
        """Tells the other observers of this queue how far this one is. Returns how far they are."""
        now = self._clock()
        self._reported = True
        live, stored = now - self._watermark.live_since, now - self._watermark.stored_before(now)

        async def work(tx: Transaction) -> Sequence[tuple[float, float, float, bool]]:
            return await tx.report_observer(self._queue.name, self._observer, live, stored, ended=ended)

        return [
            Observer(now - beat, now - live_since, now - stored_before, gone)
            for beat, live_since, stored_before, gone in await self._store.run(work)
        ]


async def _nothing(tx: Transaction) -> None:
    await tx.known({}, set(), set())


async def _cancel(tasks: Sequence[asyncio.Task[None]] | Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
