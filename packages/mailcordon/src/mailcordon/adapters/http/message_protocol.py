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
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from mailcordon.adapters.http import message_endpoint, problems
from mailcordon.adapters.http.message_endpoint import MessageEndpoint, Reply
from mailcordon.adapters.http.request_headers import raw_credentials
from mailcordon.control.key_cache import Known
from mailcordon.core.errors import Forbidden, TooMuch
from mailcordon.core.principal import Principal
from mailcordon.door.admission import SMALL_BODY, Admission, Caller, Refusal, Ticket
from mailcordon.door.client_address import TrustedProxies, counted_as
from mailcordon.door.facts import DoorFacts
from mailcordon.door.limits import Limit, Limits
from mailcordon.host import memory
from mailcordon.send.accept import Accepted, Repeated

_URL = message_endpoint.PATH.encode()
_HEALTH_URL = b"/v1/health"
_MOST_DISCARDED = (
    4 * message_endpoint.MAX_BODY
)  #: bytes of a refused body that are read, so that the client can read why
_LINGER_BYTES = 256 * 1024  #: that a refused connection may still send, for the same reason
_LINGER_SECONDS = 2.0
_GUEST_SECONDS = 2.0
#: Chunk sizes, extensions and trailers may have this many bytes for each byte of body: a chunk of one byte has 5.
_AROUND_A_BYTE = 8
#: Freed bytes that the process may keep, and seconds between two times that it gives back more: that takes milliseconds.
_KEPT = 4 * 1024 * 1024
_TRIM_EVERY = 3.0
_SLOWEST_SWEEP = 1.0  #: seconds between two looks at the deadlines
#: Bytes a second of refused bodies that are read, of all connections together, and seconds by which they may be ahead. A caller
#: that ignores its refusals would keep the process busy with them.
_DISCARD_RATE = 16 * 1024 * 1024
_DISCARD_AHEAD = 0.25
_LONGEST_PAUSE = 1.0  #: seconds: while a connection is not read, its end is not seen
#: After these answers, a connection is not read for some seconds. A client that does what the answer says does not notice; one
#: that does not could send thousands a second.
_SLOWING = frozenset({401, 429})
_SLOWED_SECONDS = 0.25


class Door:
    """What all connections of a process share."""

    def __init__(
        self,
        limits: Limits | None = None,
        facts: DoorFacts | None = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.admission = Admission(self.limits, facts or DoorFacts())
        self.proxies = proxies or TrustedProxies(())
        self._timed: dict[MessageProtocol, None] = {}
        self._server_headers: list[tuple[bytes, bytes]] | None = None
        self._accepted_head = b""
        self._trimming = False
        self.admission.on_freed = self._give_back_soon
        self._sweeping = False
        self._discarded_until = 0.0
        shortest = min(self.limits.head_seconds, self.limits.body_seconds, self.limits.response_seconds)
        self._interval = min(_SLOWEST_SWEEP, shortest / 4)

    def accepted_head(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and headers of the answer to an accepted message, with the server's own `headers`, which are a new list
        each second."""
        if headers is not self._server_headers:
            head = [STATUS_LINE[202], *(b"%b: %b\r\n" % one for one in headers)]
            head += [
                f"{name}: {value}\r\n".encode("latin-1") for name, value in message_endpoint.JSON.items()
            ]
            self._server_headers, self._accepted_head = headers, b"".join(head)
        return self._accepted_head

    def watch(self, connection: "MessageProtocol") -> None:
        """Looks at the deadline of this connection until it has none."""
        self._timed[connection] = None
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(self._interval, self._sweep, connection.loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        # One look at all of them costs less than a timer for each request.
        now = loop.time()
        for connection in list(self._timed):
            if not connection.check_deadline(now):
                del self._timed[connection]
        if self._timed:
            loop.call_later(self._interval, self._sweep, loop)
        else:
            self._sweeping = False

    def discard(self, size: int, now: float) -> float:
        """Bytes of a refused body were read. Returns the seconds for which its connection is not to be read."""
        self._discarded_until = max(self._discarded_until, now) + size / _DISCARD_RATE
        ahead = self._discarded_until - now
        return min(ahead, _LONGEST_PAUSE) if ahead > _DISCARD_AHEAD else 0.0

    def _give_back_soon(self) -> None:
        if self.admission.freed > _KEPT and not self._trimming:
            self._trimming = True
            asyncio.get_running_loop().call_later(_TRIM_EVERY, self._give_back)

    def _give_back(self) -> None:
        self._trimming = False
        self.admission.freed = 0
        memory.give_back()


def protocol(endpoint: MessageEndpoint, door: Door | None = None) -> Callable[..., asyncio.Protocol]:
    """The factory that uvicorn takes as its setting `http`."""
    return functools.partial(MessageProtocol, endpoint=endpoint, door=door or Door())


#: Where in the stream a connection is. Plain numbers, since they are read several times for each request.
_HEAD = 1  #: between requests, or in a head
_BODY = 2
_CLOSING = 3  #: refused: what still comes is thrown away


class _Stop(Exception):
    """Ends the parser's work on what has arrived: the connection is refused."""


class _Flow(FlowControl):
    """Reads on neither for a request nor for an answer while the connection is slowed."""

    is_slowed = False

    def resume_reading(self) -> None:
        if not self.is_slowed:
            super().resume_reading()


class MessageProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, endpoint: MessageEndpoint, door: Door, **named: Any) -> None:
        super().__init__(*args, **named)
        self.endpoint = endpoint
        self.reads = 0  #: chunks read so far: shows whether a request came in one of them
        self._direct: _Direct | None = None  #: the current request, if it does without ASGI
        self._door = door
        self._limits = door.limits
        self._admission = door.admission
        self._place = _HEAD
        self._since = 0.0  #: when the current deadline began to run; 0: there is none
        self._unread_since = 0.0  #: when the client stopped reading; 0: it reads
        self._head = 0  #: bytes of the current head, at least
        self._length: int | None = 0  #: of the current body; None: chunked
        self._received = 0  #: bytes of the current body
        self._raw = 0  #: bytes in which a chunked body came
        self._discarded = 0
        self._linger = _LINGER_BYTES
        self._is_counted = False
        self._is_proxied = False
        self.client_address = (
            ""  #: of the current request: the peer's, or the one that a trusted proxy forwarded
        )
        self._guest: Refusal | None = None  #: why it may only ask for the health of the process
        self._address: Caller | None = None
        self._key: Caller | None = None
        self._key_id: int | None = None
        self._ticket: Ticket | None = None  #: of the current request, if it goes to ASGI
        self._authorization: str | None = None  #: of the current request, if it goes to ASGI
        self._shown: bytes | None = None  #: the last Authorization that named a known key
        self._shown_text = ""
        self._known: Known | None = None  #: that key
        self._running: RequestResponseCycle | None = None  #: the last request whose ASGI task was started

    # Connections ----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        admission = self._admission
        refusal = admission.admit_connection()
        if refusal is not None:
            self._turn_away(refusal)
            return
        self._is_counted = True
        peer = self.client_address = self.client[0] if self.client else "local"
        if self._door.proxies.is_trusted(peer):
            self._is_proxied = True
            self._address = admission.unlimited
        else:
            admitted = admission.admit_address(counted_as(peer))
            if isinstance(admitted, Refusal):
                if not admission.admit_guest():
                    self._turn_away(admitted)
                    return
                self._guest = admitted
                self._address = admission.unlimited
            else:
                self._address = admitted
            admission.strangers[self] = None
        self._begin_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        admission = self._admission
        if self._place == _BODY and self._direct is not None:
            self._direct.release()
        for cycle, _ in self.pipeline:
            cast(Any, cycle).ticket.release()
        self.pipeline.clear()
        if self._is_counted:
            self._is_counted = False
            admission.release_connection()
            admission.strangers.pop(self, None)
            if self._guest is not None:
                admission.release_guest()
            elif self._address is not None and not self._is_proxied:
                admission.release(self._address)
            if self._key is not None:
                admission.release(self._key)
        self._place, self._since, self._unread_since = _CLOSING, 0.0, 0.0
        if self._running is not None:
            # The base class tells the last request only, which may be one that waited for this.
            self._running.disconnected = True
            self._running.message_event.set()
            self._running = None
        super().connection_lost(exc)

    def evict(self, refusal: Refusal) -> None:
        """Makes room for another connection."""
        if self._place == _HEAD and not self._is_waiting():
            self._turn_away(refusal)
        else:
            self.transport.abort()

    def _turn_away(self, refusal: Refusal) -> None:
        """Says why and closes at once: for connections that are not counted, so that nobody can keep many of them."""
        self._place = _CLOSING
        if not self.transport.is_closing():
            self.transport.write(self._written(Reply(*problems.refused(refusal)), keep_alive=False))
            self.transport.close()

    # Deadlines ------------------------------------------------------------------------------------------------------------

    def _begin_deadline(self) -> None:
        self._since = self.loop.time()
        self._door.watch(self)

    def on_response_complete(self) -> None:
        # As the base class does, but an idle connection is one of those whose deadlines are looked at, instead of a timer.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._place == _HEAD and not self._head:
            self._begin_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()
        self._door.watch(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = 0.0

    def check_deadline(self, now: float) -> bool:
        """Refuses what is late. Returns False if there is nothing more to wait for."""
        if self._unread_since and now - self._unread_since > self._limits.response_seconds:
            self._admission.refuse(Limit.RESPONSE_TIME)
            self.transport.abort()
            return False
        if self._since:
            self._check_arrival(now - self._since)
        return bool(self._since or self._unread_since)

    def _check_arrival(self, elapsed: float) -> None:
        limits = self._limits
        if self._place == _CLOSING:
            if elapsed > _LINGER_SECONDS and not self._is_waiting():
                self.transport.abort()
        elif self._place == _HEAD:
            if self.reads and not self._head:
                if elapsed > limits.idle_seconds:
                    self.transport.close()
            elif self._guest is not None:
                if elapsed > min(_GUEST_SECONDS, limits.head_seconds):
                    self._refuse(self._guest)
            elif elapsed > limits.head_seconds:
                self._refuse(self._admission.refuse(Limit.HEAD_TIME))
        elif self.flow.read_paused:
            self._since = self.loop.time()  # it is us that do not read on
        else:
            needed = (elapsed - limits.head_seconds) * limits.body_bytes_per_second
            if elapsed > limits.body_seconds or self._received < needed:
                self._refuse(self._admission.refuse(Limit.BODY_TIME))

    # What arrives ---------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        size = len(data)
        step = self._limits.head_bytes
        if size <= step or self._is_within_body(size):
            self._take(data, size)
        else:
            # In parts, so that a head that is too long is seen before all of it is parsed.
            for at in range(0, size, step):
                part = data[at : at + step]
                self._take(part, len(part))

    def _is_within_body(self, size: int) -> bool:
        """Whether the next `size` bytes belong to the current body, all of them."""
        return self._place == _BODY and self._length is not None and self._received + size <= self._length

    def _take(self, data: bytes, size: int) -> None:
        place = self._place
        if place == _HEAD:
            self._head += size
        elif place == _BODY:
            self._raw += size
        else:
            self._throw_away(size)
            return
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess]
        except httptools.HttpParserUpgrade:
            # The request itself is answered; what follows it is in a protocol that we do not speak.
            self._close_after_answers()
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            if not isinstance(cause, _Stop):
                if not isinstance(cause, ValueError | httptools.HttpParserError | None):
                    self.logger.error("unexpected error in a request", exc_info=cause)
                self._refuse(self._admission.refuse(Limit.MALFORMED))
            return
        if self._place == _HEAD:
            if self._head:
                self._check_head(size)
        elif self._place == _BODY:
            if not self._since:
                self._begin_deadline()
            if self._length is None:
                self._check_framing()

    def _check_head(self, size: int) -> None:
        """A part of a head has arrived: the first one if the head has no more than its `size` bytes."""
        if not self._since or self._head == size:
            self._begin_deadline()
        if self._head > self._limits.head_bytes:
            self._refuse(self._admission.refuse(Limit.HEAD_BYTES))
        elif cast(object, self.headers) is not None and len(self.headers) > self._limits.head_fields:
            self._refuse(self._admission.refuse(Limit.HEAD_FIELDS))

    def _check_framing(self) -> None:
        if self._raw > self._limits.head_bytes + (1 + _AROUND_A_BYTE) * self._received:
            self._refuse(self._admission.refuse(Limit.HEAD_BYTES))

    def _throw_away(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._linger:
            self.transport.abort()

    # Called by the parser. The base class makes its scope only for requests that go to ASGI.

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._length = 0
        if not self._head:
            self._head = 1  # behind the end of another request, in what was counted for that one

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._place != _HEAD:
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
        key = None if raw_key is None else raw_key.decode("latin-1")
        known = self._known
        if known is not None and shown == self._shown and self.endpoint.keys.is_current(known):
            # Most requests show the key of the one before: that is neither parsed nor hashed again.
            authorization, principal = self._shown_text, known.principal
        else:
            authorization, principal = self._look_up(shown)
        admitted = self._admit(parser, principal)
        if isinstance(admitted, Refusal):
            self._refuse_request(parser, admitted)
            return
        caller, used_by = admitted
        self._place = _BODY
        self._received = self._raw = 0
        # The endpoint checks the client's address of a key that has address ranges.
        if (
            principal is not None
            and not principal.networks
            and self.url == _URL
            and self._may_be_direct(parser)
        ):
            ticket = Ticket(self._admission, caller, self._length or 0, used_by)
            mail = _Mail(self, ticket, principal, authorization, key, keep_alive=parser.should_keep_alive())
            self._set_direct(mail)
            if self.expect_100_continue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        # A body whose key is not known yet is counted as it arrives.
        size = self._length or 0 if caller.is_key else 0
        self._ticket = Ticket(self._admission, caller, size, used_by)
        self._authorization = authorization
        self._direct = None
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        if self._is_proxied:
            self.scope["client"] = (self.client_address, 0)
        try:
            super().on_headers_complete()
        except BaseException:
            self._ticket.release()
            self._place = _HEAD
            raise
        cast(Any, self.cycle).ticket = self._ticket
        if self._guest is not None:
            self.cycle.keep_alive = False

    def _look_up(self, shown: bytes | None) -> tuple[str | None, Principal | None]:
        """The text of a header Authorization, and the key it names if that is known. Remembers both."""
        self._shown = self._known = None
        if shown is None:
            return None, None
        authorization = shown.decode("latin-1")
        known = self.endpoint.keys.find(authorization)
        if known is None:
            return authorization, None
        self._shown, self._shown_text, self._known = shown, authorization, known
        return authorization, known.principal

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._direct is not None:
            self._direct.add(body, self._received, counted=self._length is None)
            return
        if self.cycle.response_complete:
            if self._received > _MOST_DISCARDED:
                self.transport.abort()
            else:
                self.discard(len(body))
            return
        assert self._ticket is not None
        if (self._length is None or not self._ticket.is_keyed) and (refusal := self._grow(len(body))):
            self._refuse(refusal)
            raise _Stop
        super().on_body(body)

    def discard(self, size: int) -> None:
        """A part of a refused body: what follows is read when its turn comes."""
        pause = self._door.discard(size, self.loop.time())
        if pause:
            self._slow_down(pause)

    def answers(self, status: int) -> None:
        """A request is about to be answered with this status."""
        if status in _SLOWING:
            self._slow_down(_SLOWED_SECONDS)

    def _slow_down(self, seconds: float) -> None:
        flow = cast(_Flow, self.flow)
        if not flow.is_slowed and not self.transport.is_closing():
            flow.pause_reading()
            flow.is_slowed = True
            self.loop.call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        cast(_Flow, self.flow).is_slowed = False
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        self._place = _HEAD
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

    # Admission of a request -----------------------------------------------------------------------------------------------

    def _admit(
        self, parser: httptools.HttpRequestParser, principal: Principal | None
    ) -> tuple[Caller, tuple[Caller, ...]] | Refusal:
        """Returns who is charged for the request, and for whom its connection counts behind a proxy."""
        admission = self._admission
        length = self._length or 0
        most = _most_body(self.url)
        if self._guest is not None and not (
            self.url == _HEALTH_URL and length == 0 and parser.get_method() == b"GET"
        ):
            return self._guest
        if length > most:
            return admission.refuse_body(most)
        if length > SMALL_BODY and principal is not None and (refusal := self.without_room(principal)):
            return refusal
        if len(self.pipeline) >= self._limits.pipelined and self._is_waiting():
            return admission.refuse(Limit.PIPELINE)
        if self._is_proxied:
            return self._admit_proxied(principal, length)
        if principal is None:
            caller = self._address or admission.unlimited
            refusal = admission.admit(caller, 0)
        else:
            if principal.key_id != self._key_id and (refusal := self._use_key(principal.key_id)):
                return refusal
            assert self._key is not None
            caller = self._key
            refusal = admission.admit(caller, length)
        return (caller, ()) if refusal is None else refusal

    def without_room(self, principal: Principal) -> Refusal | None:
        """A large message that would be refused for the rate when it has been read is not read."""
        slug = principal.tenant_slug
        try:
            self.endpoint.buckets.require_room(
                principal.key_id,
                principal.prefix,
                principal.limits,
                slug,
                time.monotonic(),
                platform=slug is None,
            )
        except TooMuch as problem:
            return Refusal(None, 429, problem.code, str(problem), problem.retry_after)
        return None

    def _admit_proxied(
        self, principal: Principal | None, length: int
    ) -> tuple[Caller, tuple[Caller, ...]] | Refusal:
        """A proxy keeps connections open for whoever comes next, so only requests count for a client and a key."""
        admission = self._admission
        forwarded = [value.decode("latin-1") for name, value in self.headers if name == b"x-forwarded-for"]
        peer = self.client[0] if self.client else ""
        client = self._door.proxies.client_address(peer, forwarded)
        self.client_address = client or peer
        caller, used_by = admission.unlimited, list[Caller]()
        admitted: Caller | Refusal | None = None
        if client is not None:
            admitted = admission.admit_address(counted_as(client))
            if isinstance(admitted, Refusal):
                return admitted
            caller = admitted
            used_by.append(admitted)
        if principal is not None:
            admitted = admission.admit_key(principal.key_id)
            if isinstance(admitted, Caller):
                caller = admitted
                used_by.append(admitted)
        if not isinstance(admitted, Refusal):
            admitted = admission.admit(caller, length if principal is not None else 0)
        if admitted is not None:
            for one in used_by:
                admission.release(one)
            return admitted
        return caller, tuple(used_by)

    def _use_key(self, key_id: int) -> Refusal | None:
        admitted = self._admission.admit_key(key_id)
        if isinstance(admitted, Refusal):
            return admitted
        if self._key is not None:
            self._admission.release(self._key)
        self._key, self._key_id = admitted, key_id
        self._admission.strangers.pop(self, None)
        return None

    def _grow(self, size: int) -> Refusal | None:
        """`size` more bytes of a body that is counted as it arrives."""
        ticket = cast(Ticket, self._ticket)
        if not ticket.is_keyed and self._received > self._limits.head_bytes:
            # The request is read on because its key has turned out to be good.
            principal = self.endpoint.keys.lookup(self._authorization)
            if principal is not None and (refusal := self._charge(ticket, principal.key_id)):
                return refusal
        return ticket.grow(size, self._received)

    def _charge(self, ticket: Ticket, key_id: int) -> Refusal | None:
        if self._is_proxied:
            key = self._admission.admit_key(key_id)
            if isinstance(key, Refusal):
                return key
            ticket.use(key)
        else:
            if key_id != self._key_id and (refusal := self._use_key(key_id)):
                return refusal
            key = cast(Caller, self._key)
        return ticket.charge(key)

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

    def _is_waiting(self) -> bool:
        """Whether a request is not answered yet: in a head or at its end, an earlier one."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _set_direct(self, direct: "_Direct") -> None:
        self._direct = direct
        self.cycle = cast(RequestResponseCycle, direct)  # has the attributes that the base class reads

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        ticket = cast(Ticket, getattr(cycle, "ticket", self._ticket))  # one that had to wait has its own
        super()._start_asgi_task(cycle, functools.partial(_ticketed, self, app, ticket))

    # Refusals -------------------------------------------------------------------------------------------------------------

    def _stop(self, limit: Limit) -> None:
        self._refuse(self._admission.refuse(limit))
        raise _Stop

    def _refuse_request(self, parser: httptools.HttpRequestParser, refusal: Refusal) -> None:
        """At the end of a head. The connection stays open if the rest of the request can be read and thrown away."""
        bounded = (refusal.limit in _OF_ONE_REQUEST or self._is_proxied) and (
            self._length or 0
        ) <= _MOST_DISCARDED
        if not bounded or self.expect_100_continue or self._is_waiting() or parser.should_upgrade():
            self._linger = max(_LINGER_BYTES, min(self._length or 0, _MOST_DISCARDED))
            self._refuse(refusal)
            raise _Stop
        self._place = _BODY
        self._received = self._raw = 0
        refused = _Direct(self, None, keep_alive=parser.should_keep_alive())
        self._set_direct(refused)
        refused.respond(Reply(*problems.refused(refusal)))

    def _refuse(self, refusal: Refusal) -> None:
        """Says why, and closes when the client has had time to read it."""
        if self._place == _CLOSING:
            return
        place, self._place = self._place, _CLOSING
        self._begin_deadline()
        if self.transport.is_closing():
            if place == _BODY and self._is_waiting():
                self._abandon()
            return
        if self._is_waiting():
            if place == _HEAD:
                # Its earlier requests are answered first, and then there is no place for this answer.
                self.cycle.keep_alive = False
                return
            if self.pipeline or getattr(self.cycle, "response_started", False):
                self.transport.abort()
                return
            self._abandon()
        elif place == _BODY:
            self.transport.abort()  # the request has been answered
            return
        self.transport.write(self._written(Reply(*problems.refused(refusal)), keep_alive=False))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _abandon(self) -> None:
        """The current request is not answered by its endpoint any more."""
        if self._direct is not None:
            self._direct.release()
            self._direct.response_complete = True
        else:
            self.cycle.disconnected = True
            self.cycle.response_complete = True
            self.cycle.message_event.set()

    def _close_after_answers(self) -> None:
        self._place = _CLOSING
        self._begin_deadline()
        if self._is_waiting():
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def _written(self, reply: Reply, *, keep_alive: bool) -> bytes:
        if keep_alive and reply.headers is message_endpoint.JSON and reply.status == 202:
            return b"%bcontent-length: %d\r\n\r\n%b" % (
                self._door.accepted_head(self.server_state.default_headers),
                len(reply.body),
                reply.body,
            )
        head = [STATUS_LINE[reply.status]]
        for name, value in self.server_state.default_headers:
            head += (name, b": ", value, b"\r\n")
        for name, value in reply.headers.items():
            head.append(f"{name}: {value}\r\n".encode("latin-1"))
        if not keep_alive:
            head.append(b"connection: close\r\n")
        head.append(b"content-length: %d\r\n\r\n" % len(reply.body))
        head.append(reply.body)
        return b"".join(head)


def _most_body(url: bytes) -> int:
    if url == _URL:
        return message_endpoint.MAX_BODY
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


class _Direct:
    """A request that does without ASGI. The base class holds it as its cycle: the current request, or the last one.

    As it is, it is one that was refused: its body is thrown away.
    """

    __slots__ = ("_connection", "disconnected", "keep_alive", "response_complete", "ticket")

    def __init__(self, connection: MessageProtocol, ticket: Ticket | None, *, keep_alive: bool) -> None:
        self._connection = connection
        self.ticket = ticket
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def message_event(self) -> "_Direct":
        return self

    def set(self) -> None:
        """Nothing waits for this event."""

    def add(self, chunk: bytes, whole: int, *, counted: bool) -> None:
        """A part of the body, which has `whole` bytes now. `counted`: its length was not known before."""
        if whole > _MOST_DISCARDED:
            self._connection.transport.abort()
        else:
            self._connection.discard(len(chunk))

    def complete(self) -> None:
        """The whole request has been read."""

    def release(self) -> None:
        if self.ticket is not None:
            self.ticket.release()

    def respond(self, reply: Reply) -> None:
        if self.response_complete:
            return
        self.response_complete = True
        self.release()
        connection = self._connection
        transport = connection.transport
        if self.disconnected or transport.is_closing():
            return
        if reply.status != 202:
            connection.answers(reply.status)
        transport.write(connection._written(reply, keep_alive=self.keep_alive))  # pyright: ignore[reportPrivateUsage]
        if not self.keep_alive:
            transport.close()
        connection.on_response_complete()


class _Mail(_Direct):
    """One POST of a message."""

    __slots__ = ("_authorization", "_chunks", "_key", "_principal", "_read")

    def __init__(
        self,
        connection: MessageProtocol,
        ticket: Ticket,
        principal: Principal,
        authorization: str | None,
        key: str | None,
        *,
        keep_alive: bool,
    ) -> None:
        super().__init__(connection, ticket, keep_alive=keep_alive)
        self._principal = principal
        self._authorization = authorization
        self._key = key
        self._read = connection.reads
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes, whole: int, *, counted: bool) -> None:
        if self.response_complete:
            super().add(chunk, whole, counted=counted)
        elif whole > message_endpoint.MAX_BODY:
            self._give_up(self._connection._admission.refuse_body(message_endpoint.MAX_BODY))  # pyright: ignore[reportPrivateUsage]
        elif counted and (refusal := self._grow(len(chunk), whole)):
            self._give_up(refusal)
        else:
            self._chunks.append(chunk)

    def _grow(self, size: int, whole: int) -> Refusal | None:
        if whole - size <= SMALL_BODY < whole and (refusal := self._connection.without_room(self._principal)):
            return refusal
        return cast(Ticket, self.ticket).grow(size, whole)

    def release(self) -> None:
        # The connection and its request refer to each other: without this, the body would wait for the garbage collector.
        self._chunks.clear()
        super().release()

    def _give_up(self, refusal: Refusal) -> None:
        self.respond(Reply(*problems.refused(refusal)))

    def complete(self) -> None:
        if self.response_complete:
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        endpoint = self._connection.endpoint
        client = self._connection.client_address
        if self._read != self._connection.reads:
            # It came in several chunks: the key may have been revoked in between.
            principal = endpoint.keys.lookup(self._authorization)
            if principal is None or principal.networks:
                self._wait_for(endpoint.handle(self._authorization, self._key, body, client))
                return
            self._principal = principal
        try:
            stored = endpoint.enqueue(self._principal, self._authorization, self._key, body)
        except Forbidden as error:
            self._reconsider(error, body)
        except Exception as error:
            self.respond(message_endpoint.failure(error))
        else:
            stored.add_done_callback(self._stored)

    def _stored(self, stored: asyncio.Future[Accepted | Repeated]) -> None:
        endpoint = self._connection.endpoint
        try:
            result = stored.result()
            if isinstance(result, Repeated):
                self._wait_for(endpoint.repeated(result, self._principal))
            else:
                self.respond(endpoint.accepted(result))
        except Forbidden as error:  # of a large message, which is read in a thread and not kept
            self._reconsider(error, None)
        except (Exception, asyncio.CancelledError) as error:
            self.respond(message_endpoint.failure(error))

    def _reconsider(self, refused: Forbidden, body: bytes | None) -> None:
        endpoint = self._connection.endpoint
        client = self._connection.client_address
        work = endpoint.reconsider(self._principal, refused, self._authorization, self._key, body, client)
        self._wait_for(work)

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
            reply = message_endpoint.failure(error)
        self.respond(reply)
