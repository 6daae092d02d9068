"""A request that goes from the parser straight to the endpoint of messages, without ASGI."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from mailcordon.adapters.http import limited_connection, message_endpoint, problems
from mailcordon.adapters.http.limited_connection import LimitedConnection
from mailcordon.adapters.http.message_endpoint import MessageEndpoint, Reply
from mailcordon.core.errors import Forbidden
from mailcordon.core.principal import Principal
from mailcordon.door.admission import SMALL_BODY, Refusal, Ticket
from mailcordon.send.accept_item import Accepted, Repeated


class Direct:
    """A request that does without ASGI. The base class holds it as its cycle: the current request, or the last one.

    As it is, it is one that was refused: its body is thrown away.
    """

    __slots__ = ("_connection", "disconnected", "keep_alive", "response_complete", "ticket")

    def __init__(self, connection: LimitedConnection, ticket: Ticket | None, *, keep_alive: bool) -> None:
        self._connection = connection
        self.ticket = ticket
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def message_event(self) -> "Direct":
        return self

    def set(self) -> None:
        """Nothing waits for this event."""

    def add(self, chunk: bytes, whole: int, *, counted: bool) -> None:
        """A part of the body, which has `whole` bytes now. `counted`: its length was not known before."""
        if whole > limited_connection.MOST_DISCARDED:
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
        transport.write(connection.written(reply, keep_alive=self.keep_alive))
        if not self.keep_alive:
            transport.close()
        connection.on_response_complete()


class Mail(Direct):
    """One POST of a message."""

    most_body = message_endpoint.MAX_BODY
    __slots__ = ("_authorization", "_chunks", "_endpoint", "_key", "_principal", "_read")

    def __init__(
        self,
        connection: LimitedConnection,
        ticket: Ticket,
        endpoint: MessageEndpoint,
        principal: Principal,
        authorization: str | None,
        key: str | None,
        *,
        keep_alive: bool,
    ) -> None:
        super().__init__(connection, ticket, keep_alive=keep_alive)
        self._endpoint = endpoint
        self._principal = principal
        self._authorization = authorization
        self._key = key
        self._read = connection.reads
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes, whole: int, *, counted: bool) -> None:
        if self.response_complete:
            super().add(chunk, whole, counted=counted)
        elif whole > self.most_body:
            self._give_up(self._connection.admission.refuse_body(self.most_body))
        elif counted and (refusal := self._grow(len(chunk), whole)):
            self._give_up(refusal)
        else:
            self._chunks.append(chunk)

    def _grow(self, size: int, whole: int) -> Refusal | None:
        if whole - size <= SMALL_BODY < whole and (
            refusal := self._connection.callers.without_room(self._principal)
        ):
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
        endpoint = self._endpoint
        client = self._connection.callers.client_address
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
        endpoint = self._endpoint
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
        endpoint = self._endpoint
        client = self._connection.callers.client_address
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
