"""Ports: the one asked for, or the one that examples use if it is free, or any.

So the pasted examples of the documentation work on a machine that runs one system, and a second one gets out of its way.
"""

import asyncio
import fcntl
import socket
import time

from mailcordon.core.errors import Refused
from mailcordon.host.guardian import LOWEST_FREE_DESCRIPTOR

API_PORT = 8025
SES_PORT = 8005


class PortTaken(Refused):
    code = "port-taken"


async def listen_patiently(host: str, port: int | None, preferred: int, patience: float) -> socket.socket:
    """The same, while a system that was killed here may still be letting go of its port: that is worth some seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return listen(host, preferred if port is None else port, preferred)
        except PortTaken:
            if time.monotonic() > deadline:
                return listen(host, port, preferred)
        await asyncio.sleep(0.05)


def listen(host: str, port: int | None, preferred: int) -> socket.socket:
    """A listening socket. A port that was asked for and is taken is refused; a preferred one is not insisted on."""
    for wanted in [preferred, 0] if port is None else [port]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, wanted))
        except OSError as trouble:
            listener.close()
            if port is not None:
                raise PortTaken(
                    f"{host}:{port} cannot be listened on ({trouble.strerror}): choose another port, or 0 for a free one."
                ) from None
            continue
        listener.listen(1024)
        return _clear_of_shells(listener)
    raise PortTaken(f"no port of {host} can be listened on.")


def _clear_of_shells(listener: socket.socket) -> socket.socket:
    # Children inherit it by number through a shell that uses low numbers itself.
    number = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, LOWEST_FREE_DESCRIPTOR)
    listener.close()
    return socket.socket(fileno=number)


def choose(host: str, port: int | None, preferred: int) -> int:
    """A port for a program that insists on listening by itself; 0 leaves the choice to it."""
    if port is not None:
        return port
    try:
        with listen(host, preferred, preferred):
            return preferred
    except PortTaken:
        return 0
