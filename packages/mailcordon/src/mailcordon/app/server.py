"""The HTTP server of the `api` role, on the socket that `up` passes on, else on one of its own.

The inherited socket stays open while the API restarts, so clients wait for a moment instead of being refused.
"""

import asyncio
import contextlib
import dataclasses
import resource
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, cast

import uvicorn

from mailcordon.config import Config
from mailcordon.core.errors import BadConfig
from mailcordon.door.limits import Limits
from mailcordon.host import listening
from mailcordon.messages import settings

#: Files beside the API's connections: the database's (about 40), logs, modules, and connections that are closed in this moment.
_OTHER_FILES = 128


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # app/process.py handles the signals: they set `stop`, and `stop` ends the server.
        yield


async def serve(
    application: Any, protocol: Callable[..., asyncio.Protocol], config: Config, stop: asyncio.Event
) -> None:
    """Serves an ASGI application on connections of `protocol`. At `stop`, open requests get `config.drain_seconds` to finish."""
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
    serving = asyncio.create_task(server.serve(sockets=[open_listener(config)]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def tls_context(config: Config) -> ssl.SSLContext | None:
    """None without the settings of TLS. Raises BadConfig for files that are no certificate with its key."""
    if config.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise BadConfig(settings.tls_not_readable(path=str(config.tls_certificate), why=why)) from None
    return context


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


def open_listener(config: Config) -> socket.socket:
    """Raises PortTaken, or BadConfig for a MAILCORDON_API_FD that is not a listening socket."""
    number = config.api_fd
    if number is None:
        return listening.listen(listening.api(config.api_host, config.api_port))
    try:
        listener = socket.socket(fileno=number)
        accepting = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BadConfig(settings.api_fd_wrong(number=number, why=error.strerror or "")) from None
    if not accepting:
        listener.detach()
        raise BadConfig(settings.api_fd_wrong(number=number, why=settings.socket_not_listening()))
    return listener
