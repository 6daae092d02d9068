"""The load generator, a process of its own: mails at a steady pace whether or not answers come (an open loop), or as fast as
they are taken.

It reads one line of JSON, connects, prints `ready`, waits for another line, and hands in the mail. Then it prints one line of
JSON. An answer is late from the moment that its mail was due, not from the moment that a connection was free for it.
"""

import asyncio
import json
import resource
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import cast

import httptools
import uvloop

from bench import mail
from bench.load import LAST_ANSWER, BadAnswer
from bench.mail import Stream

_AGAIN = 0.25  #: seconds until a refused mail is tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    host: str
    port: int
    key: str
    streams: list[Stream]
    run: str  #: begins every recipient's address
    count: int
    per_second: int | None  #: None: each connection sends its next mail when the last one is answered
    connections: int
    unanswered: int  #: requests at a time; further mails wait and their answers are late
    ahead: bool = True  #: build all requests before the clock starts
    #: Seconds after which no more mail is begun. What was refused for the moment (429, 503) is tried again, so the mails that
    #: were handed in are the first `handed_in` of the order. None: all mail, and a refusal voids the run.
    seconds: float | None = None


@dataclass(slots=True)
class Done:
    handed_in: int = 0  #: mails
    queued: int = 0  #: answers that say so
    refused: int = 0  #: answers that said "not now"
    latencies: list[float] = field(default_factory=list[float])  #: seconds, from due to answered
    handed: dict[str, float] = field(
        default_factory=dict[str, float]
    )  #: when each mail was written, in seconds since 1970
    seconds: float = 0.0  #: from the first mail due to the last answer
    cpu_seconds: float = 0.0  #: of this process meanwhile


class _Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._number = -1
        self._due = 0.0

    def send(self, request: bytes, number: int, due: float) -> None:
        assert self._transport is not None
        self._number, self._due = number, due
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none of asyncio's

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.failed("a connection ended during the run")

    # httptools' side

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        self._body.clear()
        status = self._parser.get_status_code()
        if status == 202:
            self._load.answered(self, body, self._due)
        elif status in (429, 503):
            self._load.refused(self, self._number, self._due, body)
        else:
            self._load.failed(f"answered {status}: {body[:500].decode(errors='replace')}")


class Load:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = [self._request(number) for number in range(order.count)] if order.ahead else None
        self._connections: list[_Connection] = []
        self._free: deque[_Connection] = deque()
        self._waiting: deque[tuple[int, float]] = deque()
        self._open = 0
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = order.count
        self.done = Done()

    def _to(self, number: int) -> str:
        return f"{self._order.run}-{number}@inbox{number % 7}.example"  # as mail.recipients

    def _request(self, number: int) -> bytes:
        order = self._order
        stream = order.streams[number % len(order.streams)]
        return mail.request(stream, self._to(number), order.key, f"{order.host}:{order.port}")

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(min(self._order.connections, self._order.count)):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), self._order.host, self._order.port
            )
            self._connections.append(connection)
        self._free.extend(self._connections)

    async def run(self) -> None:
        began, cpu = time.perf_counter(), _cpu()
        pace = self._order.per_second
        for number in range(self._order.count):
            due = began if pace is None else began + number / pace
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            over = self._order.seconds is not None and time.perf_counter() - began >= self._order.seconds
            if over or self._finished.done():
                break
            self._hand_in(number, due)
        if self._order.seconds is not None:
            self._begin_no_more()
        try:
            async with asyncio.timeout(LAST_ANSWER + self._order.count / 500):
                await self._finished
        except TimeoutError:
            raise BadAnswer(f"{self._left} answers did not come") from None
        self.done.seconds = time.perf_counter() - began
        self.done.cpu_seconds = _cpu() - cpu

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _begin_no_more(self) -> None:
        self._waiting = deque(one for one in self._waiting if one[0] < self.done.handed_in)
        self._left -= self._order.count - self.done.handed_in
        self._end()

    def _hand_in(self, number: int, due: float) -> None:
        if not self._free or self._open >= self._order.unanswered:
            self._waiting.append((number, due))
            return
        self._open += 1
        self.done.handed_in = max(self.done.handed_in, number + 1)
        request = self._requests[number] if self._requests is not None else self._request(number)
        if self._requests is not None:  # a sustained run has too many mails to keep
            self.done.handed[self._to(number)] = time.time()
        if self._order.per_second is None:
            due = time.perf_counter()
        self._free.popleft().send(request, number, due)

    def answered(self, connection: _Connection, body: bytes, due: float) -> None:
        self.done.latencies.append(time.perf_counter() - due)
        self.done.queued += b'"state":"queued"' in body
        self._left -= 1
        self._released(connection)
        self._end()

    def refused(self, connection: _Connection, number: int, due: float, why: bytes) -> None:
        if self._order.seconds is None:
            self.failed(f"refused: {why[:500].decode(errors='replace')}")
            return
        self.done.refused += 1
        asyncio.get_running_loop().call_later(_AGAIN, self._hand_in, number, due)
        self._released(connection)

    def _released(self, connection: _Connection) -> None:
        self._open -= 1
        self._free.append(connection)
        if self._waiting:
            self._hand_in(*self._waiting.popleft())

    def _end(self) -> None:
        if not self._left and not self._finished.done():
            self._finished.set_result(None)

    def failed(self, why: str) -> None:
        if not self._finished.done():
            self._finished.set_exception(BadAnswer(why))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main() -> int:
    given = json.loads(sys.stdin.readline())
    order = Order(**given | {"streams": [Stream(**one) for one in given["streams"]]})
    load = Load(order)
    await load.connect()
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        await load.run()
    except BadAnswer as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    load.close()
    print(json.dumps(asdict(load.done)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
