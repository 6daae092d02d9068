"""HTTP/1.1 POSTs over asyncio and httptools, for the calls that are made for every mail.

Implements `transport.Transport` at a quarter of aiohttp's cost (docs/decisions/007). A connection carries one call at a time, and
is closed instead of reused after anything unexpected.
"""

import asyncio
import functools
import math
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

from mailcordon.adapters.ses.transport import (
    CONNECT_SECONDS,
    KEEP_ALIVE_SECONDS,
    LONGEST_BODY,
    Ambiguous,
    CallFailed,
    Done,
    NotSent,
    Response,
    Withdrawn,
)
from mailcordon.messages import reasons

_SLOWEST = 4 * 1024 * 1024  #: bytes a second, at which a large body is still sent in time
_ONE_WRITE = 64 * 1024  #: bytes; below this a copy is cheaper than two writes
_TICK = 0.001  #: seconds; timers of the loop may be early by so much


class HttptoolsTransport:
    """A pool of connections to one endpoint. Must be made inside the running event loop."""

    def __init__(
        self,
        endpoint: str,
        *,
        answer_seconds: float = 30.0,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`answer_seconds`: time limit of a call once connected; large bodies have more. The caller limits the number of
        concurrent calls.

        `tls`: for an https endpoint with a certificate that the system does not trust.
        """
        parts = urlsplit(endpoint)
        assert parts.hostname is not None, f"{endpoint} names no host"
        secure = parts.scheme == "https"
        self._address = parts.hostname
        self._port = parts.port or (443 if secure else 80)
        #: The Host header, which the signature covers.
        self.host = parts.netloc.rpartition("@")[2]
        if parts.port == (443 if secure else 80):
            self.host = self.host.rpartition(":")[0]
        self._tls = (tls or ssl.create_default_context()) if secure else None
        self._answer_seconds = answer_seconds
        self._keep_alive = keep_alive_seconds
        self._loop = asyncio.get_running_loop()
        self._idle: list[_Connection] = []  #: last in, first out, so that the others age
        self._all: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None  #: one timer for the time limits of all calls
        self._watched = math.inf  #: when it is due

    @property
    def has_free(self) -> bool:
        return bool(self._idle)

    def start(self, path: str, body: bytes, lines: bytes, done: Done) -> bool:
        connection = self._take_idle()
        if connection is None:
            return False
        head = b"POST %b HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n" % (path.encode(), lines, len(body))
        connection.start(head, body, self._answer_seconds + len(body) / _SLOWEST, done)
        return True

    async def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        permitted: Callable[[], bool] | None = None,
    ) -> Response:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        host = "" if "host" in headers else f"host: {self.host}\r\n"
        head = f"POST {path} HTTP/1.1\r\n{lines}{host}content-length: {len(body)}\r\n\r\n".encode()
        connection = self._take_idle()
        if connection is None:
            connection = await self._connect()
            if permitted is not None and not permitted():
                connection.reusable = True
                self._keep_idle(connection)
                raise Withdrawn(reasons.withdrawn_before_call())
        answer: asyncio.Future[Response] = self._loop.create_future()
        try:
            seconds = self._answer_seconds + len(body) / _SLOWEST
            connection.start(head, body, seconds, functools.partial(_settle, answer))
            return await answer
        except BaseException:
            if not answer.done() or answer.cancelled():  # else the connection may carry another call by now
                connection.close()
            raise

    async def close(self) -> None:
        for timer in (self._sweep, self._watch):
            if timer is not None:
                timer.cancel()
        ending = [connection.closed for connection in self._all]
        for connection in list(self._all):
            connection.close()
        if ending:
            await asyncio.wait(ending, timeout=2)

    def _take_idle(self) -> "_Connection | None":
        oldest = self._loop.time() - self._keep_alive
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.since > oldest and connection.is_open:
                return connection
            connection.close()
        return None

    def watch(self, deadline: float) -> None:
        """A call ends by then, by the loop's clock."""
        if deadline < self._watched:
            if self._watch is not None:
                self._watch.cancel()
            self._watched = deadline
            self._watch = self._loop.call_at(deadline, self._end_late)

    def _end_late(self) -> None:
        self._watched = math.inf
        due = self._loop.time() + _TICK
        for connection in list(self._all):
            if connection.deadline <= due:
                connection.time_out()
        self.watch(min((connection.deadline for connection in self._all), default=math.inf))

    def ended(self, connection: "_Connection") -> None:
        """Its call has a complete answer."""
        if connection.reusable:
            self._keep_idle(connection)
        else:
            connection.close()

    def _keep_idle(self, connection: "_Connection") -> None:
        connection.since = self._loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keep_alive, self._close_old)

    def _close_old(self) -> None:
        oldest = self._loop.time() - self._keep_alive
        kept: list[_Connection] = []
        for connection in self._idle:
            if connection.reusable and connection.since > oldest:
                kept.append(connection)
            else:
                connection.close()
        self._idle = kept
        # The next sweep is due when the oldest remaining connection expires.
        wait = min((connection.since for connection in kept), default=None)
        self._sweep = None if wait is None else self._loop.call_at(wait + self._keep_alive, self._close_old)

    async def _connect(self) -> "_Connection":
        name = self._address if self._tls is not None else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self._loop.create_connection(
                    lambda: _Connection(self, self._loop, self._all),
                    self._address,
                    self._port,
                    ssl=self._tls,
                    server_hostname=name,
                )
        except Exception as error:  # not only OSError: a host name that cannot be encoded, a fault in TLS
            raise NotSent(reasons.no_connection(self.host, _in_words(error))) from error
        return connection


def _in_words(error: Exception) -> str:
    """Why there is no connection. asyncio's own text has the address in front."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no response in time"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or "no response"


def _settle(answer: asyncio.Future[Response], outcome: Response | CallFailed) -> None:
    if answer.done():
        return  # its caller was cancelled
    if isinstance(outcome, CallFailed):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class _Headers(Mapping[str, str]):
    """Headers, decoded only when they are read: most never are."""

    __slots__ = ("_raw", "_text")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._text: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._text is None:
            self._text = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._raw
            }
        return self._text

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class _Connection(asyncio.Protocol):
    def __init__(
        self, pool: HttptoolsTransport, loop: asyncio.AbstractEventLoop, all: set["_Connection"]
    ) -> None:
        self._pool = pool
        self._loop = loop
        self._all = all
        self._transport: asyncio.Transport | None = None
        self._done: Done | None = None  #: of the call whose answer is not complete
        self._answer: Response | None = None  #: complete, while the rest of what came with it is read
        self._seconds = 0.0
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)
        self.deadline = math.inf  #: the loop's time when its call is given up
        self.since = 0.0  #: the loop's time when it became idle
        self.reusable = False
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def start(self, head: bytes, body: bytes, seconds: float, done: Done) -> None:
        """`done` is called once, and not if this raises, e.g. NotSent."""
        if self._transport is None or self._transport.is_closing():
            raise NotSent(reasons.connection_ended_before_call())
        self._done, self._seconds, self.reusable = done, seconds, False
        self.deadline = self._loop.time() + seconds
        self._pool.watch(self.deadline)
        try:
            if len(body) < _ONE_WRITE:
                self._transport.write(head + body)
            else:
                self._transport.writelines((head, body))
        except BaseException:
            self._done = None
            self.close()
            raise

    def time_out(self) -> None:
        self._fail(reasons.no_response_within(f"{self._seconds:g} s"))

    def _fail(self, why: str) -> None:
        done, self._done = self._done, None
        self.deadline = math.inf
        self.close()
        if done is not None:
            done(Ambiguous(why))

    # asyncio calls these ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio's class, so an assert is not possible.
        self._transport = cast(asyncio.Transport, transport)
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        if self._done is None:
            # Unexpected data: it could be mistaken for the response to the next call.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._answer is None:
                self._fail(reasons.response_not_http(str(error)))
                return
            self.reusable = False  # what follows the answer is no HTTP
        answer, done = self._answer, self._done
        if answer is None or done is None:
            return
        # Not before all of the data is read: whoever is told may begin the next call on this connection.
        self._answer, self._done, self.deadline = None, None, math.inf
        self._pool.ended(self)
        done(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._all.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)
        self._fail(reasons.connection_ended_in_call(_in_words(exc) if isinstance(exc, OSError) else ""))

    # httptools calls these --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is not None:
            self.reusable = False  # a second answer to one call
        self._headers, self._chunks, self._size = [], [], 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._answer is not None:
            return
        if self._size > LONGEST_BODY:
            self._fail(reasons.response_too_long(LONGEST_BODY))
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._answer is not None or self._done is None:
            return  # informational responses such as `100 Continue` precede the answer
        self.reusable = self._parser.should_keep_alive() and self._transport is not None
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._answer = Response(status, _Headers(self._headers), body)
