"""SQS's receive and delete, over our own signed client (JSON 1.0, ses.md 4.8).

Relies on at-least-once delivery in any order: a message that is not deleted is received again after the visibility time-out,
which is well below the grace of *outcome unknown*.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.signer import Credentials, CredentialsSource, NoCredentials, Signer
from mailcordon.adapters.ses.transport import CallFailed, Response, Transport
from mailcordon.core.queue import Received, Unreachable
from mailcordon.messages import queues

VISIBILITY_SECONDS = 30
#: Seconds of a waiting receive. SQS allows 20; a proof of absence waits for up to two of them (observe/watermark.py).
WAIT_SECONDS = 10
MAX_MESSAGES = 10  #: per call, for receive and delete
MARGIN_SECONDS = 5
PARALLEL_DELETES = 4  #: calls at once for one batch

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_log = logging.getLogger("mailcordon.observe")


class _Message(msgspec.Struct, gc=False):
    Body: str
    ReceiptHandle: str


class _Received(msgspec.Struct):
    Messages: list[_Message] | None = None


class _Failed(msgspec.Struct):
    Id: str = ""
    Code: str = ""
    Message: str | None = None


class _Deleted(msgspec.Struct):
    Failed: list[_Failed] | None = None


class _Attributes(msgspec.Struct):
    Attributes: dict[str, str] = {}


class _Error(msgspec.Struct):
    type: str = msgspec.field(default="", name="__type")
    message: str | None = None
    Message: str | None = None


_encode = msgspec.json.Encoder().encode
_received = msgspec.json.Decoder(_Received)
_deleted = msgspec.json.Decoder(_Deleted)
_attributes = msgspec.json.Decoder(_Attributes)
_COUNTS = [f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed")]
_error = msgspec.json.Decoder(_Error)


class SqsQueue:
    """One queue. Calls may run concurrently."""

    def __init__(
        self,
        url: str,
        *,
        transport: Transport,
        signer: Signer,
        credentials: CredentialsSource,
        wait_seconds: int = WAIT_SECONDS,
        visibility_seconds: int = VISIBILITY_SECONDS,
    ) -> None:
        self.name = url.rstrip("/").rpartition("/")[2]
        #: Seconds after which a message is visible again, whoever received it and died: the queue may hand it to a waiting
        #: receive whose process is gone.
        self.settles_after = float(visibility_seconds + wait_seconds + MARGIN_SECONDS)
        self._url = url
        self._transport = transport
        self._signer = signer
        self._credentials = credentials
        asked = {
            "QueueUrl": url,
            "MaxNumberOfMessages": MAX_MESSAGES,
            "VisibilityTimeout": visibility_seconds,
        }
        self._receive = _encode(asked | {"WaitTimeSeconds": wait_seconds})
        self._receive_now = _encode(asked | {"WaitTimeSeconds": 0})
        #: The headers of the last receive of each kind, and what they were signed with: within a second they are the same.
        self._signed: dict[bytes, tuple[int, Credentials, dict[str, str]]] = {}
        self._count = _encode({"QueueUrl": url, "AttributeNames": _COUNTS})

    async def receive(self, *, wait: bool = True) -> list[Received]:
        answer = await self._call("ReceiveMessage", self._receive if wait else self._receive_now)
        try:
            messages = _received.decode(answer).Messages
        except msgspec.DecodeError as error:
            raise Unreachable(queues.queue_response_invalid(queue=self.name, error=str(error))) from error
        return [Received(message.Body, message.ReceiptHandle) for message in messages or ()]

    async def delete(self, receipts: Sequence[str]) -> None:
        chunks = [receipts[start : start + MAX_MESSAGES] for start in range(0, len(receipts), MAX_MESSAGES)]
        left = iter(chunks)
        await asyncio.gather(*[self._delete_all(left) for _ in chunks[:PARALLEL_DELETES]])

    async def count(self) -> int:
        answer = await self._call("GetQueueAttributes", self._count)
        try:
            counts = _attributes.decode(answer).Attributes
            return sum(int(counts[name]) for name in _COUNTS)
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise Unreachable(queues.queue_response_invalid(queue=self.name, error=str(error))) from error

    async def policy(self) -> str | None:
        """The queue's policy, a JSON document; None if it has none. Raises Unreachable."""
        answer = await self._call(
            "GetQueueAttributes", _encode({"QueueUrl": self._url, "AttributeNames": ["Policy"]})
        )
        try:
            return _attributes.decode(answer).Attributes.get("Policy") or None
        except msgspec.DecodeError as error:
            raise Unreachable(queues.queue_response_invalid(queue=self.name, error=str(error))) from error

    async def close(self) -> None:
        await self._transport.close()

    async def _delete_all(self, chunks: Iterator[Sequence[str]]) -> None:
        for chunk in chunks:
            await self._delete(chunk)

    async def _delete(self, receipts: Sequence[str]) -> None:
        entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(receipts)]
        answer = await self._call("DeleteMessageBatch", _encode({"QueueUrl": self._url, "Entries": entries}))
        try:
            failed = _deleted.decode(answer).Failed
        except msgspec.DecodeError as error:
            raise Unreachable(queues.queue_response_invalid(queue=self.name, error=str(error))) from error
        if failed:
            # Usually an old receipt: the message was received again, and that receiver deletes it.
            _log.info("%s: %d messages were not deleted (%s)", self.name, len(failed), failed[0].Code)

    async def _call(self, operation: str, body: bytes) -> bytes:
        answer = await self._post(operation, body)
        if answer.status in (400, 403) and _reason(answer)[0] in _EXPIRED:
            await self._credentials.refresh()
            answer = await self._post(operation, body)
        if answer.status != 200:
            code, message = _reason(answer)
            raise Unreachable(
                queues.queue_error(queue=self.name, status=answer.status, code=code, text=message)
            )
        return answer.body

    async def _post(self, operation: str, body: bytes) -> Response:
        try:
            signed = self._sign(operation, body)
            return await self._transport.post("/", body, signed)
        except (CallFailed, NoCredentials) as error:
            raise Unreachable(queues.queue_call_failed(queue=self.name, why=str(error))) from error

    def _sign(self, operation: str, body: bytes) -> dict[str, str]:
        second, credentials = int(time.time()), self._credentials.current()
        before = self._signed.get(body)
        if before is not None and before[0] == second and before[1] is credentials:
            return before[2]
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        signed = self._signer.sign(credentials, "/", body, headers, now=second)
        if body is self._receive or body is self._receive_now:
            self._signed[body] = (second, credentials, signed)
        return signed


def open_queue(
    url: str,
    *,
    region: str,
    credentials: CredentialsSource,
    endpoint: str | None = None,
    wait_seconds: int = WAIT_SECONDS,
    visibility_seconds: int = VISIBILITY_SECONDS,
) -> SqsQueue:
    """Must be called inside the running event loop. `endpoint` None: the host of the queue's URL."""
    if endpoint is None:
        parts = urlsplit(url)
        endpoint = f"{parts.scheme}://{parts.netloc}"
    transport = HttptoolsTransport(endpoint, answer_seconds=wait_seconds + 10.0)
    return SqsQueue(
        url,
        transport=transport,
        signer=Signer(service="sqs", region=region, host=transport.host),
        credentials=credentials,
        wait_seconds=wait_seconds,
        visibility_seconds=visibility_seconds,
    )


def _reason(answer: Response) -> tuple[str, str]:
    try:
        problem = _error.decode(answer.body)
    except msgspec.DecodeError:
        return "", answer.body[:200].decode(errors="replace")
    code = answer.headers.get("x-amzn-errortype") or problem.type
    return code.partition(":")[0].rpartition("#")[2], problem.message or problem.Message or ""
