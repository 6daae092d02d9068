"""A signed request that goes from the parser straight to the SES door, without ASGI."""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from mailcordon.adapters.http.direct_request import Mail
from mailcordon.adapters.http.message_endpoint import Reply
from mailcordon.adapters.http.ses_door import errors, signature
from mailcordon.adapters.http.ses_door.endpoint import MAX_BODY, Request, SesDoor
from mailcordon.core.errors import Forbidden
from mailcordon.door.admission import Refusal, Ticket
from mailcordon.send.accept_item import Accepted, Repeated

if TYPE_CHECKING:
    from mailcordon.adapters.http.message_protocol import MessageProtocol
    from mailcordon.core.principal import Principal


class SesMail(Mail):
    """One request that may be a mail."""

    __slots__ = ("_door", "_hash", "_headers", "_request", "_size", "_target", "_v1")
    most_body = MAX_BODY

    def __init__(
        self,
        connection: "MessageProtocol",
        ticket: Ticket,
        door: SesDoor,
        principal: "Principal",
        authorization: str | None,
        *,
        keep_alive: bool,
    ) -> None:
        super().__init__(
            connection, ticket, connection.endpoint, principal, authorization, None, keep_alive=keep_alive
        )
        self._door = door
        self._headers = connection.headers
        self._target = connection.url
        self._v1 = not self._target.startswith(b"/v2/")
        self._hash = hashlib.sha256()
        self._size = 0

    def add(self, chunk: bytes, whole: int, *, counted: bool) -> None:
        super().add(chunk, whole, counted=counted)
        if not self.response_complete:
            self._hash.update(chunk)
            self._size = whole

    def _give_up(self, refusal: Refusal) -> None:
        self.respond(errors.reply(errors.of_refusal(refusal), v1=self._v1))

    def complete(self) -> None:
        if self.response_complete:
            return
        request = Request(
            method="POST",
            target=self._target,
            headers=self._headers,
            chunks=self._chunks,
            size=self._size,
            digest=self._hash.hexdigest(),
            client=self._connection.callers.client_address,
        )
        self._chunks = []
        self._request = request
        door = self._door
        try:
            claim, signed = signature.claim(self._authorization)
            access = door.access.find(claim.access_key)
            if access is None or access.principal.networks:
                self._wait_for(door.handle(request))
                return
            done = door.begin(request, door.checked(request, access, claim, signed))
        except (Forbidden, errors.Unresolved) as error:
            if request.chunks:
                self._wait_for(door.handle(request))
            else:
                self.respond(errors.reply(error, v1=self._v1))
        except Exception as error:
            self.respond(errors.reply(error, v1=self._v1))
        else:
            if isinstance(done, asyncio.Future):
                done.add_done_callback(self._stored)
            else:
                self._wait_for(door.answered(request, done))

    def _stored(self, stored: asyncio.Future[Accepted | Repeated]) -> None:
        reply: Reply
        try:
            reply = self._door.sent(self._request, stored.result())
        except (
            Forbidden,
            errors.Unresolved,
        ) as error:  # of a large mail, which is read in a thread and not kept
            self._wait_for(self._door.refused_for_now(self._request, error))
            return
        except (Exception, asyncio.CancelledError) as error:
            reply = errors.reply(error, v1=self._v1)
        self.respond(reply)
