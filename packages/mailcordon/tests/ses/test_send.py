"""What did not reach SES, or was refused, never comes back as an unknown outcome, and never as an exception."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.send import SesSend
from mailcordon.adapters.ses.signer import Credentials, NoCredentials
from mailcordon.core.reason import Reason
from mailcordon.core.stop import StopScope
from mailcordon.send.refusals import WITHDRAWN, Next, Sender, decide

OLD, NEW = Credentials("OLD", "secret", "token"), Credentials("NEW", "secret", "token")


@dataclass
class Source:
    """Credentials in memory, and what renewing them does."""

    now: Credentials | Exception = OLD
    renewed: Credentials | Exception = NEW
    renewals: int = 0

    def current(self) -> Credentials:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    async def refresh(self) -> None:
        self.renewals += 1
        if isinstance(self.renewed, Exception):
            raise self.renewed
        self.now = self.renewed


@dataclass
class Ses:
    """An SES on the wire that says of OLD credentials that they have expired."""

    send: SesSend
    source: Source
    requests: list[bytes]


def answer(head: bytes) -> bytes:
    if b"Credential=OLD/" in head:
        body = b'{"message":"The security token included in the request is expired"}'
        start = b"HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ExpiredTokenException\r\n"
    else:
        start, body = b"HTTP/1.1 200 OK\r\n", b'{"MessageId":"0100-ab"}'
    return start + b"Content-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def ses(source: Source) -> AsyncIterator[Ses]:
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                requests.append(head)
                writer.write(answer(head))
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    transport = HttptoolsTransport(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    async with listening:
        try:
            send = SesSend(transport, host=transport.host, region="us-east-1", credentials=source)
            yield Ses(send, source, requests)
        finally:
            await transport.close()


PROBLEMS = [NoCredentials("none here"), OSError("the metadata service is away"), RuntimeError("botocore")]


async def test_expired_credentials_are_renewed_and_the_call_is_made_once_more() -> None:
    async with ses(Source()) as made:
        found = await made.send.send_email(b"{}")
    assert (found.status, found.ses_id, len(made.requests), made.source.renewals) == (200, "0100-ab", 2, 1)


@pytest.mark.parametrize("problem", PROBLEMS)
async def test_if_expired_credentials_cannot_be_renewed_sess_refusal_is_the_answer(
    problem: Exception,
) -> None:
    async with ses(Source(renewed=problem)) as made:
        found = await made.send.send_email(b"{}")
    assert (found.status, found.code, len(made.requests)) == (403, "ExpiredTokenException", 1)
    verdict = decide(found, 1, Sender())
    assert (verdict.next, verdict.reason) == (Next.STOP, Reason.CREDENTIALS)


@pytest.mark.parametrize("problem", PROBLEMS)
async def test_without_credentials_nothing_is_written_and_the_dispatcher_stops(problem: Exception) -> None:
    async with ses(Source(now=problem)) as made:
        found = await made.send.send_email(b"{}")
    assert (found.status, found.code, made.requests) == (0, "NoCredentials", [])
    verdict = decide(found, 1, Sender())
    assert (verdict.next, verdict.reason, verdict.scope) == (
        Next.STOP,
        Reason.CREDENTIALS,
        StopScope.WORKER,
    )


async def test_a_call_is_withdrawn_if_permission_ended_while_credentials_were_renewed() -> None:
    async with ses(Source()) as made:
        found = await made.send.send_email(b"{}", lambda: not made.source.renewals)
    assert (found.status, found.code, len(made.requests)) == (0, WITHDRAWN, 1)


async def test_a_host_that_cannot_be_named_is_not_sent() -> None:
    transport = HttptoolsTransport("http://" + "a" * 70 + ".example")
    found = await SesSend(
        transport, host=transport.host, region="us-east-1", credentials=Source()
    ).send_email(b"{}")
    assert (found.status, found.code) == (0, "NotSent")
