"""One child process of `up`: kept running, ended with us.

It runs under a guardian (`host/guardian.py`), so that even our kill -9 ends it. When it dies it is started again,
at first at once, then ever slower; when it ends with status 2 it has refused to run, and trying again would not help.
"""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

from mailcordon.core.errors import Unavailable
from mailcordon.host import guardian

REFUSED = 2  #: exit status of a process that will not run with these settings
LONGEST_PAUSE = 5.0  #: seconds between two starts
GOOD_LIFE = 10.0  #: seconds a child has to live for its past deaths to be forgotten
LARGEST_LOG = 20_000_000  #: bytes; a larger log is moved aside at the next start

Say = Callable[[str], None]
Started = Callable[[], Coroutine[None, None, None]]


class Child:
    """`start` answers when the process exists, not when it is ready: what ready means is known to who started it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        say: Say,
        drain: float,
        descriptors: Sequence[int] = (),
        on_start: Started | None = None,
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
        self._guardian: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep-{self.name}")

    async def stop(self) -> None:
        """Asks it to finish what it began; it is killed when that takes longer than it may."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self.refused.cancel()
        process, self._guardian = self._guardian, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
        self.pid = None

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        with open(os.open(self._log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as log:
            self._guardian = await asyncio.create_subprocess_exec(
                *guardian.command(self._command, kind="TERM", hard="KILL", patience=int(self._drain) + 1),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                pass_fds=self._descriptors,
                start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            )
        assert self._guardian.stdout is not None
        first_line = await self._guardian.stdout.readline()
        self.pid = int(first_line) if first_line.strip() else None
        self.starts += 1
        if self._on_start is not None:
            await self._unless_it_dies(self._guardian, self._on_start)

    async def _unless_it_dies(self, process: asyncio.subprocess.Process, ready: Started) -> None:
        """What is to be done once it runs; a child that died meanwhile is not waited for."""
        doing = asyncio.ensure_future(ready())
        dying = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Unavailable(f"{self.name} ended at its start: {self.last_words()}")
            await doing
        finally:
            doing.cancel()
            dying.cancel()

    async def _keep(self) -> None:
        pause = 0.05
        while True:
            assert self._guardian is not None
            born = time.monotonic()
            status = await self._guardian.wait()
            self.pid = None
            if status == REFUSED:
                self.refused.set_result(f"{self.name} refuses to run: {self.last_words()}")
                return
            lived = time.monotonic() - born
            if lived > GOOD_LIFE:
                pause = 0.05
            why = f"was killed by signal {status - 128}" if status > 128 else f"ended with status {status}"
            self._say(f"{self.name} {why}; starting it again (its log: {self._log})")
            # Never longer than twice its life: what worked for a while and was killed is missed more than it costs.
            await self._start_again(min(pause, max(0.05, 2 * lived)))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _start_again(self, pause: float) -> None:
        """Also when starting itself fails, for lack of processes or memory: that passes."""
        while True:
            await asyncio.sleep(pause)
            # A guardian that was killed has left its program behind: closing the pipe ends it.
            if self._guardian is not None and self._guardian.stdin is not None:
                self._guardian.stdin.close()
            try:
                await self._spawn()
                return
            except (OSError, Unavailable) as trouble:
                self._say(f"{self.name} cannot be started: {trouble}")
                pause = min(max(pause, 0.5) * 2, LONGEST_PAUSE)

    def last_words(self) -> str:
        try:
            said = self._log.read_bytes()[-4000:].decode(errors="replace")
        except OSError:
            return "it left no word"
        return " ".join(line for line in said.strip().splitlines()[-3:] if line) or "it left no word"
