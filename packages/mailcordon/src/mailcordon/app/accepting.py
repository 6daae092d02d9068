"""Accepts all connections that wait, at once.

uvloop's own servers accept one connection in each round of the loop. A round also answers every connection that has sent a
request, so on a busy server the last of many new connections, e.g. of all clients after a restart, waited for seconds. The local
SES, which shares no code with us, has the same for itself.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import structlog

log: Any = structlog.get_logger()

FULL_PAUSE = 1.0  #: seconds until the next try when this process can open no more files


class Acceptor:
    """Connections of the listening `sockets` get a protocol of `make` each."""

    def __init__(self, sockets: Sequence[socket.socket], make: Callable[[], asyncio.Protocol]) -> None:
        self._sockets = sockets
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[object]] = set()
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        for listener in self._sockets:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Accepts no more. What was accepted stays open, and so do the listening sockets."""
        for listener in self._sockets:
            self._loop.remove_reader(listener)
        for pause in self._pauses.values():
            pause.cancel()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                log.error("connections wait", problem=str(error), retry_seconds=FULL_PAUSE)
                self._loop.remove_reader(listener)
                self._pauses[listener] = self._loop.call_later(FULL_PAUSE, self._resume, listener)
                return
            connection.setblocking(False)
            beginning = self._loop.create_task(self._begin(connection))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            connection.close()  # the client has gone

    def _resume(self, listener: socket.socket) -> None:
        del self._pauses[listener]
        self._loop.add_reader(listener, self._accept, listener)
