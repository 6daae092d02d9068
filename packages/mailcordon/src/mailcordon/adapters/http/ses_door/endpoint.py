"""Takes the requests of SES's APIs: checks the signature, finds the operation, and answers in SES's words.

Mail goes through the one intake of all doors. As POST /v1/messages, it has two entries that do the same: a plain ASGI function
here, and direct.py, which does without ASGI.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec
from litestar.types import HTTPScope, Receive, Scope, Send

from mailcordon.adapters.http import message_endpoint, problems
from mailcordon.adapters.http.message_endpoint import MessageEndpoint, Reply
from mailcordon.adapters.http.request_headers import credentials
from mailcordon.adapters.http.ses_door import account, bulk, errors, operations, signature, v1, v2
from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.control.access_keys import AccessKeyCache, KnownAccess
from mailcordon.control.key_cache import Known
from mailcordon.core import ses_door_ids
from mailcordon.core.errors import Forbidden, MailcordonError, Unauthorised
from mailcordon.core.principal import SEND, Principal
from mailcordon.intake import Parse
from mailcordon.messages import api
from mailcordon.messages import ses_door as messages
from mailcordon.send.accept_item import LARGE, Accepted, Repeated
from mailcordon.send.submission import Submission
from mailcordon.send.templates import Unrendered

MAX_BODY = problems.MAX_SES_BODY
_END = 4096  #: bytes of a form in which its operation is named
_json = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True)
class Request:
    """A whole request."""

    method: str
    target: bytes  #: path and query as sent
    headers: Sequence[tuple[bytes, bytes]]  #: names in lower case
    chunks: list[bytes]  #: the body
    size: int  #: of the body
    digest: str  #: SHA-256 of the body in hexadecimal
    client: str  #: the client's address

    @property
    def v1(self) -> bool:
        return not self.target.startswith(b"/v2/")

    operation: str = ""

    def body(self) -> bytes:
        if len(self.chunks) > 1:
            self.chunks = [b"".join(self.chunks)]
        return self.chunks[0] if self.chunks else b""

    def ends(self) -> tuple[bytes, bytes]:
        """The beginning and the end of the body, which is not put together for that."""
        if len(self.chunks) == 1:
            return self.chunks[0][:_END], self.chunks[0][-_END:]
        found: list[bytes] = []
        for chunks in (self.chunks, [*reversed(self.chunks)]):
            some, size = list[bytes](), 0
            for chunk in chunks:
                some.append(chunk)
                size += len(chunk)
                if size >= _END:
                    break
            found.append(b"".join(some if chunks is self.chunks else reversed(some)))
        return found[0], found[1]

    def last_body(self) -> bytes:
        """The body. A large one is not kept here any longer."""
        body = self.body()
        if self.size > LARGE:
            self.chunks = []
        return body


def is_path(target: bytes, method: str = "POST") -> bool:
    """Whether a request to this path and query is the SES door's."""
    return target.startswith(b"/v2/email/") or (
        method == "POST" and (target == b"/" or target.startswith(b"/?"))
    )


class SesDoor:
    """`clock`: seconds since 1970."""

    def __init__(
        self,
        endpoint: MessageEndpoint,
        access: AccessKeyCache,
        services: Services,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._services = services
        self._endpoint = endpoint
        self._intake = endpoint.intake
        self.access = access
        self._clock = clock

    def claimed(self, authorization: str) -> Known | None:
        """The API key behind an AWS signature that was not checked: for whom the request counts until it is complete."""
        id = signature.claimed_key(authorization) if authorization.startswith("AWS4-") else None
        access = None if id is None else self.access.find(id)
        return None if access is None else access.known

    # Requests ---------------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI function."""
        asked = cast(HTTPScope, scope)
        target = asked["raw_path"] + (b"?" + asked["query_string"] if asked["query_string"] else b"")
        v1 = not target.startswith(b"/v2/")
        try:
            client = message_endpoint.client_of(asked)
            authorization, _ = credentials(asked["headers"])
            await self._key(authorization, client)  # before any of the body is kept in memory
            chunks, size, digest = await _read(receive)
            request = Request(
                method=asked["method"],
                target=target,
                headers=list(asked["headers"]),
                chunks=chunks,
                size=size,
                digest=digest,
                client=client,
            )
            reply = await self.handle(request)
        except Exception as error:
            reply = errors.reply(error, v1=v1)
        await message_endpoint.respond(send, reply)

    async def handle(self, request: Request) -> Reply:
        """Answers a whole request. Raises no Exception."""
        try:
            authorization, _ = credentials(request.headers)
            claim, signed = signature.claim(authorization)
            access = self.checked(request, await self._key(authorization, request.client), claim, signed)
            return await self._answer(request, access)
        except Exception as error:
            return errors.reply(error, v1=request.v1)

    async def _answer(self, request: Request, access: KnownAccess) -> Reply:
        try:
            access.principal.require_network(request.client)
            return await self._perform(request, access)
        except (Forbidden, errors.Unresolved):
            # A key in memory may be older than a change that widened it.
            async with self._endpoint.reads.of(access.principal):
                now = await self._again(access.id)
            if (now is access) or not (request.chunks or not request.size):
                raise
            now.principal.require_network(request.client)
            return await self._perform(request, now)

    async def _perform(self, request: Request, access: KnownAccess) -> Reply:
        done = self.begin(request, access)
        if isinstance(done, asyncio.Future):
            return self.sent(request, await done)
        return await done

    def begin(
        self, request: Request, access: KnownAccess
    ) -> asyncio.Future[Accepted | Repeated] | Coroutine[Any, Any, Reply]:
        """Puts a mail into the next batch, whose answer `sent` makes; or returns the work that another operation is.

        Raises SesError or MailcordonError for what can be checked at once.
        """
        path: tuple[str, ...] = ()
        if request.target == v2.MAIL_PATH and request.method == "POST":
            request.operation = "SendEmail"
            return self._take(access, request.size, lambda: v2.submission(access, request.last_body()))
        if request.v1:
            request.operation = v1.action(*request.ends())
        else:
            request.operation, path = v2.operation(
                request.method, request.target.partition(b"?")[0].decode("latin-1")
            )
        parse = _MAIL.get((request.v1, request.operation))
        if parse is not None:
            return self._take(access, request.size, lambda: parse(access, request.last_body()))
        if request.v1 and request.operation in ("GetSendQuota", "GetSendStatistics"):
            return self._in_turn(request, access, lambda principal: self._of_v1(request, principal))
        if request.operation == "SendBulkEmail" and not request.v1:
            return self._bulk(request, access)
        if request.v1 or not request.operation:
            raise SesError("UnknownOperationException", messages.no_such_operation(request.operation), 404)
        if request.size > problems.MAX_BODY:
            raise problems.TooLarge(api.body_too_large(problems.MAX_BODY))
        return self._in_turn(request, access, lambda principal: self._of_v2(request, path, principal))

    async def _in_turn(
        self, request: Request, access: KnownAccess, work: Callable[[Principal], Awaitable[Reply]]
    ) -> Reply:
        """As read_turns.py has the requests of the REST API: counted, and one of a caller at a time."""
        principal, now = access.principal, time.monotonic()
        self._endpoint.buckets.read_of_key(
            principal.key_id, principal.prefix, principal.limits, now, platform=principal.is_platform
        )
        if principal.tenant_slug is not None:
            self._endpoint.buckets.read_of_tenant(principal.tenant_slug, now)
        async with self._endpoint.reads.of(principal):
            fresh = (await self._again(access.id)).principal
            fresh.require_network(request.client)
            return await work(fresh)

    async def _of_v1(self, request: Request, principal: Principal) -> Reply:
        made = account.send_quota if request.operation == "GetSendQuota" else account.send_statistics
        return v1.answer(request.operation, await made(self._services, principal))

    async def _of_v2(self, request: Request, path: tuple[str, ...], principal: Principal) -> Reply:
        query = parse_qs(request.target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)
        return answer(
            await operations.perform(
                self._services, principal, request.operation, path, query, request.body()
            )
        )

    async def _bulk(self, request: Request, access: KnownAccess) -> Reply:
        body = request.body()
        reads = await asyncio.to_thread(bulk.read, body) if request.size > LARGE else bulk.read(body)
        share = bulk.size(request.size, reads)
        outcomes: list[Accepted | BaseException] = []
        waiting: list[asyncio.Future[Accepted | Repeated] | Exception] = []
        for entry in reads:
            try:
                v2.asked_of(access, entry.call)  # a large one is read later, in a thread
                waiting.append(self._take(access, share, lambda entry=entry: v2.templated(access, entry)))
            except (SesError, MailcordonError) as problem:
                if bulk.refuses_all(problem) and not any(isinstance(one, asyncio.Future) for one in waiting):
                    raise
                waiting.append(problem)
        for one in waiting:
            if isinstance(one, Exception):
                outcomes.append(one)
                continue
            try:
                outcomes.append(_accepted(await one))
            except Exception as problem:
                outcomes.append(problem)
        return answer({"BulkEmailEntryResults": [bulk.result(one) for one in outcomes]})

    async def answered(self, request: Request, work: Coroutine[Any, Any, Reply]) -> Reply:
        """What the work answers. Raises no Exception."""
        try:
            return await work
        except Exception as error:
            return errors.reply(error, v1=request.v1)

    async def refused_for_now(self, request: Request, error: Exception) -> Reply:
        """Reads the key again, so that the next request is judged by it as it is now. Raises no Exception."""
        authorization, _ = credentials(request.headers)
        id = signature.claimed_key(authorization or "") or ""
        async with self._endpoint.reads.of_client(request.client):
            await self.access.authenticate(id)
        return errors.reply(error, v1=request.v1)

    async def _key(self, authorization: str | None, client: str) -> KnownAccess:
        """The access key that the request names; its signature is not checked yet. Raises SesError."""
        claim, _ = signature.claim(authorization)
        access = self.access.find(claim.access_key)
        if access is None:
            async with self._endpoint.reads.of_client(client):
                access = await self.access.load(claim.access_key)
        if access is None:
            raise signature.unknown(claim.access_key)
        return access

    def checked(
        self, request: Request, access: KnownAccess, claim: signature.Claim, signed: str
    ) -> KnownAccess:
        """Returns `access` if its secret signed the request. Raises SesError."""
        signature.verify(
            claim,
            signed,
            access,
            method=request.method,
            target=request.target,
            headers=request.headers,
            digest=request.digest,
            now=self._clock(),
        )
        return access

    async def _again(self, id: str) -> KnownAccess:
        """Raises Unauthorised if the access key has ended."""
        found = await self.access.authenticate(id)
        if found is None:
            raise Unauthorised(messages.access_key_unknown(id))
        return found

    async def _principal_again(self, id: str) -> Principal:
        return (await self._again(id)).principal

    # Mail -------------------------------------------------------------------------------------------------------------------

    def _take(self, access: KnownAccess, size: int, parse: Parse) -> asyncio.Future[Accepted | Repeated]:
        access.principal.require(SEND)
        return self._intake.take(
            access.principal,
            size,
            parse,
            key=None,  # SES has none
            again=lambda: self._principal_again(access.id),
            mime=True,  # it may be one
        )

    def sent(self, request: Request, result: Accepted | Repeated) -> Reply:
        """The answer to a message that is stored."""
        said = {"MessageId": ses_door_ids.encode(_accepted(result).id)}
        return v1.answer(request.operation, said) if request.v1 else answer(said)


def _accepted(result: Accepted | Repeated) -> Accepted:
    assert isinstance(result, Accepted), "there are no idempotency keys"
    return result


#: What reads a mail, by API and operation.
_MAIL: Mapping[tuple[bool, str], Callable[[KnownAccess, bytes], tuple[str, Submission | Unrendered]]] = {
    (False, "SendEmail"): v2.submission,
    (True, "SendEmail"): v1.submission,
    (True, "SendRawEmail"): v1.raw_submission,
    (True, "SendTemplatedEmail"): v1.templated,
}


def answer(body: object) -> Reply:
    headers = {"content-type": "application/json", "x-amzn-requestid": errors.new_request_id()}
    return Reply(200, _json(body), headers)


async def _read(receive: Receive) -> tuple[list[bytes], int, str]:
    chunks: list[bytes] = []
    size, hashed = 0, hashlib.sha256()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise problems.Malformed(api.body_cut_off(), code="cut-off")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise problems.TooLarge(api.body_too_large(MAX_BODY))
        if chunk:
            hashed.update(chunk)
            chunks.append(chunk)
        if not message.get("more_body"):
            return chunks, size, hashed.hexdigest()
