"""HTTP/1.1 on httptools: parses bytes into Requests, calls the app, and writes Responses in the order of the requests,
also for pipelined requests. It is independent of SES. A request that cannot be parsed or is too large gets a 4xx and
the connection is closed. A slow response delays only its own connection."""

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

log = logging.getLogger("seslocal")

MAX_URL: Final = 16 * 1024  # bytes
MAX_HEADERS: Final = 64 * 1024  # bytes, all of them together
MAX_BODY: Final = 64 * 1024 * 1024  # bytes; SES allows 40 MB of message, plus JSON and base64 overhead
MAX_PIPELINED: Final = 64  # requests read ahead on one connection


@dataclass(slots=True)
class Request:
    method: str
    path: str  #: as sent, still percent-encoded
    query: str  #: as sent
    headers: dict[str, str]  #: names in lower case, values stripped
    body: bytes
    peer: str  #: the client's address
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Response:
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


@lru_cache(512)
def _key(name: bytes) -> str:
    """Cached: clients use few distinct names."""
    return name.decode("latin-1").lower()


class Connection(asyncio.Protocol):
    """One client connection. `connections` is the server's set of open connections. `after_response` is called after each
    response that leaves the connection idle. `date` returns the Date header line."""

    def __init__(
        self,
        app: App,
        connections: set[Connection],
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
        self._reset()

    @property
    def idle(self) -> bool:
        """Whether it is open and every request has been answered."""
        return self._task is None and not self._waiting and not self._in_request and not self._responding

    def close(self) -> None:
        if self._transport is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self._transport.close()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._work()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "This server does not upgrade connections.")
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")

    # httptools

    def on_message_begin(self) -> None:
        self._reset()
        self._in_request = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > MAX_URL:
            self._refuse(414, "The URL is longer than 16 KB.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADERS:
            self._refuse(431, "The headers are larger than 64 KB.")
            return
        key, text = _key(name), value.decode("latin-1").strip(" \t")
        if key in self._headers:
            self._repeated.setdefault(key, [self._headers[key]]).append(text)
        else:
            self._headers[key] = text

    def on_headers_complete(self) -> None:
        expects = self._headers.get("expect", "").lower() == "100-continue"
        # After unanswered requests it must not overtake their responses; the client sends the body after a while anyway.
        if expects and not self._refused and self._task is None and not self._waiting:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY:
            self._refuse(413, "The body is larger than 64 MB.")
        elif not self._refused:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._in_request = False
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
        self._url = b""
        self._headers: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def _refuse(self, status: int, sentence: str) -> None:
        if self._refused:
            return
        self._refused = True
        body = b'{"message":"' + sentence.replace("\\", "/").replace('"', "'").encode() + b'"}'
        headers = (("x-amzn-ErrorType", "MalformedHttpRequestException"),)
        self._waiting.append(Response(status, body, headers=headers, close=True))
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
        if close:
            self._transport.close()
        elif request is not None:
            self._after_response(self, request)
