"""What the transport says of a failed call decides whether mail may be sent again, so each kind is made for real."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from mailcordon.adapters.ses.transport import AiohttpTransport, Ambiguous, NotSent

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


@asynccontextmanager
async def client(endpoint: str, answer_seconds: float = 5.0) -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(endpoint, answer_seconds=answer_seconds)
    try:
        yield transport
    finally:
        await transport.close()


async def test_any_complete_answer_is_returned_and_the_host_is_the_one_signed() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 503 Busy\r\nX-Amzn-ErrorType: Busy\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with server(answer) as endpoint, client(endpoint) as transport:
        response = await transport.post("/v2/a%40b", b"body", {"host": transport.host, "x-amz-date": "now"})
    assert (response.status, response.headers["x-amzn-errortype"], response.body) == (503, "Busy", b"{}")
    assert seen[0].startswith(b"POST /v2/a%40b HTTP/1.1\r\n")
    assert seen[0].lower().count(b"\r\nhost: ") == 1
    assert f"host: {endpoint.removeprefix('http://')}\r\n".encode() in seen[0].lower()
    assert seen[0].endswith(b"\r\n\r\nbody")


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        async with client(f"http://127.0.0.1:{taken.getsockname()[1]}") as transport:
            with pytest.raises(NotSent):
                await transport.post("/", b"", {})


async def test_a_tls_handshake_that_fails_is_not_sent() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"this is no TLS at all\r\n")
        await writer.drain()

    async with server(answer) as endpoint, client(endpoint.replace("http:", "https:")) as transport:
        with pytest.raises(NotSent):
            await transport.post("/", b"", {})


async def test_a_connection_closed_without_an_answer_is_ambiguous_and_the_call_is_not_repeated() -> None:
    calls = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await read_request(reader)
        calls += 1

    async with server(answer) as endpoint, client(endpoint) as transport:
        with pytest.raises(Ambiguous):
            await transport.post("/", b"{}", {})
    assert calls == 1


async def test_half_an_answer_is_ambiguous() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"Mess')
        await writer.drain()

    async with server(answer) as endpoint, client(endpoint) as transport:
        with pytest.raises(Ambiguous):
            await transport.post("/", b"{}", {})


async def test_silence_after_the_request_is_ambiguous() -> None:
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await done.wait()

    async with server(answer) as endpoint, client(endpoint, answer_seconds=0.1) as transport:
        with pytest.raises(Ambiguous):
            await transport.post("/", b"{}", {})
        done.set()


async def test_a_redirect_is_an_answer_not_an_instruction() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with server(answer) as endpoint, client(endpoint) as transport:
        assert (await transport.post("/", b"{}", {})).status == 307
