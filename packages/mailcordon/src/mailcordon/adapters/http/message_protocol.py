"""uvicorn's HTTP protocol with the door's limits, and with a fast path: POST /v1/messages goes from the parser straight to its
endpoint, without ASGI.

Every request is admitted here, whichever path it takes (docs/door.md): heads are counted as they arrive, connections and
requests for each caller, bodies before they are read. A message then costs no task, no scope and no messages between coroutines:
it is checked when its last byte is read, and answered when it is committed. Everything unusual is left to the base class and
reaches the same endpoint through ASGI: a key that is not cached, a request sent before the last one was answered, a client that
does not read. Keep-alive, the order of responses and graceful shutdown are the base class's in both cases.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mailcordon.adapters.http import limited_connection, message_endpoint, problems
from mailcordon.adapters.http.direct_request import Direct, Mail
from mailcordon.adapters.http.limited_connection import BODY, HEAD, LINGER_BYTES, LimitedConnection, Stop
from mailcordon.adapters.http.message_endpoint import MessageEndpoint, Reply
from mailcordon.adapters.http.request_headers import firehose_key, raw_credentials
from mailcordon.adapters.http.ses_door import errors, signature, v2
from mailcordon.adapters.http.ses_door.direct import SesMail
from mailcordon.adapters.http.ses_door.endpoint import MAX_BODY, SesDoor, is_path
from mailcordon.adapters.http.shared_door import Door
from mailcordon.core.principal import Principal
from mailcordon.door.admission import SMALL_BODY, Caller, Refusal, Ticket
from mailcordon.door.limits import Limit

_URL = message_endpoint.PATH.encode()
_SNS_URL = problems.SNS_PATH.encode()
_HEALTH_URL = b"/v1/health"
_SES_URLS = (v2.MAIL_PATH, b"/")


def protocol(
    endpoint: MessageEndpoint, door: Door | None = None, ses: SesDoor | None = None
) -> Callable[..., asyncio.Protocol]:
    """The factory that uvicorn takes as its setting `http`."""
    return functools.partial(MessageProtocol, endpoint=endpoint, door=door or Door(), ses=ses)


class MessageProtocol(LimitedConnection):
    """One connection."""

    def __init__(
        self,
        *args: Any,
        endpoint: MessageEndpoint,
        door: Door,
        ses: SesDoor | None = None,
        **named: Any,
    ) -> None:
        claimed = None if ses is None else ses.claimed
        super().__init__(*args, endpoint=endpoint, door=door, claimed=claimed, **named)
        self.endpoint = endpoint
        self.url = b""  #: before any request, which may be refused for its size
        self._ses = ses
        self._direct: Direct | None = None  #: the current request, if it does without ASGI
        self._ticket: Ticket | None = None  #: of the current request, if it goes to ASGI
        self._authorization: str | None = None  #: of the current request, if it goes to ASGI
        self._running: RequestResponseCycle | None = None  #: the last request whose ASGI task was started

    def connection_lost(self, exc: Exception | None) -> None:
        if self._place == BODY and self._direct is not None:
            self._direct.release()
        for cycle, _ in self.pipeline:
            cast(Any, cycle).ticket.release()
        self.pipeline.clear()
        if self._running is not None:
            # The base class tells the last request only, which may be one that waited for this.
            self._running.disconnected = True
            self._running.message_event.set()
            self._running = None
        super().connection_lost(exc)

    # Called by the parser. The base class makes its scope only for requests that go to ASGI.

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._length = 0
        if not self._head:
            self._head = 1  # behind the end of another request, in what was counted for that one

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._place != HEAD:
            return  # a trailer must not become a header of its request
        name = name.lower()
        if name == b"content-length":
            self._length = int(value[:20])  # the parser takes digits alone, and no more than 64 bits
        elif name == b"transfer-encoding":
            self._length = None
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        limits, parser = self._limits, self.parser
        assert parser is not None
        if len(self.headers) > limits.head_fields:
            self._stop(Limit.HEAD_FIELDS)
        if self._head > limits.head_bytes and self._exact_head() > limits.head_bytes:
            self._stop(Limit.HEAD_BYTES)
        self._since = 0.0
        try:
            shown, raw_key = raw_credentials(self.headers)
        except problems.Malformed:
            shown = raw_key = None  # as a caller without a key: the endpoint refuses it
        if shown is None:
            shown = firehose_key(self.url, self.headers)
        key = None if raw_key is None else raw_key.decode("latin-1")
        callers = self.callers
        known = callers.known
        if known is not None and shown == callers.shown and self.endpoint.keys.is_current(known):
            # Most requests show the key of the one before: that is neither parsed nor hashed again.
            authorization, principal = callers.shown_text, known.principal
        else:
            # For another path, an AWS signature is no key.
            signed = shown is not None and shown.startswith(signature.PREFIX) and is_path(self.url)
            authorization, principal = callers.look_up(shown, signed=signed)
        admitted = self._admit(parser, principal)
        if isinstance(admitted, Refusal):
            self._refuse_request(parser, admitted)
            return
        caller, used_by = admitted
        self._place = BODY
        self._received = self._raw = 0
        # The endpoint checks the client's address of a key that has address ranges.
        if (
            principal is not None
            and not principal.networks
            and (self.url == _URL or (self.url in _SES_URLS and self._ses is not None))
            and self._may_be_direct(parser)
        ):
            ticket = Ticket(self.admission, caller, self._length or 0, used_by)
            keep_alive = parser.should_keep_alive()
            if self.url == _URL:
                mail = Mail(self, ticket, self.endpoint, principal, authorization, key, keep_alive=keep_alive)
            else:
                assert self._ses is not None
                mail = SesMail(self, ticket, self._ses, principal, authorization, keep_alive=keep_alive)
            self._set_direct(mail)
            if self.expect_100_continue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        # A body whose key is not known yet is counted as it arrives.
        size = self._length or 0 if caller.is_key else 0
        self._ticket = Ticket(self.admission, caller, size, used_by)
        self._authorization = authorization
        self._direct = None
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        if self.callers.is_proxied:
            self.scope["client"] = (self.callers.client_address, 0)
        try:
            super().on_headers_complete()
        except BaseException:
            self._ticket.release()
            self._place = HEAD
            raise
        cast(Any, self.cycle).ticket = self._ticket
        if self.callers.guest is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._direct is not None:
            self._direct.add(body, self._received, counted=self._length is None)
            return
        if self.cycle.response_complete:
            if self._received > limited_connection.MOST_DISCARDED:
                self.transport.abort()
            else:
                self.discard(len(body))
            return
        assert self._ticket is not None
        if (self._length is None or not self._ticket.is_keyed) and (refusal := self._grow(len(body))):
            self._refuse(refusal)
            raise Stop
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._place = HEAD
        self._head = 0
        self._since = 0.0
        if self.cycle.response_complete:
            self._begin_deadline()  # it was answered before it was complete: the connection is idle now
        if self._direct is not None:
            self._direct.complete()
        else:
            super().on_message_complete()

    def _exact_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _admit(
        self, parser: httptools.HttpRequestParser, principal: Principal | None
    ) -> tuple[Caller, tuple[Caller, ...]] | Refusal:
        """Returns who is charged for the request, and for whom its connection counts behind a proxy."""
        callers, length = self.callers, self._length or 0
        most = _most_body(self.url)
        if callers.guest is not None and not (
            self.url == _HEALTH_URL and length == 0 and parser.get_method() == b"GET"
        ):
            return callers.guest
        if length > most:
            return self.admission.refuse_body(most)
        if length > SMALL_BODY and principal is not None and (refusal := callers.without_room(principal)):
            return refusal
        if len(self.pipeline) >= self._limits.pipelined and self._is_waiting():
            return self.admission.refuse(Limit.PIPELINE)
        return callers.admit(principal, length, self.headers)

    def _grow(self, size: int) -> Refusal | None:
        """`size` more bytes of a body that is counted as it arrives."""
        ticket = cast(Ticket, self._ticket)
        if not ticket.is_keyed and self._received > self._limits.head_bytes:
            refusal = self.callers.charge(ticket, self._authorization)
            if refusal is not None:
                return refusal
        return ticket.grow(size, self._received)

    def _may_be_direct(self, parser: httptools.HttpRequestParser) -> bool:
        """Whether answering this request waits for nothing but its commit."""
        return not (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.limit_concurrency is not None
            or self.flow.write_paused
            or self._is_waiting()
        )

    def _set_direct(self, direct: "Direct") -> None:
        self._direct = direct
        self.cycle = cast(RequestResponseCycle, direct)  # has the attributes that the base class reads

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        ticket = cast(Ticket, getattr(cycle, "ticket", self._ticket))  # one that had to wait has its own
        super()._start_asgi_task(cycle, functools.partial(_ticketed, self, app, ticket))

    def _refuse_request(self, parser: httptools.HttpRequestParser, refusal: Refusal) -> None:
        """At the end of a head. The connection stays open if the rest of the request can be read and thrown away."""
        if refusal.status == 429 and self.url.partition(b"?")[0] == _SNS_URL:
            # SNS sends again what a server failed to take. Of its own errors, as it sees 4xx, it discards the message.
            refusal = replace(refusal, status=503)
        bounded = (refusal.limit in _OF_ONE_REQUEST or self.callers.is_proxied) and (
            self._length or 0
        ) <= limited_connection.MOST_DISCARDED
        if not bounded or self.expect_100_continue or self._is_waiting() or parser.should_upgrade():
            self._linger = max(LINGER_BYTES, min(self._length or 0, limited_connection.MOST_DISCARDED))
            self._refuse(refusal)
            raise Stop
        self._place = BODY
        self._received = self._raw = 0
        refused = Direct(self, None, keep_alive=parser.should_keep_alive())
        self._set_direct(refused)
        refused.respond(self.refused(refusal))

    def refused(self, refusal: Refusal) -> Reply:
        # While no first line has come, the parser names any method.
        method = "" if self.parser is None else self.parser.get_method().decode("latin-1")
        if self._ses is not None and is_path(self.url, method):
            return errors.reply(errors.of_refusal(refusal), v1=not self.url.startswith(b"/v2/"))
        return super().refused(refusal)

    def _abandon(self) -> None:
        """The current request is not answered by its endpoint any more."""
        if self._direct is not None:
            self._direct.release()
            self._direct.response_complete = True
        else:
            self.cycle.disconnected = True
            self.cycle.response_complete = True
            self.cycle.message_event.set()


def _most_body(url: bytes) -> int:
    if url == _URL:
        return message_endpoint.MAX_BODY
    if is_path(url):
        return MAX_BODY
    path = url.partition(b"?")[0]
    return message_endpoint.MAX_BODY if path == _URL else problems.most_body(path.decode("latin-1"))


_OF_ONE_REQUEST = frozenset(
    {None, Limit.BODY_BYTES, Limit.BODY_MEMORY, Limit.KEY_REQUESTS, Limit.ADDRESS_REQUESTS}
)


async def _ticketed(
    connection: MessageProtocol, app: Any, ticket: Ticket, scope: Any, receive: Any, send: Any
) -> None:
    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start":
            connection.answers(message["status"])
        await send(message)

    try:
        await app(scope, receive, answer)
    finally:
        ticket.release()
