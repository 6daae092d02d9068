"""HTTP/1.1 on httptools: parses bytes into Requests, calls the app, and writes Responses in the order of the requests,
also for pipelined requests. It is independent of SES. A request that cannot be parsed, is too large or does not arrive in time
gets a 4xx and the connection is closed. Its head is counted as it arrives, so that a header without an end is refused too. A
slow response delays only its own connection."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
import msgspec

log = logging.getLogger("seslocal")

MAX_URL: Final = 16 * 1024  # bytes
MAX_HEAD: Final = 32 * 1024  # bytes of request line and headers together; SDKs send less than 4 KB
MAX_HEADERS: Final = 100
MAX_BODY: Final = 64 * 1024 * 1024  # bytes; SES allows 40 MB of message, plus JSON and base64 overhead
MAX_PIPELINED: Final = 64  # requests read ahead on one connection


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = 1000  #: open ones of one client address
    head_seconds: float = 10.0  #: from the first byte of a request to the end of its headers
    body_seconds: float = 60.0  #: from there to the end of the request


class Request(msgspec.Struct):
    method: str
    path: str  #: as sent, still percent-encoded
    query: str  #: as sent
    headers: dict[str, str]  #: names in lower case, values stripped
    body: bytes
    peer: str  #: the client's address
    keep_alive: bool


class Response(msgspec.Struct, frozen=True):
    status: int
    body: bytes = b""
    kind: str = "application/json"  #: the Content-Type
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False  #: close after this response, with `Connection: close`
    hang_up: bool = False  #: close without writing a response


HANG_UP: Final = Response(0, hang_up=True)
App = Callable[[Request], "Response | Awaitable[Response]"]

_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}
_CLOSE: Final = "Connection: close\r\n"
_MALFORMED: Final = "MalformedHttpRequestException"
_LATE: Final = (
    1.0  # seconds; if a deadline is noticed later than that, this process was late and not the client
)
_LINGER: Final = 1.0  # seconds
_MOST_DISCARDED: Final = 1024 * 1024  # bytes


@lru_cache(512)
def _key(name: bytes) -> str:
    """Cached: clients use few distinct names."""
    return name.decode("latin-1").lower()


class Connections(set["Connection"]):
    """The open connections of a server, counted by client address."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self._by_peer: dict[str, int] = {}

    @property
    def addresses(self) -> int:
        """Number of client addresses with open connections."""
        return len(self._by_peer)

    def admit(self, connection: Connection, peer: str) -> bool:
        """Adds it. Returns False if the address has as many connections as it may."""
        count = self._by_peer.get(peer, 0)
        if count >= self.limits.connections:
            return False
        self._by_peer[peer] = count + 1
        self.add(connection)
        return True

    def release(self, connection: Connection, peer: str) -> None:
        if connection not in self:
            return
        self.remove(connection)
        self._by_peer[peer] -= 1
        if not self._by_peer[peer]:
            del self._by_peer[peer]


class Connection(asyncio.Protocol):
    """One client connection. `connections` are the server's open connections, with the limits. `after_response` is called after
    each response that leaves the connection idle. `date` returns the Date header line."""

    def __init__(
        self,
        app: App,
        connections: Connections,
        after_response: Callable[[Connection, Request], None],
        date: Callable[[], str],
    ) -> None:
        self._app = app
        self._connections = connections
        self._after_response = after_response
        self._date = date
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: deque[Request | Response] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = True
        self._refused = False
        self._responding = False
        self._reading = True
        self._peer = ""
        self._phase = ""  #: what of a request has arrived in part: "headers", "body" or nothing
        self._due = 0.0  #: when that has to be complete, in the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._advanced = False  #: whether the bytes just read had a part of a body or the end of a request
        self._unfinished = 0  #: bytes since then, of the request that arrives
        self._discarded = 0  #: bytes read after it was refused
        self._reset()

    @property
    def idle(self) -> bool:
        """Whether it is open and every request has been answered."""
        is_working = self._task is not None or self._waiting or self._in_request or self._responding
        return not is_working and not self._refused

    def close(self) -> None:
        if self._transport is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self._transport.close()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        if not self._connections.admit(self, self._peer):
            most = self._connections.limits.connections
            sentence = f"{self._peer} has {most:,} open connections already, which is the limit."
            self._refuse(429, sentence, "TooManyRequestsException", ("Retry-After", "1"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.release(self, self._peer)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._work()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._discarded += len(data)
            if self._discarded > _MOST_DISCARDED:
                self._transport.close()
            return
        self._advanced = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "This server does not upgrade connections.")
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")
        if self._in_request and not self._refused:
            self._count_unfinished(len(data))

    def _count_unfinished(self, size: int) -> None:
        """Called after each read that ends within a request. Headers are reported when they are complete, so the bytes of the one
        that arrives are counted here; those of a trailer or of a chunk's extension too."""
        if self._advanced:
            self._unfinished = (
                0  # which of these bytes belong to what follows is not known; one read is bounded
            )
        else:
            self._unfinished += size
            if self._unfinished > MAX_HEAD:
                self._refuse(431, "The head of the request is larger than 32 KB.")
                return
        phase = "body" if self._has_head else "headers"
        if self._phase != phase:
            self._phase = phase
            self._extend(self._seconds())

    def _seconds(self) -> float:
        limits = self._connections.limits
        return limits.body_seconds if self._phase == "body" else limits.head_seconds

    def _extend(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + seconds
        if self._timer is None:
            self._timer = loop.call_at(self._due, self._check_due)

    def _check_due(self) -> None:
        """The timer is not moved with every request: it looks here whether there is a deadline, and when."""
        self._timer = None
        if not self._phase or self._refused:
            return
        loop = asyncio.get_running_loop()
        late = loop.time() - self._due
        if late < 0:
            self._timer = loop.call_at(self._due, self._check_due)
        elif self._waiting or self._task is not None or not self._reading:
            self._extend(
                self._seconds()
            )  # earlier requests are not answered yet: the client may be waiting for that
        elif late > _LATE:
            self._extend(_LATE)  # the process was stopped or busy: first read what has arrived
        else:
            sentence = f"The {self._phase} of the request did not arrive within {self._seconds():g} seconds."
            self._refuse(408, sentence, "RequestTimeoutException")

    # httptools

    def on_message_begin(self) -> None:
        self._reset()
        self._in_request = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if len(self._url) > MAX_URL:
            self._refuse(414, "The URL is longer than 16 KB.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        self._header_count += 1
        if self._head_bytes > MAX_HEAD or self._header_count > MAX_HEADERS:
            what = "has more than 100 headers" if self._header_count > MAX_HEADERS else "is larger than 32 KB"
            self._refuse(431, f"The head of the request {what}.")
            return
        key, text = _key(name), value.decode("latin-1").strip(" \t")
        if key in self._headers:
            self._repeated.setdefault(key, [self._headers[key]]).append(text)
        else:
            self._headers[key] = text

    def on_headers_complete(self) -> None:
        self._has_head = True
        expects = self._headers.get("expect", "").lower() == "100-continue"
        # After unanswered requests it must not overtake their responses; the client sends the body after a while anyway.
        if expects and not self._refused and self._task is None and not self._waiting:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._advanced = True
        if self._body_bytes > MAX_BODY:
            self._refuse(413, "The body is larger than 64 MB.")
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._in_request = False
        self._advanced = True
        self._phase = ""
        if self._refused:
            return
        for name, values in self._repeated.items():  # repeated headers mean a list, also in a signature
            self._headers[name] = ",".join(values)
        path, _, query = self._url.decode("latin-1").partition("?")
        self._waiting.append(
            Request(
                method=self._parser.get_method().decode("latin-1"),
                path=path,
                query=query,
                headers=self._headers,
                body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
                peer=self._peer,
                keep_alive=self._parser.should_keep_alive(),
            )
        )
        if self._reading and len(self._waiting) > MAX_PIPELINED:
            self._reading = False
            self._transport.pause_reading()
        self._work()

    # responses

    def _reset(self) -> None:
        self._in_request = False
        self._has_head = False
        self._unfinished = 0
        self._url = b""
        self._headers: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._head_bytes = 0
        self._header_count = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def _refuse(self, status: int, sentence: str, code: str = _MALFORMED, *headers: tuple[str, str]) -> None:
        if self._refused:
            return
        self._refused = True
        body = b'{"message":"' + sentence.replace("\\", "/").replace('"', "'").encode() + b'"}'
        self._waiting.append(
            Response(status, body, headers=(("x-amzn-ErrorType", code), *headers), close=True)
        )
        self._work()

    def _work(self) -> None:
        while self._waiting and self._task is None and self._writable and not self._transport.is_closing():
            request = self._waiting.popleft()
            if isinstance(request, Response):
                self._write(request, None)
                return
            self._responding = True
            response = self._app(request)
            self._responding = False
            if isinstance(response, Response):
                self._write(response, request)
            else:
                self._task = asyncio.get_running_loop().create_task(self._respond_late(response, request))
        if not self._reading and len(self._waiting) < MAX_PIPELINED // 2 and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    async def _respond_late(self, pending: Awaitable[Response], request: Request) -> None:
        try:
            response = await pending
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = HANG_UP
        self._task = None
        if not self._transport.is_closing():
            self._write(response, request)
            self._work()

    def _write(self, response: Response, request: Request | None) -> None:
        if response.hang_up:
            self._transport.close()
            return
        close = response.close or request is None or not request.keep_alive
        lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        head = (
            f"{_STATUS_LINES[response.status]}{self._date()}Content-Type: {response.kind}\r\n"
            f"Content-Length: {len(response.body)}\r\n{lines}{_CLOSE if close else ''}\r\n"
        )
        body = b"" if request is not None and request.method == "HEAD" else response.body
        self._transport.write(head.encode() + body)
        if request is None:
            self._linger()
        elif close:
            self._transport.close()
        else:
            self._after_response(self, request)

    def _linger(self) -> None:
        """Closes a connection whose client may still be sending. If it were closed at once, the system would answer those bytes
        with a reset, and the client would not see the response."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_LINGER, self._transport.close)
