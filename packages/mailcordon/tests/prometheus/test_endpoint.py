"""One role's metrics port: what it answers, to whom, and that it cannot be held up."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mailcordon.adapters.prometheus import endpoint as endpoints
from mailcordon.adapters.prometheus.endpoint import MOST_CONNECTIONS, Endpoint

TOKEN = "a-token-of-a-scraper"
GET = "GET /metrics HTTP/1.1\r\nHost: x\r\n"


async def page(accept: str) -> tuple[bytes, str]:
    return f"metrics for {accept}\n".encode(), "text/plain"


@asynccontextmanager
async def served(make: endpoints.Page = page, token: str | None = None) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    async with await Endpoint(make, token=token).start(listener):
        yield listener.getsockname()[1]


async def ask(port: int, head: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\n".encode())
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_metrics_are_answered_in_the_format_that_is_asked_for() -> None:
    async with served() as port:
        answer = await ask(port, f"{GET}Accept: application/openmetrics-text\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"metrics for application/openmetrics-text\n"
        assert f"Content-Length: {len(body)}".encode() in head
        only_head = await ask(port, "HEAD /metrics HTTP/1.1\r\n")
        assert only_head.startswith(b"HTTP/1.1 200")
        assert only_head.endswith(b"\r\n\r\n")


async def test_there_is_nothing_else_on_the_port() -> None:
    async with served() as port:
        for head, status in (
            ("GET / HTTP/1.1\r\n", b"404"),
            ("GET /v1/messages HTTP/1.1\r\n", b"404"),
            ("POST /metrics HTTP/1.1\r\n", b"405"),
            ("nonsense\r\n", b"404"),
            ("GET /metrics?name[]=x HTTP/1.1\r\n", b"200"),
        ):
            assert (await ask(port, head)).split(b" ")[1] == status, head


async def test_with_a_token_only_who_sends_it_gets_metrics() -> None:
    async with served(token=TOKEN) as port:
        for authorization, status in (
            ("", b"401"),
            ("Authorization: Bearer wrong\r\n", b"401"),
            (f"Authorization: Basic {TOKEN}\r\n", b"401"),
            ("Authorization: Bearer \xe9\r\n", b"401"),
            (f"Authorization: Bearer {TOKEN}\r\n", b"200"),
            (f"authorization: bearer {TOKEN}\r\n", b"200"),
        ):
            answer = await ask(port, GET + authorization)
            assert answer.split(b" ")[1] == status, authorization
            assert TOKEN.encode() not in answer


async def test_a_page_that_cannot_be_made_is_a_500_and_the_next_one_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fails = [True]

    async def make(accept: str) -> tuple[bytes, str]:
        if fails.pop() if fails else False:
            raise RuntimeError("the disk is full")
        return await page(accept)

    async with served(make) as port:
        failed = await ask(port, GET)
        assert failed.startswith(b"HTTP/1.1 500")
        assert b"disk" not in failed
        assert "the disk is full" in caplog.text
        assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")


async def test_a_head_that_is_too_long_or_never_ends_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "HEAD_SECONDS", 0.05)
    async with served() as port:
        assert await ask(port, GET + "X: " + "x" * endpoints.MOST_HEAD + "\r\n") == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /met")
        assert await reader.read() == b""
        writer.close()


async def test_more_than_a_few_connections_are_refused_until_one_ends() -> None:
    inside = asyncio.Semaphore(0)
    go = asyncio.Event()

    async def make(accept: str) -> tuple[bytes, str]:
        inside.release()
        await go.wait()
        return await page(accept)

    async with served(make) as port:
        waiting = [asyncio.create_task(ask(port, GET)) for _ in range(MOST_CONNECTIONS)]
        for _ in waiting:
            await inside.acquire()
        assert await ask(port, GET) == b""
        go.set()
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asyncio.gather(*waiting))
        assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")
