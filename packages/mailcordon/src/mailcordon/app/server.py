"""Serves an application until told to stop: on the socket that `up` hands down, else on one of our own.

The inherited socket stays open while the API restarts, so callers then wait a moment instead of being refused.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any, cast

import uvicorn

from mailcordon.config import Config
from mailcordon.host import listening


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # Signals are the role's (app/process.py): they set `stop`, and `stop` ends us.
        yield


async def serve(
    application: Any, protocol: Callable[..., asyncio.Protocol], config: Config, stop: asyncio.Event
) -> None:
    """An ASGI application, on connections that speak `protocol`. Requests under way get `config.drain_seconds` to finish."""
    listener = (
        socket.socket(fileno=config.api_fd)
        if config.api_fd is not None
        else listening.listen(config.api_host, config.api_port, listening.API_PORT)
    )
    server = _Server(
        uvicorn.Config(
            application,
            http=cast(Any, protocol),  # uvicorn calls it, and asks no more of it
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, int(config.drain_seconds)),
            backlog=1024,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
