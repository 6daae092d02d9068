"""Listening sockets: the port that was asked for, else the usual one if it is free, else any.

So the examples of the documentation work on a machine that runs one system, and a second system does not collide with it.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mailcordon.core.errors import Refused
from mailcordon.host.guardian import LOWEST_FREE_DESCRIPTOR
from mailcordon.messages import system


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to listen, and the settings that say so."""

    host: str
    port: int | None  #: 0 takes any free port; None takes `usual` if it is free, else any
    usual: int
    host_setting: str
    port_setting: str


def api(host: str, port: int | None) -> Wanted:
    return Wanted(host, port, 8025, "MAILCORDON_API_HOST", "MAILCORDON_API_PORT")


def smtp(host: str, port: int | None) -> Wanted:
    """For connections that begin in clear text."""
    return Wanted(host, port, 8587, "MAILCORDON_SMTP_HOST", "MAILCORDON_SMTP_PORT")


def smtps(host: str, port: int | None) -> Wanted:
    """For connections that begin with TLS."""
    return Wanted(host, port, 8465, "MAILCORDON_SMTP_HOST", "MAILCORDON_SMTPS_PORT")


def dashboard(host: str, port: int | None) -> Wanted:
    return Wanted(host, port, 8020, "MAILCORDON_DASHBOARD_HOST", "MAILCORDON_DASHBOARD_PORT")


def local_ses(port: int | None) -> Wanted:
    return Wanted("127.0.0.1", port, 8005, "MAILCORDON_SES_ENDPOINT", "MAILCORDON_SES_PORT")


class PortTaken(Refused):
    """The port is in use, or cannot be listened on."""

    code = "port-taken"


async def listen_patiently(wanted: Wanted, patience: float, say: Callable[[str], None]) -> socket.socket:
    """Like `listen`, but waits up to `patience` seconds for the port: a killed system may still be releasing it."""
    port = wanted.usual if wanted.port is None else wanted.port
    deadline = time.monotonic() + patience
    while True:
        try:
            return _listen(wanted, port)
        except PortTaken:
            if time.monotonic() > deadline:
                return listen(wanted, say)
        await asyncio.sleep(0.05)


def listen(wanted: Wanted, say: Callable[[str], None] = lambda _: None) -> socket.socket:
    """A listening socket. Raises PortTaken; the usual port is replaced by another one instead, and `say` gets a line."""
    if wanted.port is not None:
        return _listen(wanted, wanted.port)
    try:
        return _listen(wanted, wanted.usual)
    except PortTaken:
        listener = _listen(wanted, 0)
    chosen = int(listener.getsockname()[1])
    say(system.port_replaced(port=wanted.usual, chosen=chosen, holder=holder_of(wanted.usual)))
    return listener


def metrics(host: str, port: int | None, usual: int) -> Wanted:
    return Wanted(host, port, usual, "MAILCORDON_METRICS_HOST", "MAILCORDON_METRICS_PORT")


def listen_quietly(wanted: Wanted) -> socket.socket:
    """Like `listen`, without a word about a usual port that is in use: many systems on one machine are no surprise."""
    if wanted.port is None:
        with contextlib.suppress(OSError):
            return _open(wanted.host, wanted.usual)
    return _listen(wanted, wanted.port or 0)


def _listen(wanted: Wanted, port: int) -> socket.socket:
    try:
        listener = _open(wanted.host, port)
    except OSError as error:
        raise PortTaken(_why_not(wanted, port, error)) from None
    return _above_shell_descriptors(listener)


def _open(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(wanted: Wanted, port: int, error: OSError) -> str:
    why = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return system.port_taken(
            host=wanted.host, port=port, setting=wanted.port_setting, holder=holder_of(port)
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return system.port_not_usable(host=wanted.host, port=port, setting=wanted.port_setting, why=why)
    return system.host_not_usable(host=wanted.host, setting=wanted.host_setting, why=why)


def _above_shell_descriptors(listener: socket.socket) -> socket.socket:
    # Children inherit it by number through a shell that uses low numbers itself.
    number = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, LOWEST_FREE_DESCRIPTOR)
    listener.close()
    return socket.socket(fileno=number)


async def free_port(wanted: Wanted, patience: float, say: Callable[[str], None]) -> int:
    """A port for a program that opens its own socket, chosen like `listen_patiently`. Raises PortTaken."""
    with await listen_patiently(wanted, patience, say) as listener:
        return int(listener.getsockname()[1])


def free_dns_port(host: str = "127.0.0.1") -> int:
    """A port that is free over UDP and over TCP, for a name server. Raises OSError."""
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as streams:
            datagrams.bind((host, 0))
            port = int(datagrams.getsockname()[1])
            with contextlib.suppress(OSError):
                streams.bind((host, port))
                return port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def holder_of(port: int) -> str | None:
    """The process that listens on a TCP port, as `process 4711 (node)`; None if it cannot be found out.

    Linux only, and only for processes of this user unless we are root.
    """
    inodes = set(_listening_inodes(port))
    with contextlib.suppress(OSError):
        for process in Path("/proc").glob("[0-9]*"):
            if inodes & set(_socket_inodes(process)):
                return system.process_named(pid=int(process.name), name=_program(process))
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                # 0A is TCP_LISTEN; the local address is `hex address:hex port`.
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _socket_inodes(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    yield target[8:-1]


def _program(process: Path) -> str:
    """The program's name, with the module for `python -m`: `python -m mailcordon`."""
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_text(errors="replace").split("\0")
        if words[0]:
            module = words[words.index("-m") : words.index("-m") + 2] if "-m" in words else []
            return " ".join([os.path.basename(words[0]), *module])
    return "unknown"
