"""The doors for events that are pushed (docs/events.md): SNS over HTTPS, Firehose's HTTP endpoint, EventBridge's destinations.

Each authenticates in the way its sender can: SNS by its signature, the others by an API key with the scope `events`, which a
stream sends as its access key. Each answers after the commit, in the form that its sender understands; what is not stored is
answered with 503, and the sender keeps it.

Plain ASGI, as POST /v1/messages: events share their commits, so they take no turns among the reads.
"""

import asyncio
import binascii
import logging
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Any, cast

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.types import HTTPScope, Receive, Scope, Send

from mailcordon.adapters.http import message_endpoint, problems
from mailcordon.adapters.http.message_endpoint import Reply
from mailcordon.adapters.http.problems import FIREHOSE_PATH, SNS_PATH
from mailcordon.adapters.http.request_headers import credentials, firehose_key
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import clock
from mailcordon.core import text as texts
from mailcordon.core.errors import Forbidden, Unauthorised, Unavailable
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.principal import EVENTS
from mailcordon.core.queue import Unreachable
from mailcordon.door.reads import Reads
from mailcordon.messages import api, reasons
from mailcordon.messages import event_doors as messages
from mailcordon.observe.door import (
    RETRY_AFTER,
    Asked,
    Body,
    Cancelled,
    Confirmer,
    Door,
    DoorTotals,
    NotBelieved,
    Pushed,
    SnsMessages,
    Subscriptions,
    Told,
)
from mailcordon.observe.ports import Decoded, EventReader, Malformed, Undecided

EVENT_BRIDGE_PATH = "/v1/events/eventbridge"
PATHS = frozenset({SNS_PATH, FIREHOSE_PATH, EVENT_BRIDGE_PATH})
MAX_BATCH = problems.MAX_BATCH  #: bytes of a batch of Firehose, also when it is decompressed
_LARGE = 1024 * 1024  #: bytes; of larger batches, one at a time is decoded
_AT_ONCE = 200  #: events that are decoded before others have their turn
MOST_EVENTS = 60_000  #: of a batch; Firehose puts at most 10,000 records into one
_LONGEST_ID = 200
_MOST_CERTIFICATES = 256  #: addresses that wait for the next fetch
_MOST_CONFIRMED = 64  #: tokens that are known to be confirmed
_CERTIFICATE_SECONDS = 10.0  #: SNS waits for 15
_FETCH_EVERY = 1.0  #: seconds between two fetches: whoever makes addresses up must not make us ask for each

_log = logging.getLogger("mailcordon.events")

Unwrap = Callable[[Body], list[Body]]


class _Record(msgspec.Struct):
    data: str


class _Batch(msgspec.Struct):
    requestId: str
    records: list[_Record]
    timestamp: int | None = None


class _Bridged(msgspec.Struct):
    """What every event of EventBridge has."""

    source: str
    detail: msgspec.Raw
    detail_type: str = msgspec.field(name="detail-type")


class FirehoseAnswer(msgspec.Struct, omit_defaults=True):
    requestId: str
    timestamp: int  #: milliseconds since 1970
    errorMessage: str | None = None


_batch = msgspec.json.Decoder(_Batch)
_bridged = msgspec.json.Decoder(_Bridged)
_JSON = message_endpoint.JSON


class EventDoors:
    """`live` is for single events, `bulk` for batches."""

    def __init__(
        self,
        *,
        keys: KeyCache,
        reads: Reads,
        sns: SnsMessages,
        confirmer: Confirmer,
        subscriptions: Subscriptions,
        live: Door,
        bulk: Door,
        reader: EventReader,
        unwrap: Unwrap,
        totals: DoorTotals,
        now: Callable[[], int] = clock.host_ms,
    ) -> None:
        self._keys = keys
        self._reads = reads
        self._sns = sns
        self._confirmer = confirmer
        self._subscriptions = subscriptions
        self._live = live
        self._bulk = bulk
        self._reader = reader
        self._unwrap = unwrap
        self._totals = totals
        self._now = now
        self._certificates = _Certificates(sns.fetch)
        self._large = asyncio.Semaphore(1)
        self._confirming = asyncio.Lock()
        self._confirmed: deque[str] = deque(maxlen=_MOST_CONFIRMED)
        self._warnings = LogLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = cast(HTTPScope, scope)
        if asked["path"] == FIREHOSE_PATH:
            reply = await self._firehose(asked, receive)
        else:
            work = self._of_sns if asked["path"] == SNS_PATH else self._of_event_bridge
            try:
                reply = await work(asked, receive)
            except Exception as error:
                reply = message_endpoint.failure(error)
        await message_endpoint.respond(send, reply)

    # SNS --------------------------------------------------------------------------------------------------------------------

    async def _of_sns(self, scope: HTTPScope, receive: Receive) -> Reply:
        _require_post(scope)
        headers = dict(scope["headers"])
        if headers.get(b"x-amz-sns-rawdelivery", b"").lower() == b"true":
            raise self._not_believed(NotBelieved("raw-delivery", messages.raw_delivery()))
        topic = headers.get(b"x-amz-sns-topic-arn")
        if topic is not None and not self._sns.is_ours(topic.decode("latin-1")):
            # Nothing of it is read. The topic that counts is the signed one.
            why = reasons.foreign_topic(ascii(topic.decode("latin-1")[:300])[1:-1])
            raise self._not_believed(NotBelieved("foreign-topic", why))
        body = await _read(receive, problems.MAX_BODY)
        told = await self._told(body)
        if isinstance(told, NotBelieved):
            raise self._not_believed(told)
        if isinstance(told, Asked):
            await self._confirm(told)
        elif isinstance(told, Cancelled):
            await self._live.take([told.decoded], [body])
            await self._subscriptions.ended(told.topic, told.at)
            _log.error("%s", messages.subscription_cancelled(told.topic))
        else:
            await self._live.take([told.decoded], [body])
            await self._subscriptions.heard(told.topic, told.at)
        return Reply(200, b"{}", _JSON)

    async def _told(self, body: bytes) -> Pushed | Asked | Cancelled | NotBelieved:
        told: Told = self._sns.read(body, self._now())
        if isinstance(told, Undecided):
            await self._certificates.have(told.certificate)
            told = self._sns.read(body, self._now())
        if isinstance(told, Undecided):
            raise _uncertain(told.why or reasons.certificates_not_here())
        return told

    async def _confirm(self, asked: Asked) -> None:
        """One at a time, and each once: whoever has seen such a message must not make us ask SNS as often as it is sent."""
        async with self._confirming:
            if asked.token in self._confirmed:
                return
            try:
                await self._confirmer.confirm(asked.topic, asked.token)
            except Unreachable as error:
                _log.warning("%s", error)
                raise Unavailable(str(error), retry_after=RETRY_AFTER) from error
            await self._subscriptions.confirmed(asked.topic, asked.at)
            self._confirmed.append(asked.token)
        _log.info("%s", messages.subscription_confirmed(asked.topic))

    def _not_believed(self, found: NotBelieved) -> Forbidden:
        self._totals.refuse(found.code)
        why = texts.harmless(found.why)  # it has words of the message, which anybody can send
        if self._warnings.count(found.code) is not None:
            _log.warning("%s", messages.refused(found.code, why))
        return Forbidden(why, code=found.code)

    # EventBridge ------------------------------------------------------------------------------------------------------------

    async def _of_event_bridge(self, scope: HTTPScope, receive: Receive) -> Reply:
        _require_post(scope)
        authorization, _ = credentials(scope["headers"])
        await self._authenticate(authorization, message_endpoint.client_of(scope))
        body = await _read(receive, problems.MAX_BODY)
        try:
            _bridged.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise problems.Malformed(messages.no_event_bridge_event()) from None
        await self._live.take(*self._decoded([body]))
        return Reply(200, b"{}", _JSON)

    # Firehose ---------------------------------------------------------------------------------------------------------------

    async def _firehose(self, scope: HTTPScope, receive: Receive) -> Reply:
        """Every answer has Firehose's form, and repeats the id of the request, or Firehose would not take it for an answer."""
        headers = dict(scope["headers"])
        id = headers.get(b"x-amz-firehose-request-id", b"").decode("latin-1")[:_LONGEST_ID]
        try:
            _require_post(scope)
            authorization, _ = credentials(scope["headers"])
            if authorization is None and (given := firehose_key(FIREHOSE_PATH.encode(), scope["headers"])):
                authorization = given.decode("latin-1")
            if authorization is None:
                raise Unauthorised(messages.access_key_missing())
            await self._authenticate(authorization, message_endpoint.client_of(scope))
            encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
            if encoding not in ("", "identity", "gzip"):
                raise problems.Malformed(messages.unknown_encoding(ascii(encoding[:40])[1:-1]))
            body = [await _read(receive, MAX_BATCH)]
            if len(body[0]) > _LARGE or encoding == "gzip":
                async with self._large:
                    return await self._take_batch(body, encoding, id)
            return await self._take_batch(body, encoding, id)
        except Exception as error:
            failed = message_endpoint.failure(error)
            said = msgspec.json.decode(failed.body, type=problems.Problem)
            kept = {name: value for name, value in failed.headers.items() if name in ("retry-after", "allow")}
            return self._answer(failed.status, id, said.detail, kept)

    async def _take_batch(self, body: list[bytes], encoding: str, id: str) -> Reply:
        """`body` is emptied, so that nobody keeps its memory when it is decoded."""
        raw = body.pop()
        if encoding == "gzip":
            raw = await asyncio.to_thread(unpacked, raw)
        if (
            raw.count(b'"data"') > MOST_EVENTS
        ):  # found at once; decoding that many takes seconds, and all others wait
            raise problems.TooLarge(messages.too_many_in_batch(MOST_EVENTS))
        try:
            batch = await asyncio.to_thread(_batch.decode, raw) if len(raw) > _LARGE else _batch.decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise problems.Malformed(messages.no_firehose_batch()) from None
        del raw
        if id and batch.requestId != id:
            raise problems.Malformed(messages.request_ids_differ())
        decoded: list[Decoded] = []
        bodies: list[Body] = []
        turn = 0
        for record in batch.records:
            if len(decoded) >= turn:
                await asyncio.sleep(0)
                turn = len(decoded) + _AT_ONCE
            try:
                data = binascii.a2b_base64(record.data, strict_mode=True)
            except ValueError:
                decoded.append(Malformed(messages.not_base64(), record.data))
                bodies.append(record.data)
                continue
            more, whole = self._decoded(self._unwrap(data))
            decoded += more
            bodies += whole
            if len(decoded) > MOST_EVENTS:
                raise problems.TooLarge(messages.too_many_in_batch(MOST_EVENTS))
        batch.records.clear()
        await self._bulk.take(decoded, bodies)
        return self._answer(200, batch.requestId[:_LONGEST_ID])

    def _answer(
        self, status: int, id: str, problem: str | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        answer = FirehoseAnswer(id, self._now(), problem)
        return Reply(status, msgspec.json.encode(answer), {**_JSON, **(headers or {})})

    # Shared -----------------------------------------------------------------------------------------------------------------

    def _decoded(self, documents: Sequence[Body]) -> tuple[list[Decoded], list[Body]]:
        """The sender's key vouches for what needs no signature; the topic of SNS's envelope is checked all the same."""
        decoded: list[Decoded] = []
        for document in documents:
            one = self._reader.decode(document)
            assert not isinstance(one, Undecided), "without signatures, no certificate is needed"
            decoded.append(one)
        return decoded, list(documents)

    async def _authenticate(self, authorization: str | None, client: str) -> None:
        """Raises Unauthorised or Forbidden. Reads whether keys have changed, so that a revoked key ends at once."""
        known = self._keys.lookup(authorization)
        async with self._reads.of_client(client) if known is None else self._reads.of(known):
            principal = await self._keys.authenticate(authorization)
        principal.require_network(client)
        principal.require_platform()
        principal.require(EVENTS)


class _Certificates:
    """Fetches what messages need, a round at a time: many messages wait for one certificate, and nobody makes us ask often."""

    def __init__(self, fetch: Callable[[Set[str]], Awaitable[None]]) -> None:
        self._fetch = fetch
        self._wanted: set[str] = set()
        self._round: asyncio.Task[None] | None = None
        self._next = 0.0

    async def have(self, url: str) -> None:
        """Returns when it was asked for. Raises Unavailable if it cannot be had at present."""
        if len(self._wanted) >= _MOST_CERTIFICATES:
            raise _uncertain(reasons.certificates_not_here())
        self._wanted.add(url)
        try:
            async with asyncio.timeout(_CERTIFICATE_SECONDS):
                while url in self._wanted:
                    if self._round is None or self._round.done():
                        self._round = asyncio.create_task(self._run(), name="certificates of SNS")
                        self._round.add_done_callback(_seen)  # nobody may be left who waits for it
                    await asyncio.shield(self._round)
        except Unreachable as error:
            raise _uncertain(str(error)) from error
        except TimeoutError:
            raise _uncertain(reasons.certificates_not_here()) from None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next - loop.time())
        wanted = set(self._wanted)
        try:
            await self._fetch(wanted)
        finally:
            self._wanted -= wanted
            self._next = loop.time() + _FETCH_EVERY


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def _uncertain(why: str) -> Unavailable:
    return Unavailable(messages.certificate_awaited(why), retry_after=RETRY_AFTER)


def _require_post(scope: HTTPScope) -> None:
    if scope["method"] != "POST":
        raise MethodNotAllowedException(headers={"allow": "POST"})


async def _read(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] != "http.request":
            raise problems.Malformed(api.body_cut_off(), code="cut-off")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise problems.TooLarge(api.body_too_large(most))
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def unpacked(raw: bytes) -> bytes:
    """What was compressed with gzip. Raises Malformed, or TooLarge: a few bytes can be gigabytes when they are decompressed."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(raw, MAX_BATCH + 1)
    except zlib.error:
        raise problems.Malformed(messages.not_gzip()) from None
    if len(found) > MAX_BATCH:
        raise problems.TooLarge(api.body_too_large(MAX_BATCH))
    if not unpacker.eof or unpacker.unused_data:
        raise problems.Malformed(messages.not_gzip())
    return found
