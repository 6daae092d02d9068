"""uvicorn's HTTP protocol with a fast path: POST /v1/messages goes from the parser straight to its endpoint, without ASGI.

A message then costs no task, no scope and no messages between coroutines: it is checked when its last byte is read, and answered
when it is committed. Everything unusual is left to the base class and reaches the same endpoint through ASGI: a key that is not
cached, a request sent before the last one was answered, a client that does not read. Connections, keep-alive, the order of
responses and graceful shutdown are the base class's in both cases.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from mailcordon.adapters.http import messages
from mailcordon.adapters.http.messages import MessageEndpoint, Reply
from mailcordon.core.principal import Principal
from mailcordon.send.accept import Accepted, Repeated

_URL = messages.PATH.encode()
_MOST_DISCARDED = (
    4 * messages.MAX_BODY
)  #: bytes of a refused body that are read, so that the client can read why


def protocol(endpoint: MessageEndpoint) -> Callable[..., asyncio.Protocol]:
    """The factory that uvicorn takes as its setting `http`."""
    return functools.partial(MessageProtocol, endpoint=endpoint)


class MessageProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, endpoint: MessageEndpoint, **named: Any) -> None:
        super().__init__(*args, **named)
        self.endpoint = endpoint
        self.reads = 0  #: chunks read so far: shows whether a request came in one of them
        self._mail: _Mail | None = None  #: the current request, if it takes the fast path

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        super().data_received(data)

    # Called by the parser. The base class makes its scope only for requests that go to ASGI.

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self._mail = self._begin_mail() if self.url == _URL else None
        if self._mail is not None:
            self.cycle = cast(
                RequestResponseCycle, self._mail
            )  # has the attributes that the base class reads
            if self.expect_100_continue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._mail is not None:
            self._mail.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._mail is not None:
            self._mail.complete()
        else:
            super().on_message_complete()

    def _begin_mail(self) -> "_Mail | None":
        """Returns None if answering this request would wait for something other than its commit."""
        parser = self.parser
        assert parser is not None
        if (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.limit_concurrency is not None
            or self.flow.write_paused
            or (cast(object, self.cycle) is not None and not self.cycle.response_complete)
        ):
            return None
        authorization, key = messages.key_headers(self.headers)
        principal = self.endpoint.keys.lookup(authorization)
        if principal is None:
            return None
        return _Mail(self, principal, authorization, key, keep_alive=parser.should_keep_alive())


class _Mail:
    """One POST of a message. The base class holds it as its cycle: the current request, or the last one."""

    __slots__ = (
        "_authorization",
        "_chunks",
        "_connection",
        "_key",
        "_principal",
        "_read",
        "_size",
        "disconnected",
        "keep_alive",
        "response_complete",
    )

    def __init__(
        self,
        connection: MessageProtocol,
        principal: Principal,
        authorization: str | None,
        key: str | None,
        *,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self._principal = principal
        self._authorization = authorization
        self._key = key
        self._read = connection.reads
        self._chunks: list[bytes] = []
        self._size = 0
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def message_event(self) -> "_Mail":
        return self

    def set(self) -> None:
        """Nothing waits for this event."""

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= messages.MAX_BODY:
            self._chunks.append(chunk)
        elif self._size > _MOST_DISCARDED:
            self._connection.transport.abort()
        elif not self.response_complete:
            self._chunks.clear()
            self._respond(messages.failure(messages.too_large()))

    def complete(self) -> None:
        """The whole request has been read."""
        if self.response_complete:
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        endpoint = self._connection.endpoint
        if self._read != self._connection.reads:
            # It came in several chunks: the key may have been revoked in between.
            principal = endpoint.keys.lookup(self._authorization)
            if principal is None:
                self._wait_for(endpoint.handle(self._authorization, self._key, body))
                return
            self._principal = principal
        try:
            stored = endpoint.enqueue(self._principal, self._authorization, self._key, body)
        except Exception as error:
            self._respond(messages.failure(error))
        else:
            stored.add_done_callback(self._stored)

    def _stored(self, stored: asyncio.Future[Accepted | Repeated]) -> None:
        endpoint = self._connection.endpoint
        try:
            result = stored.result()
            if isinstance(result, Repeated):
                self._wait_for(endpoint.repeated(result, self._principal))
            else:
                self._respond(endpoint.accepted(result))
        except (Exception, asyncio.CancelledError) as error:
            self._respond(messages.failure(error))

    def _wait_for(self, work: Coroutine[Any, Any, Reply]) -> None:
        """The slow path: the response needs the database."""
        connection = self._connection
        task = connection.loop.create_task(work)
        connection.tasks.add(task)  # pyright: ignore[reportArgumentType]  # the server waits for these when it stops
        task.add_done_callback(self._waited)

    def _waited(self, task: asyncio.Task[Reply]) -> None:
        self._connection.tasks.discard(task)  # pyright: ignore[reportArgumentType]
        try:
            reply = task.result()
        except (Exception, asyncio.CancelledError) as error:
            reply = messages.failure(error)
        self._respond(reply)

    def _respond(self, reply: Reply) -> None:
        if self.response_complete:
            return
        self.response_complete = True
        connection = self._connection
        transport = connection.transport
        if self.disconnected or transport.is_closing():
            return
        head = [STATUS_LINE[reply.status]]
        for name, value in connection.server_state.default_headers:
            head += (name, b": ", value, b"\r\n")
        for name, value in reply.headers.items():
            head.append(f"{name}: {value}\r\n".encode("latin-1"))
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        head.append(b"content-length: %d\r\n\r\n" % len(reply.body))
        head.append(reply.body)
        transport.write(b"".join(head))
        if not self.keep_alive:
            transport.close()
        connection.on_response_complete()
