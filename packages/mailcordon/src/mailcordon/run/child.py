"""One child process of `up`: restarted when it ends, and ended with us.

It runs under a guardian (`host/guardian.py`), so it ends even when we are killed. A child that ends is started again, at first at
once, then after growing pauses. A child that exits with status 2 must not run with these settings, and is not started again.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

from mailcordon.core import boundary
from mailcordon.core.errors import Unavailable
from mailcordon.host import forking, guardian, log_file
from mailcordon.messages import system

SHORTEST_PAUSE = 0.05  #: seconds between two starts
LONGEST_PAUSE = 5.0
GOOD_LIFE = 10.0  #: seconds after which a child's earlier ends no longer lengthen the pause

Say = Callable[[str], None]
Started = Callable[[], Coroutine[None, None, None]]
Process = guardian.Guarded | forking.Forked
#: `guardian.start`, or what does the same without a new interpreter
Start = Callable[..., Coroutine[None, None, Process]]


class Child:
    """`start` returns when the process exists and `on_start` has finished; `refused` is set if it must not run."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        say: Say,
        drain: float,  #: seconds between SIGTERM and SIGKILL
        descriptors: Sequence[int] = (),
        on_start: Started | None = None,
        start: Start = guardian.start,
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self.starts = 0
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._say = say
        self._drain = drain
        self._descriptors = tuple(descriptors)
        self._on_start = on_start
        self._start_process = start
        self._log_start = 0  #: size of the log when the child was last started
        self._process: Process | None = None
        self._restarting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._spawn()
        self._restarting = asyncio.create_task(self._restart_when_it_ends(), name=f"restart-{self.name}")

    async def stop(self) -> None:
        """Asks it to finish its work, and kills it if that takes longer than `drain`."""
        restarting, self._restarting = self._restarting, None
        if restarting is not None:
            restarting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await restarting
        self.refused.cancel()
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
        self.pid = None

    async def _spawn(self) -> None:
        with log_file.open_log(self._log) as log:
            self._log_start = log.tell()
            self._process = await self._start_process(
                self._command,
                kind="TERM",
                hard="KILL",
                patience=int(self._drain) + 1,
                log=log,
                env=self._environment,
                pass_fds=self._descriptors,
            )
        self.pid = self._process.pid
        self.starts += 1
        if self._on_start is not None:
            await self._run_unless_it_ends(self._process, self._on_start)

    async def _run_unless_it_ends(self, process: Process, on_start: Started) -> None:
        starting = asyncio.ensure_future(on_start())
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                raise Unavailable(system.ended_at_start(name=self.name, log_end=self.log_end()))
            await starting
        finally:
            starting.cancel()
            ending.cancel()

    async def _restart_when_it_ends(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            assert self._process is not None
            started_at = time.monotonic()
            status = await self._process.wait()
            self.pid = None
            if status == boundary.REFUSED:
                self.refused.set_result(system.refuses_to_run(name=self.name, log_end=self.log_end()))
                return
            lived = time.monotonic() - started_at
            if lived > GOOD_LIFE:
                pause = SHORTEST_PAUSE
            why = (
                system.killed_by_signal(signal=status - 128)
                if status > 128
                else system.ended_with_status(status=status)
            )
            self._say(system.restarting(name=self.name, why=why, log=str(self._log)))
            # At most twice its life: a child that ran for a while and was killed should be back soon.
            await self._start_again(min(pause, max(SHORTEST_PAUSE, 2 * lived)))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _start_again(self, pause: float) -> None:
        """Tries until it starts: a lack of processes or memory passes."""
        while True:
            await asyncio.sleep(pause)
            # A guardian that was killed leaves its program running; closing the pipe ends it.
            if self._process is not None:
                self._process.release()
            try:
                await self._spawn()
                return
            except (OSError, Unavailable) as failure:
                self._say(system.cannot_start(name=self.name, why=str(failure)))
                pause = min(max(pause, 0.5) * 2, LONGEST_PAUSE)

    def log_end(self) -> str:
        """The last lines that it logged since its start, as one line."""
        lines = log_file.last_lines(self._log, since=self._log_start)
        return " ".join(_message(line) for line in lines) or system.log_empty()


def _message(line: str) -> str:
    """The event of a log line, in either format of `app/log.py`; any other line as it is."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(line)["event"])
    found = re.fullmatch(r"\S+Z \w+ +\w+: (.*?)(?:  \w+=.*)?", line)
    return found[1] if found else line
