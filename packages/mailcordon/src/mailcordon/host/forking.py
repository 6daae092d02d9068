"""Programs that are forked from one process which has loaded their modules, instead of an interpreter for each.

`Forks` is the side that asks; it promises what `guardian.start` promises. `serve` is the process that forks. It gets a socket for
each program and nothing else: what the program may know goes through that socket, to a guardian that is forked first and forks
the program. So neither the process that forks nor a program sees the settings of another.

The guardian ends the program when its socket closes, first with the signal `kind`, after `patience` seconds with `hard`, and
tells its status. If the guardian dies, the kernel sends the program a SIGTERM. Linux only: `possible` says whether it works here.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from mailcordon.core.errors import Unavailable
from mailcordon.host import process_title
from mailcordon.messages import system

START_PATIENCE = 60.0  #: seconds until a program exists; at first, the process that forks has to load modules
_MOST_DESCRIPTORS = 16
_ABOVE_ALL = 512  #: where descriptors wait until their numbers are free
_PR_SET_PDEATHSIG = 1


def possible() -> bool:
    """Whether this system can do all of it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return process_title.can_be_set()


class Forked:
    """A program that was forked. It ends when `release` is called, or when our process ends in any way."""

    def __init__(
        self,
        pid: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        hard: str,
        patience: int,
    ) -> None:
        self.pid = pid
        self._reader = reader
        self._writer = writer
        self._hard = hard
        self._patience = patience
        self._program = _opened(pid)
        self._ending = asyncio.create_task(self._end(), name=f"forked-{pid}")

    async def wait(self) -> int:
        """The program's exit status when it has ended; above 128, a signal's number plus 128."""
        return await asyncio.shield(self._ending)

    def release(self) -> None:
        """Lets the guardian end the program: the first signal now, the second one after its patience."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    async def stop(self) -> int:
        self.release()
        return await self.wait()

    async def _end(self) -> int:
        try:
            line = await self._reader.readline()
            if line:
                return int(line)
            if self._program is not None:
                await _until_ended(self._program, self._hard, self._patience)
            return 128 + signal.SIGKILL  # its guardian was killed
        except ConnectionError:
            return 128 + signal.SIGKILL
        finally:
            self._writer.close()
            if self._program is not None:
                os.close(self._program)


def _opened(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.pidfd_open(pid)
    return None


async def _until_ended(program: int, hard: str, patience: int) -> None:
    """Nobody but the kernel has told the program to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(program, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), patience)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(program, signal.Signals[f"SIG{hard}"])
        await ended.wait()
    finally:
        loop.remove_reader(program)


class Forks:
    """The asking side. `descriptor` is the other end, which each process that runs `serve` inherits by number: what is asked
    while none runs is done by the next one."""

    def __init__(self, lowest_descriptor: int = 0) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.descriptor = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest_descriptor)

    def close(self) -> None:
        self._ours.close()
        os.close(self.descriptor)

    async def start(
        self,
        program: Sequence[str],
        *,
        kind: str,
        hard: str,
        patience: int,
        log: IO[bytes],
        env: Mapping[str, str],
        pass_fds: Sequence[int],
    ) -> Forked:
        """As `guardian.start`; `program` is the command line that it shows. Raises Unavailable if it cannot be forked."""
        asked = {
            "program": list(program),
            "environment": dict(env),
            "kind": kind,
            "hard": hard,
            "patience": patience,
            "descriptors": list(pass_fds),
        }
        try:
            async with asyncio.timeout(START_PATIENCE):
                while True:
                    reader, writer = await self._ask(asked, [log.fileno(), *pass_fds])
                    try:
                        if line := await reader.readline():
                            return Forked(int(line), reader, writer, hard=hard, patience=patience)
                    except BaseException:
                        writer.close()  # its guardian ends what it has started
                        raise
                    writer.close()  # who was asked has died
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise Unavailable(system.not_forked()) from None

    async def _ask(
        self, asked: Mapping[str, Any], descriptors: Sequence[int]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._ours, [b"f"], [theirs.fileno()])
        socket.send_fds(ours, [b"f"], descriptors)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(json.dumps(asked).encode() + b"\n")
        return reader, writer


def serve(descriptor: int, run: Callable[[Sequence[str]], int]) -> int:
    """Forks until the asking side is gone. `run` gets the command line in the forked program, and returns its exit status; so
    does this function there."""
    asking = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        message, descriptors, _, _ = socket.recv_fds(asking, 1, 1)
        if not message:
            return 0
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            program = _guard(socket.socket(fileno=descriptors[0]))
            return run(program)
        for one in descriptors:
            os.close(one)


def _reap(*_: Any) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _guard(channel: socket.socket) -> Sequence[str]:
    """The guardian's whole life. Returns in the program that it forks only, with its command line."""
    try:
        os.setsid()
        _, received, _, _ = socket.recv_fds(channel, 1, _MOST_DESCRIPTORS)
        with channel.makefile("rb") as lines:
            line = lines.readline()
        if not line:
            os._exit(0)  # nobody waits for it any more
        asked = json.loads(line)
        guardian = os.getpid()
        program = os.fork()
        if program == 0:
            _become(asked, received, guardian)
            return asked["program"]
        with contextlib.suppress(OSError):
            process_title.set_both(["mailcordon-guardian", *asked["program"]], {})
        _take_descriptors([channel.fileno()])
        os._exit(_watch(channel, program, asked))
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _watch(channel: socket.socket, program: int, asked: Mapping[str, Any]) -> int:
    ended = os.pidfd_open(program)
    with contextlib.suppress(OSError):
        channel.sendall(b"%d\n" % program)
    readable, _, _ = select.select([channel, ended], [], [])
    if ended not in readable:
        signal.pidfd_send_signal(ended, signal.Signals[f"SIG{asked['kind']}"])
        if not select.select([ended], [], [], asked["patience"])[0]:
            signal.pidfd_send_signal(ended, signal.Signals[f"SIG{asked['hard']}"])
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    status = 128 - status if status < 0 else status
    with contextlib.suppress(OSError):
        channel.sendall(b"%d\n" % status)
    return status


def _become(asked: Mapping[str, Any], received: Sequence[int], guardian: int) -> None:
    """What an interpreter of its own would find: its descriptors, its environment, its command line."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != guardian:
        os._exit(128 + signal.SIGTERM)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log, *passed = received
    _take_descriptors([nothing, log, log, *passed], [0, 1, 2, *asked["descriptors"]])
    environment = asked["environment"]
    with contextlib.suppress(OSError):  # it works under another's name as well
        process_title.set_both(asked["program"], environment)
    os.environ.clear()
    os.environ.update(environment)


def _take_descriptors(kept: Sequence[int], numbers: Sequence[int] | None = None) -> None:
    """Keeps these descriptors, under these numbers or their own, and closes all others."""
    waiting = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL) for one in kept]
    numbers = kept if numbers is None else numbers
    for one, number in zip(waiting, numbers, strict=True):
        os.dup2(one, number)
    beginning = 0
    for number in sorted(numbers):
        if beginning < number:  # closerange(0, 0) closes all (CPython 3.11)
            os.closerange(beginning, number)
        beginning = number + 1
    os.closerange(beginning, os.sysconf("SC_OPEN_MAX"))
