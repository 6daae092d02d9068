"""A call that is started without a task ends as `send_email` does: same request, same answer, whatever SES and the network do."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.send import SesSend
from mailcordon.adapters.ses.signer import Credentials
from mailcordon.adapters.ses.transport import Ambiguous, CallFailed, Response
from mailcordon.send.refusals import Answer

ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"MessageId":"0100-ab"}'
EXPIRED = (
    b"HTTP/1.1 403 No\r\nx-amzn-ErrorType: ExpiredTokenException\r\nContent-Length: 17\r\n\r\n"
    b'{"message":"old"}'
)
SAID: dict[str, bytes] = {
    "accepted": ACCEPTED,
    "first a hint": b"HTTP/1.1 100 Continue\r\n\r\n" + ACCEPTED,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5\r\n{"Mes\r\n12\r\nsageId":"0100-ab"}\r\n0\r\n\r\n',
    "accepted for the last time": ACCEPTED.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    "accepted without an id": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "two answers": ACCEPTED + ACCEPTED.replace(b"0100", b"0200"),
    "an answer and something else": ACCEPTED + b"220 mail.example ESMTP\r\n",
    "refused": b'HTTP/1.1 400 No\r\nContent-Length: 43\r\n\r\n{"__type":"MessageRejected","message":"no"}',
    "too fast": b'HTTP/1.1 429 No\r\nContent-Length: 37\r\n\r\n{"code":"TooManyRequestsException"   }',
    "broken": b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
    "expired": EXPIRED,
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "cut off": ACCEPTED[:-5],
    "hung up": b"",
}
SILENT = "silent"
KINDS = (*SAID, SILENT)
#: What an SES does with each request, and in how many pieces it answers.
scripts = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 4)), min_size=1, max_size=6)


class Source:
    def __init__(self, renews: bool) -> None:
        self.renews = renews
        self.renewed = 0

    def current(self) -> Credentials:
        return Credentials("KEY", "secret", "token")

    async def refresh(self) -> None:
        self.renewed += 1
        if not self.renews:
            raise OSError("nobody has any")


@asynccontextmanager
async def ses(script: list[tuple[str, int]], source: Source) -> AsyncIterator[tuple[SesSend, list[bytes]]]:
    """Accepts the first call, so that a connection is free for the next."""
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.rpartition(b": ")[2]))
                requests.append(head + body)
                number = len(requests) - 2
                kind, pieces = ("accepted", 1) if not 0 <= number < len(script) else script[number]
                if kind == SILENT:
                    await reader.read()
                    return
                said = SAID[kind]
                for n in range(pieces):
                    writer.write(said[len(said) * n // pieces : len(said) * (n + 1) // pieces])
                    await asyncio.sleep(0)
                if kind in ("cut off", "hung up"):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    transport = HttptoolsTransport(endpoint, answer_seconds=0.05 if (SILENT, 1) in script else 5.0)
    async with listening:
        try:
            send = SesSend(transport, host="ses.example", region="us-east-1", credentials=source)
            assert (await send.send_email(b"{}")).status == 200
            yield send, requests
        finally:
            await transport.close()


Call = Callable[[SesSend, bytes, Callable[[], bool]], Awaitable[Answer | Exception]]


async def plainly(send: SesSend, body: bytes, permitted: Callable[[], bool]) -> Answer:
    return await send.send_email(body, permitted)


class Told:
    """Starts calls, and counts how often it is told of an answer."""

    def __init__(self) -> None:
        self.started = self.told = 0

    async def __call__(self, send: SesSend, body: bytes, permitted: Callable[[], bool]) -> Answer | Exception:
        answer: asyncio.Future[Answer | Exception] = asyncio.get_running_loop().create_future()

        def done(outcome: Answer | Exception) -> None:
            self.told += 1
            if not answer.done():
                answer.set_result(outcome)

        if not send.start(body, permitted, done):
            return await plainly(send, body, permitted)
        self.started += 1
        return await answer


async def outcomes(
    call: Call, script: list[tuple[str, int]], renews: bool, permitted: bool
) -> tuple[list[Answer | Exception], list[bytes], int]:
    source = Source(renews)
    async with ses(script, source) as (send, requests):
        found = [await call(send, b'{"n":%d}' % n, lambda: permitted) for n in range(len(script))]
    same = [re.sub(rb"\d{8}T\d{6}Z|Signature=\w+|/\d{8}/", b"?", one) for one in requests]
    return found, same, source.renewed


@settings(max_examples=60, deadline=None)
@given(scripts, st.booleans(), st.booleans())
@example([(kind, 1) for kind in KINDS], True, True)
@example([("expired", 1), ("expired", 1)], True, False)
@example([("expired", 1)], False, True)
def test_it_ends_as_a_call_in_a_task_does(
    script: list[tuple[str, int]], renews: bool, permitted: bool
) -> None:
    script = [(kind, 1) if kind == SILENT else (kind, pieces) for kind, pieces in script]
    told = Told()
    assert asyncio.run(outcomes(told, script, renews, permitted)) == asyncio.run(
        outcomes(plainly, script, renews, permitted)
    )
    assert told.started == told.told > 0


async def test_it_is_not_started_without_a_free_connection_or_if_its_digest_takes_time() -> None:
    async with ses([], Source(renews=True)) as (send, requests):
        told: list[Answer | Exception] = []
        assert not send.start(bytes(300_000), lambda: True, told.append)
        assert send.start(b"{}", lambda: True, told.append)
        assert not send.start(b"{}", lambda: True, told.append), "its only connection is in use"
        while not told:
            await asyncio.sleep(0.01)
    assert len(requests) == 2
    assert [one.status for one in told if isinstance(one, Answer)] == [200]


async def test_each_call_ends_at_its_own_time_and_its_connection_with_it() -> None:
    """One timer watches all of them. A large body has longer."""
    gone = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal gone
        await reader.read()
        gone += 1
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        endpoint = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        transport = HttptoolsTransport(endpoint, answer_seconds=0.05)
        loop = asyncio.get_running_loop()
        began = loop.time()
        calls = [asyncio.create_task(transport.post("/", body, {})) for body in (bytes(8 << 20), b"{}")]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        assert done == {calls[1]}
        assert loop.time() - began >= 0.045
        with pytest.raises(Ambiguous, match=r"^no response within 2\.05 s$"):
            async with asyncio.timeout(60):
                await calls[0]
        assert loop.time() - began >= 2.045
        async with asyncio.timeout(60):
            while gone < 2:
                await asyncio.sleep(0.01)
        await transport.close()
    assert isinstance(calls[1].exception(), Ambiguous)


async def test_a_free_connection_has_no_time_limit() -> None:
    async with ses([], Source(renews=True)) as (send, _):
        send._transport._answer_seconds = 0.02  # type: ignore[attr-defined]
        await send.send_email(b"{}")
        await asyncio.sleep(0.1)
        assert send.start(b"{}", lambda: True, lambda answer: None)


async def test_a_connection_that_is_closing_is_not_taken() -> None:
    """The call would not be sent, and that stops a dispatcher."""
    async with ses([], Source(renews=True)) as (send, requests):
        for _ in range(2):
            [free] = send._transport._idle  # type: ignore[attr-defined]
            free._transport.close()
            assert free.reusable, "it is told in the loop's next turn"
            assert not send.start(b"{}", lambda: True, lambda answer: None)
            assert (await send.send_email(b"{}")).status == 200
    assert len(requests) == 3


async def test_a_caller_that_ends_late_does_not_close_a_connection_that_another_call_has() -> None:
    """Between the end of a call and its caller's next step, its connection may carry another one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        transport = HttptoolsTransport(f"http://127.0.0.1:{listening.getsockname()[1]}")
        first = asyncio.create_task(transport.post("/", b"1", {}))
        second = asyncio.create_task(transport.post("/", b"2", {}))
        peers = []
        for _ in range(2):
            await asyncio.sleep(0.05)
            peers.append(listening.accept()[0])
        await asyncio.sleep(0.05)
        told: list[Response | CallFailed] = []
        # Both answers are read in one turn of the loop. `first` is cancelled in the middle of it.
        loop = asyncio.get_running_loop()
        taken: list[bool] = []

        def between() -> None:
            taken.extend(transport.start("/", b"%d" % n, b"", told.append) for n in (3, 4))
            first.cancel()
            second.cancel()

        keep = transport.ended

        def ended(connection: object) -> None:
            keep(connection)  # type: ignore[arg-type]
            if len(transport._idle) == 2:  # type: ignore[attr-defined]
                loop.call_soon(between)

        transport.ended = ended  # type: ignore[method-assign]
        for peer in peers:
            peer.recv(1000)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await asyncio.wait([first, second])
        assert taken == [True, True]
        for peer in peers:
            peer.settimeout(5)
            await asyncio.sleep(0.02)
            if peer.recv(1000):
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.05)
        assert not any(isinstance(one, Ambiguous) for one in told)
        assert len(told) == 2
        await transport.close()
        for peer in peers:
            peer.close()
