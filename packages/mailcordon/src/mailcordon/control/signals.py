"""Reads SES's management events, and makes what they name looked at again at once (hints.py).

The queue is best effort at every step: while it or the database is away, events wait in it, and what never arrives is found by
the rolling check. A flood of events about one resource causes one look in `LOOK_EVERY` seconds, and the last event is never
left without a look after it.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from mailcordon.control import hints
from mailcordon.control.hints import Call, Hint, Place
from mailcordon.control.work import Work
from mailcordon.core.clock import host_ms
from mailcordon.core.errors import Invalid
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.queue import Queue, Received
from mailcordon.core.ungoverned import SentCall
from mailcordon.messages import queues

LOOK_EVERY = 5.0  #: seconds between two looks at one resource; a change is found within ten
MOST_PLACES = 10_000  #: whose last look is remembered
#: Looks of one minute that are urgent, if calls are limited: as many as the urgent share is sure to carry. Somebody who tags ten
#: thousand resources must not keep a repair waiting.
URGENT_PER_MINUTE = 20
PURGE_EVERY = 3_600.0  #: seconds
FIRST_PAUSE = 0.5  #: seconds until the first retry; doubled up to LONGEST_PAUSE
LONGEST_PAUSE = 30.0
ADVICE = "Advisor Recommendation"  #: how the types of events about SES's own findings begin (ses.md 1.8)
MALFORMED = "malformed"
NOT_STORED = "not stored"

_LOG = logging.getLogger(__name__)


class SentCalls(Protocol):
    async def take(self, calls: Sequence[SentCall]) -> Mapping[str, int]:
        """Counts calls that sent mail. Returns how many of each kind."""
        ...


class HintStore(Protocol):
    async def record(self, hints: Sequence[Hint]) -> None:
        """Stores each that is not stored yet. Raises Invalid if the database cannot store one of them."""
        ...

    async def look(self, places: Sequence[Place], *, in_seconds: float, work: Work) -> Place | None:
        """Makes the first place that is a resource of ours due. None: none is."""
        ...

    async def purge(self) -> int:
        """Deletes what is too old or too much. Returns how many."""
        ...


@dataclass(slots=True)
class SignalFacts:
    """What this process knows of the queue (app/heartbeat.py). Times are milliseconds since 1970, of this host's clock."""

    name: str
    last_receive: int | None = None  #: the last answer of the queue, with messages or without
    last_event: int | None = None
    problem: str | None = None  #: why it does not receive
    looks: int = 0  #: how often a resource was made due
    counted: Counter[str] = field(default_factory=Counter[str])  #: events by verdict

    def document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "last_receive": self.last_receive,
            "last_event": self.last_event,
            "problem": self.problem,
            "looks": self.looks,
            "events": dict(self.counted),
        }


class Signals:
    def __init__(
        self,
        queue: Queue,
        store: HintStore,
        decode: Callable[[str], Call | SentCall | None],
        *,
        cell: str,
        sent: "SentCalls | None" = None,
        urgent_per_minute: int | None = None,
        advised: Callable[[], None] = lambda: None,
        told: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`urgent_per_minute` None: every look is urgent. `advised` is called when SES tells of a finding of its own,
        `told` after anything was stored. `sent`:
        what to do with calls that sent mail; None: nothing."""
        self._advised = advised
        self._told = told
        self._queue = queue
        self._store = store
        self._decode = decode
        self._sent = sent
        self._cell = cell
        self._clock = clock
        self._urgent_per_minute = urgent_per_minute
        self._urgent = deque[float]()  #: when looks became urgent, in the last minute
        self._looked: dict[tuple[Place, ...], float] = {}  #: when they are looked at last, or will be
        self._warnings = LogLimit()
        self.facts = SignalFacts(queue.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set. Never raises: without it the rolling check finds the same, later."""
        reading = asyncio.create_task(self._read_all(), name="read SES's management events")
        purging = asyncio.create_task(self._purge_all(), name="purge hints")
        await stop.wait()
        for task in (reading, purging):
            task.cancel()
        await asyncio.gather(reading, purging, return_exceptions=True)

    async def read(self, *, wait: bool = True) -> int:
        """One receive. Returns how many messages came. Raises Unreachable, or what the database does."""
        received = await self._queue.receive(wait=wait)
        self.facts.last_receive, self.facts.problem = host_ms(), None
        if received:
            await self.take(received)
            self._told()
            await self._queue.delete([message.receipt for message in received])
            self.facts.last_event = host_ms()
        return len(received)

    async def take(self, received: Sequence[Received]) -> None:
        """Stores the hints of these messages and makes due what they name."""
        now = datetime.now(UTC)
        named: dict[tuple[Place, ...], None] = {}
        found: list[Hint] = []
        sent: list[SentCall] = []
        for message in received:
            call = self._decode(message.body)
            if call is None:
                self.facts.counted[MALFORMED] += 1
                continue
            if isinstance(call, SentCall):
                sent.append(call)
                continue
            verdict, places = hints.judge(call, self._cell)
            self.facts.counted[verdict] += 1
            if call.event.startswith(ADVICE):
                self._advised()
            if call.says_who:
                found += [
                    Hint(event=call.event, place=place, by=call.by, at=call.at or now) for place in places
                ]
            if places:
                named[tuple(places)] = None
        await self._record(found)
        for places in named:
            await self._look(places)
        if sent and self._sent is not None:
            self.facts.counted.update(await self._sent.take(sent))

    async def _record(self, found: Sequence[Hint]) -> None:
        try:
            await self._store.record(found)
        except Invalid:  # one must not keep the others from being stored
            for hint in found:
                try:
                    await self._store.record([hint])
                except Invalid:
                    self.facts.counted[NOT_STORED] += 1

    async def _look(self, places: tuple[Place, ...]) -> None:
        now = self._clock()
        at = max(now, self._looked.get(places, now - LOOK_EVERY) + LOOK_EVERY)
        if at - now > LOOK_EVERY:
            return  # a look after this event is under way already
        while self._urgent and self._urgent[0] <= now - 60:
            self._urgent.popleft()
        most = self._urgent_per_minute
        work = Work.URGENT if most is None or len(self._urgent) < most else Work.REPAIR
        if await self._store.look(places, in_seconds=at - now, work=work) is not None:
            self.facts.looks += 1
            if work is Work.URGENT and most is not None:
                self._urgent.append(now)
        self._looked.pop(places, None)
        self._looked[places] = at
        while len(self._looked) > MOST_PLACES:
            del self._looked[next(iter(self._looked))]

    async def _read_all(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self.read()
            except Exception as error:
                await self._failed(error, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE

    async def _purge_all(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the database is away; the next hour will do
                await self._store.purge()
            await asyncio.sleep(PURGE_EVERY)

    async def _failed(self, error: Exception, pause: float) -> None:
        self.facts.problem = str(error) or type(error).__name__
        if self._warnings.count(self.facts.problem) is not None:
            _LOG.warning(queues.management_not_read(why=self.facts.problem))
            _LOG.debug("traceback", exc_info=True)
        await asyncio.sleep(pause)
