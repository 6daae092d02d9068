"""A cheap load generator: many keep-alive connections, each with one open request, on bare sockets.

Requests are built before the clock starts and responses parsed after it stops, so that the generator leaves the cores to what is
measured. A response other than the expected one voids the run.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

LAST_ANSWER = 30.0  #: seconds that requests under way may take once no more are sent


class BadAnswer(Exception):
    """A response is not the expected one."""


@dataclass(slots=True)
class Run:
    """The responses."""

    answers: list[bytes] = field(default_factory=list[bytes])  #: bodies, in order of arrival
    latencies: list[float] = field(default_factory=list[float])  #: seconds, request to answer


async def run(
    host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float, *, status: int = 202
) -> Run:
    """Sends the requests in turn, each connection one at a time, until they are all answered or `seconds` are over."""
    done = Run()
    supply = iter(requests)
    deadline = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    callers = [_Caller(supply, done, deadline, status) for _ in range(min(connections, len(requests)))]
    await asyncio.gather(*(loop.create_connection(lambda c=c: c, host, port) for c in callers))
    try:
        async with asyncio.timeout(seconds + LAST_ANSWER):
            await asyncio.gather(*(caller.finished for caller in callers))
    except TimeoutError:
        raise BadAnswer(f"an answer did not come within {LAST_ANSWER:.0f} s") from None
    finally:
        for caller in callers:
            caller.close()
    return done


class _Caller(asyncio.Protocol):
    def __init__(self, supply: Iterator[bytes], done: Run, deadline: float, status: int) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supply = supply
        self._done = done
        self._deadline = deadline
        self._status = status  #: that is expected
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._began = 0.0

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none of asyncio's
        self._next()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(BadAnswer("a connection ended with a request under way"))

    # httptools' side

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        body = b"".join(self._body)
        self._body.clear()
        status = self._parser.get_status_code()
        if status != self._status:
            if not self.finished.done():
                self.finished.set_exception(
                    BadAnswer(f"answered {status}: {body[:500].decode(errors='replace')}")
                )
            return
        self._done.answers.append(body)
        self._done.latencies.append(now - self._began)
        self._next()

    def _next(self) -> None:
        now = time.perf_counter()
        request = next(self._supply, None) if now < self._deadline else None
        if request is None:
            if not self.finished.done():
                self.finished.set_result(None)
            return
        assert self._transport is not None
        self._began = now
        self._transport.write(request)
