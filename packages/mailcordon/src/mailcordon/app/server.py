"""The HTTP server of the roles `api` and `dashboard`."""

import asyncio
import contextlib
import dataclasses
import resource
import socket
from collections.abc import Callable, Generator
from typing import Any, cast

import uvicorn

from mailcordon.app import listeners
from mailcordon.app.accepting import Acceptor
from mailcordon.config import Config
from mailcordon.door.limits import Limits
from mailcordon.host import listening

#: Files beside the API's connections: the database's (about 40), logs, modules, and connections that are closed in this moment.
_OTHER_FILES = 128


_DATE_SECONDS = 1.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()
        self._acceptor: Acceptor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but connections are accepted by us."""
        await super().startup(sockets=[])
        make = cast(Any, self.config.http_protocol_class)
        state = self.lifespan.state
        self._acceptor = Acceptor(
            sockets or [],
            lambda: make(config=self.config, server_state=self.server_state, app_state=state),
        )
        self._acceptor.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # app/process.py handles the signals: they set `stop`, and `stop` ends the server.
        yield

    async def main_loop(self) -> None:
        """Renews the time that answers carry. uvicorn's own loop wakes ten times a second, also to look for its end."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_SECONDS):
                    await self.ending.wait()


async def serve(
    application: Any,
    protocol: Callable[..., asyncio.Protocol],
    config: Config,
    stop: asyncio.Event,
    listener: socket.socket,
) -> None:
    """Serves an ASGI application on connections of `protocol`, accepted from `listener`.

    At `stop`, open requests get `config.drain_seconds` to finish."""
    server = _Server(
        uvicorn.Config(
            application,
            http=cast(Any, protocol),  # uvicorn only calls it
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            ws="none",
            proxy_headers=False,  # the door reads them, for proxies that are trusted (door/client_address.py)
            timeout_graceful_shutdown=max(1, int(config.drain_seconds)),
            backlog=1024,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    server.ending.set()
    await serving


def possible(limits: Limits) -> Limits:
    """The limits of a process that may open as many files as this one: with too few, there are fewer connections.

    A process that has none left would reset every new caller, and could not open a file or a connection to the database either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    return dataclasses.replace(limits, connections=max(1, soft - _OTHER_FILES))


def api_listener(config: Config) -> socket.socket:
    """The socket that `up` passes on, else a new one.

    Raises PortTaken, or BadConfig for a MAILCORDON_API_FD that is not a listening socket."""
    wanted = listening.api(config.api_host, config.api_port)
    return listeners.open_listener(config.api_fd, "MAILCORDON_API_FD", wanted)
