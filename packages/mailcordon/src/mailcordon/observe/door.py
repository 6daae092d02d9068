"""Events that are pushed to us, instead of being read from a queue: what a door must find out, and how they are stored.

What is pushed at the same time is stored in one transaction, and each caller has its answer after the commit. Nothing here
proves how far events are read: what did not come yet is in nobody's queue that could be counted, so a Send event from a door
settles its own mail and says nothing of the absence of another one (docs/decisions/040).
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.clock import host_ms
from mailcordon.core.errors import Unavailable
from mailcordon.core.queue import Unreachable
from mailcordon.messages import event_doors as messages
from mailcordon.observe.batches import Batches
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import Decoded, Store, Undecided

BATCH = 500  #: events of one transaction
GATHER = 0.02  #: seconds in which events of several callers gather
MOST_WAITING = 60_000  #: events that are decoded and not stored yet; a batch of Firehose has fewer
RETRY_AFTER = 2  #: seconds after which a caller may try again

_log = logging.getLogger("mailcordon.events")

Body = str | bytes


# What SNS sends -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pushed:
    """A notification that is proved."""

    decoded: Decoded
    topic: str
    at: int  #: milliseconds since 1970, by SNS


@dataclass(frozen=True, slots=True)
class Asked:
    """SNS asks whether we want the messages of one of our topics. Proved."""

    topic: str
    token: str
    at: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """SNS says that our subscription was cancelled. Proved."""

    decoded: Decoded
    topic: str
    at: int


@dataclass(frozen=True, slots=True)
class NotBelieved:
    code: str  #: for counts: foreign-topic, not-signed, wrong-signature, too-old, raw-delivery, no-message
    why: str


Told = Pushed | Asked | Cancelled | NotBelieved | Undecided


class SnsMessages(Protocol):
    """Reads what is sent to the address of SNS, and decides whether SNS sent it."""

    def is_ours(self, topic: str) -> bool: ...

    def read(self, body: Body, now: int) -> Told:
        """`now`: milliseconds since 1970. Never raises."""
        ...

    async def fetch(self, certificates: Set[str]) -> None:
        """As `EventReader.fetch`."""
        ...


class Confirmer(Protocol):
    async def confirm(self, topic: str, token: str) -> None:
        """Tells SNS that the subscription is wanted. Raises Unreachable if SNS does not say that it took it."""
        ...


class Subscriptions(Protocol):
    """What is known of our subscriptions (`event_subscription`). Of several messages the newest counts."""

    async def confirmed(self, topic: str, at: int) -> None: ...

    async def ended(self, topic: str, at: int) -> None: ...

    async def heard(self, topic: str, at: int) -> None: ...


# Storing --------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DoorTotals:
    """Of one process since its start."""

    taken: Counter[str] = field(default_factory=Counter[str])  #: events that were stored, by door
    refused: Counter[str] = field(default_factory=Counter[str])  #: requests, by the code of `NotBelieved`
    last_event: int | None = None  #: milliseconds since 1970
    last_refusal: int | None = None

    def refuse(self, code: str) -> None:
        self.refused[code] += 1
        self.last_refusal = host_ms()

    def document(self) -> dict[str, object]:
        return {
            "event_doors": {
                "taken": dict(self.taken),
                "refused": dict(self.refused),
                "last_event": self.last_event,
                "last_refusal": self.last_refusal,
            }
        }


class _Request:
    """The events of one caller."""

    __slots__ = ("done", "left", "lost")

    def __init__(self, events: int) -> None:
        self.left = events
        self.lost = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self) -> None:
        self.left -= 1
        if not self.left and not self.done.done():
            if self.lost:
                self.done.set_exception(Unavailable(messages.not_stored(), retry_after=RETRY_AFTER))
            else:
                self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Door:
    """One door: `name` is its source in quarantine. `run` must run while `take` is called."""

    def __init__(self, name: str, store: Store, ingest: Ingest, totals: DoorTotals) -> None:
        self.name = name
        self._batches = Batches(store, ingest, name, proves=False)
        self._totals = totals
        self._waiting: deque[tuple[Decoded, Body, _Request]] = deque()
        self._some = asyncio.Event()
        self._has_ended = False

    async def take(self, decoded: Sequence[Decoded], bodies: Sequence[Body]) -> None:
        """Returns when all are committed. Raises Unavailable if one may not be: all of them can be sent again."""
        if not decoded:
            return
        if self._has_ended:
            raise Unavailable(messages.stopping(), retry_after=RETRY_AFTER)
        if self._waiting and len(self._waiting) + len(decoded) > MOST_WAITING:
            raise Unavailable(messages.too_many_events(MOST_WAITING), code="busy", retry_after=RETRY_AFTER)
        request = _Request(len(decoded))
        self._waiting.extend((one, body, request) for one, body in zip(decoded, bodies, strict=True))
        self._some.set()
        await request.done

    async def run(self) -> None:
        try:
            while True:
                await self._some.wait()
                if len(self._waiting) < BATCH:
                    await asyncio.sleep(GATHER)
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                if not self._waiting:
                    self._some.clear()
                # Whoever has gone or has failed sends all of it again.
                batch = [one for one in batch if not one[2].done.done()]
                if batch:
                    await self._store(batch)
        finally:
            self._has_ended = True
            self._fail_all(Unavailable(messages.stopping(), retry_after=RETRY_AFTER), [])

    async def _store(self, batch: list[tuple[Decoded, Body, _Request]]) -> None:
        def done(places: Sequence[int], report: Report) -> None:
            self._totals.taken[self.name] += len(places)
            self._totals.last_event = host_ms()
            for place in places:
                batch[place][2].settle()

        decoded, bodies = [one for one, _, _ in batch], [body for _, body, _ in batch]
        try:
            left = await self._batches.store(decoded, bodies, done)
        except Unreachable as error:
            self._fail_all(Unavailable(messages.database_away(str(error)), retry_after=RETRY_AFTER), batch)
        except Exception:
            # Whoever sent it sends it again, and must not end the process with that.
            _log.exception("a batch of %d could be neither stored nor quarantined", len(batch))
            for _, _, request in batch:
                request.fail(Unavailable(messages.not_stored(), retry_after=RETRY_AFTER))
        except BaseException:
            self._fail_all(Unavailable(messages.stopping(), retry_after=RETRY_AFTER), batch)
            raise
        else:
            for place in left:
                batch[place][2].lost += 1
                batch[place][2].settle()

    def _fail_all(self, error: Unavailable, batch: list[tuple[Decoded, Body, _Request]]) -> None:
        """Those that wait behind it are not tried: each try may wait for the database for seconds."""
        for _, _, request in (*batch, *self._waiting):
            request.fail(error)
        self._waiting.clear()
        self._some.clear()
