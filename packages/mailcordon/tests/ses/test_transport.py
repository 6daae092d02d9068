"""Whether mail may be sent again depends on how a call failed, so each kind of failure is made with a real server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.transport import Ambiguous, NotSent, Transport, Withdrawn

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


@pytest.fixture(params=[HttptoolsTransport])
def make(request: pytest.FixtureRequest) -> Callable[..., Transport]:
    return request.param


@asynccontextmanager
async def client(make: Callable[..., Transport], endpoint: str, **options: Any) -> AsyncIterator[Transport]:
    transport = make(endpoint, **({"answer_seconds": 5.0} | options))
    try:
        yield transport
    finally:
        await transport.close()


async def test_any_complete_answer_is_returned_and_the_host_is_the_one_signed(
    make: Callable[..., Transport],
) -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 503 Busy\r\nX-Amzn-ErrorType: Busy\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with server(answer) as endpoint, client(make, endpoint) as transport:
        response = await transport.post("/v2/a%40b", b"body", {"host": transport.host, "x-amz-date": "now"})
    assert (response.status, response.headers["x-amzn-errortype"], response.body) == (503, "Busy", b"{}")
    assert seen[0].startswith(b"POST /v2/a%40b HTTP/1.1\r\n")
    assert seen[0].lower().count(b"\r\nhost: ") == 1
    assert f"host: {endpoint.removeprefix('http://')}\r\n".encode() in seen[0].lower()
    assert seen[0].endswith(b"\r\n\r\nbody")


async def test_a_request_is_withdrawn_if_permission_ended_while_the_connection_was_made(
    make: Callable[..., Transport],
) -> None:
    seen: list[bytes] = []
    asked: list[bool] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            seen.append(request)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def permitted(says: bool) -> Callable[[], bool]:
        def ask() -> bool:
            asked.append(says)
            return says

        return ask

    async with server(answer) as endpoint, client(make, endpoint) as transport:
        with pytest.raises(Withdrawn):
            await transport.post("/", b"one", {}, permitted(False))
        assert asked == [False]
        await transport.post("/", b"two", {}, permitted(False))
        assert asked == [False], "the connection was there: nothing took time since the caller last looked"
    assert [request.rpartition(b"\r\n\r\n")[2] for request in seen] == [b"two"]


async def test_a_refused_connection_is_not_sent(make: Callable[..., Transport]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        async with client(make, f"http://127.0.0.1:{taken.getsockname()[1]}") as transport:
            with pytest.raises(NotSent, match=r"^no connection to 127.0.0.1:\d+: connection refused$"):
                await transport.post("/", b"", {})


async def test_a_tls_handshake_that_fails_is_not_sent(make: Callable[..., Transport]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"this is no TLS at all\r\n")
        await writer.drain()

    async with server(answer) as endpoint, client(make, endpoint.replace("http:", "https:")) as transport:
        with pytest.raises(NotSent):
            await transport.post("/", b"", {})


async def test_a_connection_closed_without_an_answer_is_ambiguous_and_the_call_is_not_repeated(
    make: Callable[..., Transport],
) -> None:
    calls = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await read_request(reader)
        calls += 1

    async with server(answer) as endpoint, client(make, endpoint) as transport:
        with pytest.raises(Ambiguous):
            await transport.post("/", b"{}", {})
    assert calls == 1


async def test_an_incomplete_response_is_ambiguous(make: Callable[..., Transport]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"Mess')
        await writer.drain()

    async with server(answer) as endpoint, client(make, endpoint) as transport:
        with pytest.raises(Ambiguous, match="^the connection ended before the response was complete$"):
            await transport.post("/", b"{}", {})


async def test_no_response_is_ambiguous(make: Callable[..., Transport]) -> None:
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await done.wait()

    async with server(answer) as endpoint, client(make, endpoint, answer_seconds=0.1) as transport:
        with pytest.raises(Ambiguous, match=r"^no response within 0.1 s$"):
            await transport.post("/", b"{}", {})
        done.set()


async def test_a_redirect_is_returned_and_not_followed(make: Callable[..., Transport]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with server(answer) as endpoint, client(make, endpoint) as transport:
        assert (await transport.post("/", b"{}", {})).status == 307


# Connections -----------------------------------------------------------------------------------------------------------------


class Counting:
    """Answers each request with a given response, and counts connections."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.hang_up = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while not self.hang_up.is_set():
            asking = asyncio.create_task(read_request(reader))
            hanging_up = asyncio.create_task(self.hang_up.wait())
            await asyncio.wait([asking, hanging_up], return_when=asyncio.FIRST_COMPLETED)
            hanging_up.cancel()
            if not asking.done():
                asking.cancel()
                break
            if asking.exception() is not None:
                self.gone.set()
                break
            self.requests.append(asking.result())
            writer.write(self.answer)
            await writer.drain()


async def test_calls_one_after_another_share_a_connection_and_calls_at_once_do_not() -> None:
    answer = Counting()
    async with server(answer) as endpoint, client(HttptoolsTransport, endpoint) as transport:
        for _ in range(5):
            await transport.post("/", b"{}", {})
        assert answer.connections == 1
        await asyncio.gather(*(transport.post("/", b"{}", {}) for _ in range(4)))
        assert answer.connections == 4


async def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    answer = Counting()
    async with server(answer) as endpoint, client(HttptoolsTransport, endpoint) as transport:
        await transport.post("/", b"{}", {})
        answer.hang_up.set()
        deadline = asyncio.get_running_loop().time() + 60
        while transport._all:  # type: ignore[attr-defined]
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)
        answer.hang_up.clear()
        assert (await transport.post("/", b"{}", {})).status == 200
    assert answer.connections == 2


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    answer = Counting()
    async with (
        server(answer) as endpoint,
        client(HttptoolsTransport, endpoint, keep_alive_seconds=0.05) as transport,
    ):
        await transport.post("/", b"{}", {})
        await asyncio.wait_for(answer.gone.wait(), 60)
        await transport.post("/", b"{}", {})
    assert answer.connections == 2


@pytest.mark.parametrize(
    ("answer", "status", "body", "connections"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n!\r\n0\r\n\r\n",
            200,
            b"{}!",
            1,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 No\r\nContent-Length: 1\r\n\r\nx", 400, b"x", 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", 2),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}220 mail.example\r\n", 200, b"{}", 2),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            200,
            b"{}",
            2,
        ),
    ],
)
async def test_each_form_of_response_is_read_and_only_clean_connections_are_reused(
    answer: bytes, status: int, body: bytes, connections: int
) -> None:
    counting = Counting(answer)
    async with server(counting) as endpoint, client(HttptoolsTransport, endpoint) as transport:
        for _ in range(2):
            response = await transport.post("/", b"{}", {})
            assert (response.status, response.body) == (status, body)
    assert counting.connections == connections


async def test_invalid_http_is_ambiguous() -> None:
    async with (
        server(Counting(b"220 mail.example ESMTP\r\n")) as endpoint,
        client(HttptoolsTransport, endpoint) as transport,
    ):
        with pytest.raises(Ambiguous, match="^the response is not valid HTTP "):
            await transport.post("/", b"{}", {})


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000
    counting = Counting()
    async with server(counting) as endpoint, client(HttptoolsTransport, endpoint) as transport:
        await transport.post("/", body, {})
    assert counting.requests[0].endswith(body)


async def test_a_cancelled_call_closes_its_connection() -> None:
    counting = Counting(b"")
    async with server(counting) as endpoint, client(HttptoolsTransport, endpoint) as transport:
        call = asyncio.create_task(transport.post("/", b"{}", {}))
        while not counting.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(counting.gone.wait(), 60)


async def test_tls_requires_a_certificate_for_the_host(tmp_path: Path) -> None:
    counting = Counting()
    listening = await asyncio.start_server(counting, "127.0.0.1", 0, ssl=certified(tmp_path, "localhost"))
    port = listening.sockets[0].getsockname()[1]
    tls = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
    async with listening:
        async with client(HttptoolsTransport, f"https://localhost:{port}", tls=tls) as transport:
            assert (await transport.post("/", b"{}", {})).status == 200
        for endpoint, options in (
            (f"https://127.0.0.1:{port}", {"tls": tls}),
            (f"https://localhost:{port}", {}),
        ):
            async with client(HttptoolsTransport, endpoint, **options) as transport:
                with pytest.raises(NotSent):
                    await transport.post("/", b"{}", {})
    assert len(counting.requests) == 1


def certified(directory: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "certificate").write_bytes(certificate.public_bytes(pem))
    (directory / "key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "certificate", directory / "key")
    return context
