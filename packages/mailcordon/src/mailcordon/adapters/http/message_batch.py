"""Takes POST /v1/messages/batch: up to 1,000 messages, each answered as if it had come alone, in their order.

There is no transaction around a batch: a message that is refused stops no other, and what was stored stays stored if the
connection breaks. Each message may have an `idempotency_key`, so a batch can be sent again.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.types import HTTPScope, Receive, Scope, Send

from mailcordon.adapters.http import batch_body, message_endpoint, message_shapes, problems
from mailcordon.adapters.http.batch_body import Item
from mailcordon.adapters.http.message_body import SendBody
from mailcordon.adapters.http.message_endpoint import JSON, MessageEndpoint, Reply, client_of
from mailcordon.adapters.http.message_shapes import MessageAccepted
from mailcordon.adapters.http.problems import Problem
from mailcordon.adapters.http.request_headers import credentials
from mailcordon.core import idempotency
from mailcordon.core.errors import Fault, Invalid, Later, parse_field
from mailcordon.core.principal import Principal
from mailcordon.messages import raw_mail
from mailcordon.send.accept_item import LARGE, Accepted, Repeated

PATH = problems.BATCH_PATH
_AT_ONCE = 250  #: messages that wait for their commit together; one database batch takes 256
_BEFORE_OTHERS = 16  #: messages that are checked before other requests have a turn


class BatchBody(msgspec.Struct):
    """Each message is as POST /v1/messages takes it."""

    messages: list[SendBody]


class BatchResult(msgspec.Struct, omit_defaults=True):
    """What happened to one message: `message` or `problem`, as POST /v1/messages would have answered."""

    status: int
    message: MessageAccepted | None = None
    problem: Problem | None = None
    replayed: bool = False  #: its idempotency key was used before, with the same message
    retry_after: int | None = None  #: seconds


class BatchAccepted(msgspec.Struct):
    results: list[BatchResult]  #: in the order of the messages
    accepted: int  #: how many are stored
    refused: int


class BatchEndpoint:
    def __init__(self, endpoint: MessageEndpoint) -> None:
        self._endpoint = endpoint
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI function, of all methods but GET."""
        try:
            if scope["type"] != "http" or scope["method"] != "POST":
                raise MethodNotAllowedException(headers={"allow": "POST"})
            authorization, key = credentials(scope["headers"])
            client = client_of(cast(HTTPScope, scope))
            principal = await self._endpoint.sender(authorization, client)
            if key is not None:
                raise Invalid(Fault("Idempotency-Key", raw_mail.batch_has_no_key()))
            body = await message_endpoint.read_body(receive, problems.MAX_MESSAGES_BODY)
            reply = await self.handle(principal, authorization, body)
        except Exception as error:
            reply = message_endpoint.failure(error)
        await message_endpoint.respond(send, reply)

    async def handle(self, principal: Principal, authorization: str | None, raw: bytes) -> Reply:
        """Handles a batch. Raises MailcordonError for what is wrong with the whole of it."""
        items = await asyncio.to_thread(batch_body.read, raw) if len(raw) > LARGE else batch_body.read(raw)
        results: list[BatchResult] = []
        for start in range(0, len(items), _AT_ONCE):
            results += await self._some(principal, authorization, raw, items[start : start + _AT_ONCE])
        accepted = sum(one.message is not None for one in results)
        return Reply(200, self._encode(BatchAccepted(results, accepted, len(results) - accepted)), JSON)

    async def _some(
        self, principal: Principal, authorization: str | None, raw: bytes, items: Sequence[Item]
    ) -> list[BatchResult]:
        waiting: list[asyncio.Future[Accepted | Repeated] | Exception] = []
        for number, item in enumerate(items):
            if number % _BEFORE_OTHERS == _BEFORE_OTHERS - 1:
                await asyncio.sleep(0)
            try:
                waiting.append(self._enqueue(principal, authorization, raw[item.begin : item.end], item.key))
            except Exception as problem:
                waiting.append(problem)
        stored = await asyncio.gather(
            *(one for one in waiting if not isinstance(one, Exception)), return_exceptions=True
        )
        answers = iter(stored)
        return [
            await self._result(principal, one if isinstance(one, Exception) else next(answers))
            for one in waiting
        ]

    def _enqueue(
        self, principal: Principal, authorization: str | None, raw: bytes, key: str | None
    ) -> asyncio.Future[Accepted | Repeated]:
        return self._endpoint.intake.take(
            principal,
            len(raw),
            lambda: self._endpoint.parse(principal, raw, in_batch=True),
            key=None if key is None else parse_field("idempotency_key", idempotency.parse, key),
            again=lambda: self._endpoint.keys.authenticate(authorization),
            mime=message_endpoint.may_be_mime(raw),
        )

    async def _result(self, principal: Principal, answer: Accepted | Repeated | BaseException) -> BatchResult:
        if isinstance(answer, Repeated):
            try:
                found = await self._endpoint.repeated_message(answer, principal)
            except Exception as problem:
                answer = problem
            else:
                return BatchResult(202, found, replayed=True)
        if isinstance(answer, Accepted):
            return BatchResult(202, message_shapes.message_accepted(answer))
        status, problem, _ = problems.describe(message_endpoint.said(answer))
        later = answer.retry_after if isinstance(answer, Later) else None
        return BatchResult(status, problem=msgspec.json.decode(problem, type=Problem), retry_after=later)
