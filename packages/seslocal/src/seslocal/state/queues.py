"""SQS's standard queues, in memory. A received message is hidden until its visibility timeout ends, then returns unless
it was deleted with the handle of its latest receipt. A long poll waits for the first message without blocking other
callers. The operations are in `sqs/operations.py`."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from seslocal.clock import Clock
from seslocal.ids import Ids

DEFAULTS: Final = {
    "VisibilityTimeout": "30",  # seconds
    "MaximumMessageSize": "1048576",  # bytes
    "MessageRetentionPeriod": "345600",  # seconds; four days
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}


class Message(msgspec.Struct, eq=False):
    id: str
    body: str
    md5: str  #: of the body
    sent_at: float
    visible_at: float
    hidden: bool = False  #: in flight or delayed
    gone: bool = False  #: deleted; a queue may still have a stale reference
    receipts: int = 0  #: number of times it was received
    first_received_at: float = 0.0
    attributes: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    attributes_md5: str = ""
    system_attributes: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])

    @property
    def handle(self) -> str:
        return f"{self.id}#{self.receipts}"


class QueueRecorder(Protocol):
    """Is told of each change of a queue's messages, before the caller gets its response."""

    def put(self, queue: str, message: Message) -> None: ...

    def hidden(self, queue: str, message: Message) -> None:
        """It was received, or its visibility timeout was changed."""
        ...

    def removed(self, queue: str, message: Message) -> None: ...

    def emptied(self, queue: str) -> None: ...


class Queue:
    def __init__(
        self, name: str, arn: str, clock: Clock, ids: Ids, attributes: dict[str, str], most: int
    ) -> None:
        self.name = name
        self.arn = arn
        self.created_at = self.modified_at = clock.now()
        self.tags: dict[str, str] = {}
        self.deleted = False
        self.purged_at: float | None = None  #: the last PurgeQueue
        self.most = most  #: maximum number of messages
        self.dropped = 0  #: messages dropped because it was full
        self.recorder: QueueRecorder | None = None
        self.set_attributes(attributes)
        self.purge(clock)
        self._clock = clock
        self._ids = ids
        self._pushed = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        #: called with a message that was received too often; the account sets it from RedrivePolicy
        self.dead_letters: Callable[[], tuple[Queue, int] | None] = lambda: None

    @property
    def polls(self) -> int:
        """Number of long polls waiting for a message."""
        return len(self._waiters)

    def set_attributes(self, attributes: dict[str, str]) -> None:
        self.attributes: dict[str, str] = {**getattr(self, "attributes", DEFAULTS), **attributes}
        self.visibility = int(self.attributes["VisibilityTimeout"])
        self.retention = int(self.attributes["MessageRetentionPeriod"])
        self.delay = int(self.attributes["DelaySeconds"])
        self.wait = int(self.attributes["ReceiveMessageWaitTimeSeconds"])
        self.maximum_size = int(self.attributes["MaximumMessageSize"])

    def purge(self, clock: Clock) -> None:
        self.messages: dict[str, Message] = {}
        self.hidden = 0
        self._ready: deque[Message] = deque()
        self._returning: list[tuple[float, int, Message]] = []
        if self.recorder is not None:
            self.recorder.emptied(self.name)

    # in

    def put(self, body: str, delay: float = 0.0, attributes: dict[str, Any] | None = None) -> Message:
        now = self._clock.now()
        digest = hashlib.md5(body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        message = Message(self._ids.uuid(), body, digest, now, now + delay)
        if attributes:
            message.attributes = attributes
        self._place(message, delay)
        return message

    def restore(self, messages: list[Message]) -> None:
        """Adds the messages of an earlier run, in their order. Those in flight or delayed return at their `visible_at`."""
        for message in messages:
            hidden, message.hidden = message.hidden, False
            self.messages[message.id] = message
            if hidden:
                self._hide(message, message.visible_at)
            else:
                self._ready.append(message)

    def _place(self, message: Message, delay: float = 0.0) -> None:
        self.messages[message.id] = message
        if len(self.messages) > self.most:
            self._drop_oldest()
        if delay > 0:
            self._hide(message, self._clock.now() + delay)
        else:
            self._ready.append(message)
            self.wake()
        if self.recorder is not None:
            self.recorder.put(self.name, message)

    def _drop_oldest(self) -> None:
        """Nobody reads this queue or deletes what was read: drops the oldest message to bound memory."""
        self.remove(next(iter(self.messages.values())))
        self.dropped += 1
        while self._ready and self._ready[0].gone:
            self._ready.popleft()

    # out

    def take(self, limit: int, visibility: float | None) -> list[Message]:
        """Returns up to `limit` messages and hides them from now on."""
        now = self._clock.now()
        self._return_due(now)
        timeout = self.visibility if visibility is None else visibility
        taken: list[Message] = []
        while self._ready and len(taken) < limit:
            message = self._ready.popleft()
            if message.gone:
                continue
            if now - message.sent_at > self.retention:
                self.remove(message)
                continue
            if message.receipts and (target := self.dead_letters()) and message.receipts >= target[1]:
                self.remove(message)
                message.gone = False
                target[0]._place(message)
                continue
            message.receipts += 1
            message.first_received_at = message.first_received_at or now
            self._hide(message, now + timeout)
            if self.recorder is not None:
                self.recorder.hidden(self.name, message)
            taken.append(message)
        return taken

    async def wait_for_message(self, seconds: float) -> None:
        """Returns when there may be a message to take, after the timeout in real seconds (clients wait in real time), or
        when the queue is deleted."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        patience = loop.call_later(seconds, lambda: None if waiter.done() else waiter.set_result(None))
        if self._returning:
            self._clock.call_at(self._returning[0][0], self.wake)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.wake()  # this waiter was woken for a message that it will not take: wake the next
            raise
        finally:
            patience.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def wake(self, everybody: bool = False) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if not everybody:
                    return

    # by handle

    def find(self, handle: str) -> Message | None:
        """Returns the message of this handle, or None if it is not the handle of its latest receipt."""
        identity, _, receipt = handle.partition("#")
        message = self.messages.get(identity)
        return message if message and receipt == str(message.receipts) else None

    def remove(self, message: Message) -> None:
        message.gone = True
        if message.hidden:
            message.hidden = False
            self.hidden -= 1
        self.messages.pop(message.id, None)
        if self.recorder is not None:
            self.recorder.removed(self.name, message)

    def change_visibility(self, message: Message, seconds: float) -> None:
        self._hide(message, self._clock.now() + seconds)
        if self.recorder is not None:
            self.recorder.hidden(self.name, message)

    def counts(self) -> tuple[int, int, int]:
        """Returns the numbers of messages that are visible, in flight and delayed."""
        self._return_due(self._clock.now())
        delayed = 0
        if self.hidden:
            delayed = sum(1 for _, _, m in self._returning if m.hidden and not m.receipts and not m.gone)
        return len(self.messages) - self.hidden, self.hidden - delayed, delayed

    def _hide(self, message: Message, until: float) -> None:
        if not message.hidden:
            message.hidden = True
            self.hidden += 1
        message.visible_at = until
        self._pushed += 1
        heapq.heappush(self._returning, (until, self._pushed, message))
        if len(self._returning) > 2 * self.hidden + 100:
            self._forget_stale()
        if self._waiters:
            self._clock.call_at(until, self.wake)

    def _forget_stale(self) -> None:
        """Frees deleted messages, which would otherwise stay in memory until their timeout ends."""
        live = [entry for entry in self._returning if entry[2].hidden and entry[2].visible_at == entry[0]]
        heapq.heapify(live)
        self._returning = live

    def _return_due(self, now: float) -> None:
        while self._returning and self._returning[0][0] <= now:
            due, _, message = heapq.heappop(self._returning)
            if message.gone or not message.hidden or message.visible_at != due:
                continue  # deleted, or its timeout was changed meanwhile
            message.hidden = False
            self.hidden -= 1
            self._ready.append(message)


class Queues:
    """All queues of the account, by name."""

    def __init__(self, clock: Clock, ids: Ids, region: str, account_id: str, most: int = 200_000) -> None:
        self.by_name: dict[str, Queue] = {}
        self._clock = clock
        self._ids = ids
        self._arn = f"arn:aws:sqs:{region}:{account_id}:"
        self._most = most
        self._recorder: QueueRecorder | None = None

    def record(self, recorder: QueueRecorder) -> None:
        self._recorder = recorder
        for queue in self.by_name.values():
            queue.recorder = recorder

    def ensure(self, name: str, attributes: dict[str, str] | None = None) -> Queue:
        queue = self.by_name.get(name)
        if queue is None:
            queue = Queue(name, self._arn + name, self._clock, self._ids, attributes or {}, self._most)
            queue.recorder = self._recorder
            self.by_name[name] = queue
        return queue

    def delete(self, queue: Queue) -> None:
        self.by_name.pop(queue.name, None)
        queue.deleted = True
        if queue.recorder is not None:
            queue.recorder.emptied(queue.name)
        queue.wake(everybody=True)

    def wake_all(self) -> None:
        for queue in self.by_name.values():
            queue.wake(everybody=True)
