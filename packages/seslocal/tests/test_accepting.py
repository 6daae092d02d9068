"""Many new connections at once: none waits for rounds of the loop in which the others are answered."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from seslocal import server
from seslocal.wire.accepting import Acceptor

uvloop: Any = pytest.importorskip("uvloop")
MANY = 30
ROUNDS = 8  #: of the loop, in which a connection is accepted and its protocol made


def test_all_that_wait_are_accepted_in_one_round() -> None:
    async def connect_many() -> int:
        async with server.running() as local:
            # Without a round of the loop in between: they are in the backlog.
            clients = [socket.create_connection((local.host, local.port)) for _ in range(MANY)]
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
            accepted = len(local._connections)  # pyright: ignore[reportPrivateUsage]
            for client in clients:
                client.close()
            return accepted

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(connect_many()) == MANY


def test_a_server_that_has_ended_accepts_no_more() -> None:
    async def connect_after_the_end() -> None:
        async with server.running() as local:
            address = (local.host, local.port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address).close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(connect_after_the_end())


async def test_when_no_more_files_can_be_opened_a_connection_waits_and_is_accepted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seslocal.wire.accepting._FULL_PAUSE", 0.05)
    made: list[asyncio.Protocol] = []

    class Made(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(self)

    class Full(socket.socket):
        failures = 2

        def accept(self) -> tuple[socket.socket, Any]:
            if self.failures:
                self.failures -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    with Full() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        acceptor = Acceptor([listener], Made)
        acceptor.start()
        with socket.create_connection(listener.getsockname()):
            async with asyncio.timeout(10):
                while not made:
                    await asyncio.sleep(0.01)
        acceptor.stop()
    assert len(made) == 1
