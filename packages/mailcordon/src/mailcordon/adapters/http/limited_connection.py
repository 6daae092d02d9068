"""One connection with the door's limits, whatever is asked on it (docs/door.md).

It counts what arrives: bytes of heads, of bodies and of what surrounds chunks, and the time they take. What it refuses is
answered and closed so that the client can read why. Its subclass says what a request is.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mailcordon.adapters.http import message_endpoint, problems
from mailcordon.adapters.http.connection_callers import ConnectionCallers
from mailcordon.adapters.http.message_endpoint import MessageEndpoint, Reply
from mailcordon.adapters.http.shared_door import Door
from mailcordon.control.key_cache import Known
from mailcordon.door.admission import Refusal
from mailcordon.door.limits import Limit

MOST_DISCARDED = (
    2 * message_endpoint.MAX_BODY
)  #: bytes of a refused body that are read, so that the client can read why
LINGER_BYTES = 256 * 1024  #: that a refused connection may still send, for the same reason
_LINGER_SECONDS = 2.0
_GUEST_SECONDS = 2.0
#: Chunk sizes, extensions and trailers may have this many bytes for each byte of body: a chunk of one byte has 5.
_AROUND_A_BYTE = 8
_LARGE_READ = 64 * 1024  #: bytes that came in one read: more wait probably
#: After these answers, a connection is not read for some seconds. A client that does what the answer says does not notice; one
#: that does not could send thousands a second.
_SLOWING = frozenset({401, 429})
_SLOWED_SECONDS = 0.25

#: Where in the stream a connection is. Plain numbers, since they are read several times for each request.
HEAD = 1  #: between requests, or in a head
BODY = 2
CLOSING = 3  #: refused: what still comes is thrown away


class Stop(Exception):
    """Ends the parser's work on what has arrived: the connection is refused."""


class _Flow(FlowControl):
    """Reads on neither for a request nor for an answer while the connection is slowed."""

    is_slowed = False

    def resume_reading(self) -> None:
        if not self.is_slowed:
            super().resume_reading()


class LimitedConnection(HttpToolsProtocol):
    def __init__(
        self,
        *args: Any,
        endpoint: MessageEndpoint,
        door: Door,
        claimed: Callable[[str], Known | None] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*args, **named)
        self.reads = 0  #: chunks read so far: shows whether a request came in one of them
        self.callers = ConnectionCallers(door, endpoint, claimed)
        self.admission = door.admission
        self._door = door
        self._limits = door.limits
        self._place = HEAD
        self._since = 0.0  #: when the current deadline began to run; 0: there is none
        self._unread_since = 0.0  #: when the client stopped reading; 0: it reads
        self._head = 0  #: bytes of the current head, at least
        self._length: int | None = 0  #: of the current body; None: chunked
        self._received = 0  #: bytes of the current body
        self._raw = 0  #: bytes in which a chunked body came
        self._discarded = 0
        self._linger = LINGER_BYTES

    # Connections ------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        refusal = self.callers.connect(self.client[0] if self.client else None, self)
        if refusal is not None:
            self._turn_away(refusal)
            return
        self._begin_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self.callers.disconnect()
        self._place, self._since, self._unread_since = CLOSING, 0.0, 0.0
        super().connection_lost(exc)

    def evict(self, refusal: Refusal) -> None:
        """Makes room for another connection."""
        if self._place == HEAD and not self._is_waiting():
            self._turn_away(refusal)
        else:
            self.transport.abort()

    def _turn_away(self, refusal: Refusal) -> None:
        """Says why and closes at once: for connections that are not counted, so that nobody can keep many of them."""
        self._place = CLOSING
        if not self.transport.is_closing():
            self.transport.write(self.written(self.refused(refusal), keep_alive=False))
            self.transport.close()

    # Deadlines --------------------------------------------------------------------------------------------------------------

    def _begin_deadline(self) -> None:
        self._since = self.loop.time()
        self._door.watch(self, self.loop)

    def on_response_complete(self) -> None:
        # As the base class does, but an idle connection is one of those whose deadlines are looked at, instead of a timer.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._place == HEAD and not self._head:
            self._begin_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()
        self._door.watch(self, self.loop)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = 0.0

    def check_deadline(self, now: float) -> bool:
        """Refuses what is late. Returns False if there is nothing more to wait for."""
        if self._unread_since and now - self._unread_since > self._limits.response_seconds:
            self.admission.refuse(Limit.RESPONSE_TIME)
            self.transport.abort()
            return False
        if self._since:
            self._check_arrival(now - self._since)
        return bool(self._since or self._unread_since)

    def _check_arrival(self, elapsed: float) -> None:
        limits = self._limits
        if self._place == CLOSING:
            if elapsed > _LINGER_SECONDS and not self._is_waiting():
                self.transport.abort()
        elif self._place == HEAD:
            if self.reads and not self._head:
                if elapsed > limits.idle_seconds:
                    self.transport.close()
            elif self.callers.guest is not None:
                if elapsed > min(_GUEST_SECONDS, limits.head_seconds):
                    self._refuse(self.callers.guest)
            elif elapsed > limits.head_seconds:
                self._refuse(self.admission.refuse(Limit.HEAD_TIME))
        elif self.flow.read_paused:
            self._since = self.loop.time()  # it is us that do not read on
        else:
            needed = (elapsed - limits.head_seconds) * limits.body_bytes_per_second
            if elapsed > limits.body_seconds or self._received < needed:
                self._refuse(self.admission.refuse(Limit.BODY_TIME))

    # What arrives -----------------------------------------------------------------------------------------------------------

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
        if size >= _LARGE_READ and self._place == BODY:
            self._give_way()

    def _give_way(self) -> None:
        """Lets other connections come first: the loop would read one that sends fast 32 times in a row, which is 8 MB."""
        if not self.flow.read_paused and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        if not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _is_within_body(self, size: int) -> bool:
        """Whether the next `size` bytes belong to the current body, all of them."""
        return self._place == BODY and self._length is not None and self._received + size <= self._length

    def _take(self, data: bytes, size: int) -> None:
        place = self._place
        if place == HEAD:
            self._head += size
        elif place == BODY:
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
            if not isinstance(cause, Stop):
                if not isinstance(cause, ValueError | httptools.HttpParserError | None):
                    self.logger.error("unexpected error in a request", exc_info=cause)
                self._refuse(self.admission.refuse(Limit.MALFORMED))
            return
        if self._place == HEAD:
            if self._head:
                self._check_head(size)
        elif self._place == BODY:
            if not self._since:
                self._begin_deadline()
            if self._length is None:
                self._check_framing()

    def _check_head(self, size: int) -> None:
        """A part of a head has arrived: the first one if the head has no more than its `size` bytes."""
        if not self._since or self._head == size:
            self._begin_deadline()
        if self._head > self._limits.head_bytes:
            self._refuse(self.admission.refuse(Limit.HEAD_BYTES))
        elif cast(object, self.headers) is not None and len(self.headers) > self._limits.head_fields:
            self._refuse(self.admission.refuse(Limit.HEAD_FIELDS))

    def _check_framing(self) -> None:
        if self._raw > self._limits.head_bytes + (1 + _AROUND_A_BYTE) * self._received:
            self._refuse(self.admission.refuse(Limit.HEAD_BYTES))

    def _throw_away(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._linger:
            self.transport.abort()

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

    def _is_waiting(self) -> bool:
        """Whether a request is not answered yet: in a head or at its end, an earlier one."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    # Refusals ---------------------------------------------------------------------------------------------------------------

    def _stop(self, limit: Limit) -> None:
        self._refuse(self.admission.refuse(limit))
        raise Stop

    def _refuse(self, refusal: Refusal) -> None:
        """Says why, and closes when the client has had time to read it."""
        if self._place == CLOSING:
            return
        place, self._place = self._place, CLOSING
        self._begin_deadline()
        if self.transport.is_closing():
            if place == BODY and self._is_waiting():
                self._abandon()
            return
        if self._is_waiting():
            if place == HEAD:
                # Its earlier requests are answered first, and then there is no place for this answer.
                self.cycle.keep_alive = False
                return
            if self.pipeline or getattr(self.cycle, "response_started", False):
                self.transport.abort()
                return
            self._abandon()
        elif place == BODY:
            self.transport.abort()  # the request has been answered
            return
        self.transport.write(self.written(self.refused(refusal), keep_alive=False))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def refused(self, refusal: Refusal) -> Reply:
        """The answer to a request that is not admitted."""
        return Reply(*problems.refused(refusal))

    def _abandon(self) -> None:
        """The current request is not answered by its endpoint any more."""
        raise NotImplementedError

    def _close_after_answers(self) -> None:
        self._place = CLOSING
        self._begin_deadline()
        if self._is_waiting():
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def written(self, reply: Reply, *, keep_alive: bool) -> bytes:
        """The bytes of an answer."""
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
