"""Takes POST /v1/messages: one decode, one look-up of the key in memory, and a place in the next batch.

It is the hot path, and has two entries that do the same: a plain ASGI function here, and `message_protocol.py`, which does
without ASGI.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.types import HTTPScope, Receive, Scope, Send

from mailcordon.adapters.http import json_body, large_message, message_body, message_shapes, problems
from mailcordon.adapters.http.message_body import SendBody
from mailcordon.adapters.http.message_shapes import DeliveryAccepted, MessageAccepted
from mailcordon.adapters.http.request_headers import credentials
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import idempotency, ids, ses_door_ids
from mailcordon.core import text as texts
from mailcordon.core.errors import (
    Fault,
    Forbidden,
    Invalid,
    MailcordonError,
    NotFound,
    Unavailable,
    parse_field,
)
from mailcordon.core.principal import Principal
from mailcordon.door.buckets import TENANT_RATES, Buckets, Rates
from mailcordon.door.reads import ReadLimits, Reads
from mailcordon.intake import Intake
from mailcordon.messages import api
from mailcordon.messages import raw_mail as messages
from mailcordon.send import raw_mail, submission, view
from mailcordon.send.accept import Accept
from mailcordon.send.accept_item import LARGE, Accepted, Repeated
from mailcordon.send.templates import Rendering, Unrendered

App = Callable[[Scope, Receive, Send], Awaitable[None]]
PATH = "/v1/messages"
#: Bytes of JSON: what SES takes (compose.MAX_ENCODED) in base64 with line breaks, and JSON around it.
MAX_BODY = 48 * 1024 * 1024
JSON = {"content-type": "application/json"}


class Reply(NamedTuple):  # made for every message, and faster to make than a frozen dataclass
    """A response to POST."""

    status: int
    body: bytes
    headers: dict[str, str]


class MessageEndpoint:
    """Takes POST, and has what the routes of messages.py need."""

    def __init__(
        self,
        *,
        accept: Accept,
        keys: KeyCache,
        reader: view.MessageReader,
        canceller: view.Canceller,
        hash_key: bytes,
        buckets: Buckets | None = None,
        reads: Reads | None = None,
        region: str = "us-east-1",
        rendering: Rendering | None = None,
    ) -> None:
        self.accept = accept
        self.buckets = buckets or Buckets(Rates(), TENANT_RATES, lambda limit: None)
        self.intake = Intake(accept, self.buckets, rendering)
        self.keys = keys
        self.reader = reader
        self.canceller = canceller
        self.hash_key = hash_key
        self.reads = reads or Reads(ReadLimits(), lambda limit: None)
        self.region = region  #: of SES
        self._decoder = msgspec.json.Decoder(SendBody)
        self._encode = msgspec.json.Encoder().encode

    # POST -----------------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI function for /v1/messages, of all methods but GET."""
        try:
            if scope["type"] != "http" or scope["method"] != "POST":
                raise MethodNotAllowedException(headers={"allow": "GET, POST"})
            authorization, key = credentials(scope["headers"])
            client = client_of(cast(HTTPScope, scope))
            await self.sender(authorization, client)  # before any of the body is kept in memory
            reply = await self.handle(authorization, key, await read_body(receive), client)
        except Exception as error:
            reply = failure(error)
        await respond(send, reply)

    async def handle(self, authorization: str | None, key: str | None, raw: bytes, client: str = "") -> Reply:
        """Handles a whole request. Raises MailcordonError."""
        principal = await self.sender(authorization, client)
        try:
            result = await self.enqueue(principal, authorization, key, raw)
        except Forbidden as refused:
            return await self.reconsider(principal, refused, authorization, key, raw, client)
        return (
            await self.repeated(result, principal) if isinstance(result, Repeated) else self.accepted(result)
        )

    async def reconsider(
        self,
        principal: Principal,
        refused: Forbidden,
        authorization: str | None,
        key: str | None,
        raw: bytes | None,
        client: str,
    ) -> Reply:
        """A key in memory may be older than a change that widened it: reads it, and handles the request again if it has changed.

        Without `raw` only the next request profits. Raises `refused` if the key is as it was.
        """
        async with self.reads.of(principal):
            now = await self.keys.authenticate(authorization)
        if raw is None or now == principal:
            raise refused
        return await self.handle(authorization, key, raw, client)

    async def sender(self, authorization: str | None, client: str) -> Principal:
        principal = self.keys.lookup(authorization)
        if principal is None:
            async with self.reads.of_client(client):
                principal = await self.keys.load(authorization)
        try:
            principal.require_network(client)
            principal.require("send")
        except Forbidden:  # as `reconsider` does
            async with self.reads.of(principal):
                principal = await self.keys.authenticate(authorization)
            principal.require_network(client)
            principal.require("send")
        return principal

    def enqueue(
        self, principal: Principal, authorization: str | None, key: str | None, raw: bytes
    ) -> asyncio.Future[Accepted | Repeated]:
        """Puts the message into the next batch. Raises MailcordonError for what can be checked at once."""
        return self.intake.take(
            principal,
            len(raw),
            lambda: self.parse(principal, raw),
            key=_idempotency_key(key),
            again=lambda: self.keys.authenticate(authorization),
            mime=may_be_mime(raw),
        )

    def parse(
        self, principal: Principal, raw: bytes, *, in_batch: bool = False
    ) -> tuple[str, submission.Submission | Unrendered]:
        """The tenant and the checked message. Raises MailcordonError."""
        if len(raw) > LARGE:
            body, long = large_message.read(raw)
        else:
            body = json_body.read_as(self._decoder, raw, message_body.is_flat)
            long = message_body.long_of(body)
        principal.require_type(body.type)  # before its faults are listed
        if body.idempotency_key is not None and not in_batch:
            raise Invalid(Fault("idempotency_key", messages.key_is_a_header()))
        return principal.tenant_for(body.tenant), message_body.checked(body, long)

    def accepted(self, accepted: Accepted) -> Reply:
        return Reply(202, self._encode(message_shapes.message_accepted(accepted)), JSON)

    async def repeated(self, repeated: Repeated, principal: Principal) -> Reply:
        accepted = await self.repeated_message(repeated, principal)
        headers = {"content-type": "application/json", "idempotency-replayed": "true"}
        return Reply(202, self._encode(accepted), headers)

    async def repeated_message(self, repeated: Repeated, principal: Principal) -> MessageAccepted:
        message = repeated.message
        async with self.reads.of(principal):
            records = await self.reader.records(message, principal.tenant_id)
        if records is None:
            # Its rows are past retention and its key is not: only the id is left.
            return MessageAccepted(ids.message_id(message), principal.tenant_slug or "", "", [])
        return MessageAccepted(
            id=ids.message_id(message),
            tenant=records.message.tenant_slug,
            type=records.message.type,
            deliveries=[
                DeliveryAccepted(
                    ids.delivery_id(one.id), one.to, message_shapes.word(one.state), one.reason, one.detail
                )
                for one in view.deliveries(records)
            ],
            headers_removed=list(repeated.removed),
            path=records.message.fixed_path,
        )

    # GET, DELETE ------------------------------------------------------------------------------------------------------------

    async def records(self, text: str, principal: Principal) -> view.MessageRecords:
        """Raises NotFound if there is no such message, or the key may not read it."""
        try:
            message = ses_door_ids.parse_message_id(text)
        except ValueError as problem:
            raise NotFound(api.not_a_message_id(texts.harmless(text, 64), str(problem))) from None
        records = await self.reader.records(message, principal.tenant_id)
        if records is None:
            raise NotFound(api.no_message(texts.harmless(text, 64)))
        return records


def may_be_mime(raw: bytes) -> bool:
    """Whether this JSON may have a whole MIME message in it. Only asked of what is long enough to matter."""
    return len(raw) > raw_mail.SLOW and b'"raw"' in raw


def client_of(scope: HTTPScope) -> str:
    """The client's address, as far as the server knows it."""
    return scope["client"][0] if scope["client"] else ""


async def respond(send: Send, reply: Reply) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (b"content-length", b"%d" % len(reply.body)),
                *((name.encode(), value.encode()) for name, value in reply.headers.items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def failure(error: BaseException) -> Reply:
    return Reply(*problems.describe(said(error)))


def said(error: BaseException) -> BaseException:
    """What the caller is told of."""
    return Unavailable(api.server_stopping()) if isinstance(error, asyncio.CancelledError) else error


def too_large(most: int = MAX_BODY) -> MailcordonError:
    return problems.TooLarge(api.body_too_large(most))


def _idempotency_key(key: str | None) -> str | None:
    return None if key is None else parse_field("Idempotency-Key", idempotency.parse, key)


async def read_body(receive: Receive, most: int = MAX_BODY) -> bytes:
    """Raises TooLarge and Malformed."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body = message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        return body
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise problems.Malformed(api.body_cut_off(), code="cut-off")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise too_large(most)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
