"""The load of `./dev bench seslocal`, in a separate process: signed SendEmail calls on keep-alive connections, and a consumer
that receives and deletes their events.

It reads from standard input how many mails to send, and writes one line of JSON. Each mail has its number as a tag, which its
events carry too: a mail counts when its Send and its Delivery have arrived exactly once.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import msgspec
import uvloop

from bench import mail
from mailcordon.adapters.ses.signer import Credentials, Signer

SENDER = "mail.bench.example"
SET = "bench"
TENANT = "bench"
QUEUE = "bench-events"
REGION = "us-east-1"
ACCOUNT = "123456789012"
MOST_RECEIVED = 10  #: messages of one ReceiveMessage

_KEYS = Credentials("test", "test")
_PATIENCE = 120.0  #: seconds without any progress
_KINDS = {"Send": 1, "Delivery": 2}
_BOTH = 3
_MARK = "0123456789"  #: stands where the mail's number goes


class Void(Exception):
    """The run proves nothing."""


class _Mail(msgspec.Struct):
    tags: dict[str, list[str]]


class _Event(msgspec.Struct, rename="camel"):
    event_type: str
    mail: _Mail


class _Envelope(msgspec.Struct):
    Message: str


class Message(msgspec.Struct):
    ReceiptHandle: str
    Body: str


class Received(msgspec.Struct):
    Messages: list[Message] = []


read_received = msgspec.json.Decoder(Received).decode
_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_event = msgspec.json.Decoder(_Event).decode


class Caller(asyncio.Protocol):
    """One keep-alive connection with one call under way. `ask` gives the next request or None; `hear` gets the answer."""

    def __init__(self, ask: Callable[[], bytes | None], hear: Callable[[bytes, float], None]) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ask = ask
        self._hear = hear
        self._parser = httptools.HttpResponseParser(self)
        self._transport = cast(asyncio.Transport, None)
        self._body = b""
        self._began = 0.0

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("a connection ended with a call under way")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._parser.get_status_code() != 200:
            self._fail(f"answered {self._parser.get_status_code()}: {body[:500].decode(errors='replace')}")
            return
        try:
            self._hear(body, time.perf_counter() - self._began)
        except Void as void:
            self._fail(str(void))
            return
        self._next()

    def _next(self) -> None:
        request = self._ask()
        if request is not None:
            self._began = time.perf_counter()
            self._transport.write(request)
        elif not self.finished.done():
            self.finished.set_result(None)

    def _fail(self, why: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(Void(why))


class Requests:
    """Signed requests as bytes."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._ses = Signer(service="ses", region=REGION, host=self._host)
        self._sqs = Signer(service="sqs", region=REGION, host=self._host)
        self._parts = json.dumps(_send_email()).encode().split(_MARK.encode())
        self._queue_url = f"http://{self._host}/{ACCOUNT}/{QUEUE}"
        self._receive = self._sqs_body({"MaxNumberOfMessages": MOST_RECEIVED, "WaitTimeSeconds": 1})

    def send(self, number: int) -> bytes:
        body = str(number).encode().join(self._parts)
        return self._signed(
            self._ses, "/v2/email/outbound-emails", body, {"content-type": "application/json"}
        )

    def receive(self) -> bytes:
        return self._call_sqs("ReceiveMessage", self._receive)

    def delete(self, handles: list[str]) -> bytes:
        entries = [{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate(handles)]
        return self._call_sqs("DeleteMessageBatch", self._sqs_body({"Entries": entries}))

    def _sqs_body(self, given: dict[str, object]) -> bytes:
        return json.dumps({"QueueUrl": self._queue_url, **given}).encode()

    def _call_sqs(self, operation: str, body: bytes) -> bytes:
        kind = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        return self._signed(self._sqs, "/", body, kind)

    def _signed(self, signer: Signer, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        lines = "\r\n".join(f"{n}: {v}" for n, v in signer.sign(_KEYS, path, body, headers).items())
        return f"POST {path} HTTP/1.1\r\n{lines}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _send_email() -> dict[str, object]:
    return {
        "FromEmailAddress": f"Team <hello@{SENDER}>",
        "Destination": {"ToAddresses": [f"reader-{_MARK}@inbox.example"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": mail.SUBJECT, "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": mail.TEXT, "Charset": "UTF-8"},
                    "Html": {"Data": mail.HTML, "Charset": "UTF-8"},
                },
            }
        },
        "EmailTags": [{"Name": "number", "Value": _MARK}],
        "ConfigurationSetName": SET,
        "TenantName": TENANT,
    }


def set_up_calls() -> list[tuple[str, dict[str, Any]]]:
    """The calls of SES v2 that come first: a tenant with an identity, and a configuration set whose events go to a queue."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{QUEUE}"
    destination = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "DELIVERY"],
        "SnsDestination": {"TopicArn": topic},
    }
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateEmailIdentity", {"EmailIdentity": SENDER}),
        ("CreateConfigurationSet", {"ConfigurationSetName": SET}),
        (
            "CreateConfigurationSetEventDestination",
            {"ConfigurationSetName": SET, "EventDestinationName": "queue", "EventDestination": destination},
        ),
        ("CreateTenant", {"TenantName": TENANT}),
    ]
    for name in (f"identity/{SENDER}", f"configuration-set/{SET}"):
        arn = f"arn:aws:ses:{REGION}:{ACCOUNT}:{name}"
        calls.append(("CreateTenantResourceAssociation", {"TenantName": TENANT, "ResourceArn": arn}))
    return calls


@dataclass(slots=True)
class Ticks:
    """Which events have come: a bit each for Send and Delivery, by the mail's number."""

    seen: bytearray = field(default_factory=bytearray)
    complete: int = 0

    def expect(self, count: int) -> None:
        self.seen.extend(bytes(count - len(self.seen)))

    def event(self, body: str) -> None:
        text = _read_envelope(body).Message
        if not text.startswith("{"):
            return  # the greeting of a new destination
        event = _read_event(text)
        number = int(event.mail.tags["number"][0])
        bit = _KINDS.get(event.event_type, 0)
        if not bit or self.seen[number] & bit:
            raise Void(f"an unexpected or second {event.event_type} of mail {number}")
        self.seen[number] |= bit
        self.complete += self.seen[number] == _BOTH


class Consumer:
    """One connection that receives up to ten and deletes them, over and over."""

    def __init__(self, requests: Requests, ticks: Ticks) -> None:
        self._requests = requests
        self._ticks = ticks
        self._handles: list[str] = []
        self._deleting = False

    def ask(self) -> bytes:
        self._deleting = bool(self._handles)
        if not self._deleting:
            return self._requests.receive()
        handles, self._handles = self._handles, []
        return self._requests.delete(handles)

    def hear(self, body: bytes, _seconds: float) -> None:
        if self._deleting:
            return
        for message in read_received(body).Messages:
            self._ticks.event(message.Body)
            self._handles.append(message.ReceiptHandle)


async def _send(
    host: str, port: int, requests: Requests, first: int, count: int, connections: int
) -> list[float]:
    numbers = iter(range(first, first + count))
    latencies: list[float] = []

    def ask() -> bytes | None:
        number = next(numbers, None)
        return None if number is None else requests.send(number)

    callers = [Caller(ask, lambda _body, seconds: latencies.append(seconds)) for _ in range(connections)]
    await _connect(host, port, callers)
    try:
        await asyncio.gather(*(caller.finished for caller in callers))
    finally:
        for caller in callers:
            caller.close()
    return latencies


async def _connect(host: str, port: int, callers: list[Caller]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.create_connection(lambda c=c: c, host, port) for c in callers))


async def _complete(ticks: Ticks, count: int) -> None:
    before, since = -1, time.monotonic()
    while ticks.complete < count:
        if ticks.complete != before:
            before, since = ticks.complete, time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            raise Void(f"events are missing: {ticks.complete} of {count} mails have both of theirs")
        await asyncio.sleep(0.02)


async def _serve(host: str, port: int, connections: int, consumers: int, orders: Iterator[str]) -> None:
    requests = Requests(host, port)
    ticks = Ticks()
    readers: list[Caller] = []
    for _ in range(consumers):
        consumer = Consumer(requests, ticks)
        readers.append(Caller(consumer.ask, consumer.hear))
    await _connect(host, port, readers)
    reading = asyncio.gather(*(reader.finished for reader in readers))  # fails when one of them does
    sent = 0
    try:
        while order := await asyncio.to_thread(next, orders, ""):
            count = int(order)
            ticks.expect(sent + count)
            began, used = time.perf_counter(), _used()
            sending = asyncio.ensure_future(_send(host, port, requests, sent, count, connections))
            await asyncio.wait((sending, reading), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            latencies = sorted(await sending)
            answered = time.perf_counter() - began
            sent += count
            await _complete(ticks, sent)
            result = {
                "messages": count,
                "answered": answered,
                "wall": time.perf_counter() - began,
                "cpu": _used() - used,
                "p50": latencies[len(latencies) // 2],
                "p99": latencies[len(latencies) * 99 // 100],
            }
            print(json.dumps(result), flush=True)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        for reader in readers:
            reader.close()


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(argv: list[str]) -> int:
    host, port, connections, consumers = argv
    try:
        uvloop.run(_serve(host, int(port), int(connections), int(consumers), iter(sys.stdin.readline, "")))
    except Void as void:
        print(json.dumps({"void": str(void)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
