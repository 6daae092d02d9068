"""The HTTP server of a role: many new connections at once, and its end."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailcordon.app import server
from mailcordon.config import Config

MANY = 30
ROUNDS = 8  #: of the loop, in which a connection is accepted and its protocol made


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_all_that_wait_are_accepted_in_one_round_and_after_its_end_none(tmp_path: Path) -> None:
    made: list[asyncio.Protocol] = []

    class Counted(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            made.append(self)
            super().connection_made(transport)

    async def serve() -> None:
        stop = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        address = listener.getsockname()
        serving = asyncio.create_task(
            server.serve(application, Counted, Config(home=tmp_path), stop, listener)
        )
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(10):
            assert b" 200 " in await reader.readline()
        # Without a round of the loop in between: they are in the backlog.
        clients = [socket.create_connection(address) for _ in range(MANY)]
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        accepted = len(made) - 1
        for client in clients:
            client.close()
        writer.close()
        stop.set()
        async with asyncio.timeout(10):
            await serving
        assert accepted == MANY
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address).close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
