"""Runs a program that ends when we end, however we end: a small shell script between us and the program holds our pipe.

When our process dies, the pipe closes and the guardian ends the program, first with the signal `kind`, after `patience` seconds
with `hard`. When the program ends, the guardian exits with its status. The guardian prints the program's process id as the first
line of its stdout; the program's own output goes to stderr. The caller keeps the other end of the guardian's stdin open.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

_SCRIPT = r"""
kind=$1 patience=$2 hard=$3
shift 3
exec 9<&0
"$@" </dev/null >&2 9<&- &
program=$!
echo "$program"
# Some shells report a killed program on stderr; that line does not belong in the program's log.
exec >/dev/null 2>&1
(
    read -r _ <&9
    kill -"$kind" "$program" 2>/dev/null
    waited=0
    while [ "$waited" -lt "$patience" ]; do
        kill -0 "$program" 2>/dev/null || exit 0
        sleep 1
        waited=$((waited + 1))
    done
    kill -"$hard" "$program" 2>/dev/null
) &
watcher=$!
exec 9<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"""

#: File descriptors passed on to the program must be this or higher: the shell uses the lower ones itself.
LOWEST_FREE_DESCRIPTOR = 20


@dataclass(slots=True)
class Guarded:
    """A program under a guardian. It ends when `release` is called, or when our process ends in any way."""

    pid: int | None  #: the program's process id; None if it could not be started
    _guardian: asyncio.subprocess.Process

    @property
    def ended(self) -> bool:
        return self._guardian.returncode is not None

    async def wait(self) -> int:
        """The program's exit status when it has ended; above 128, a signal's number plus 128."""
        return await self._guardian.wait()

    def release(self) -> None:
        """Lets the guardian end the program: the first signal now, the second one after its patience."""
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()

    async def stop(self) -> int:
        self.release()
        return await self.wait()


async def start(
    program: Sequence[str], *, kind: str, hard: str, patience: int, log: IO[bytes], **options: Any
) -> Guarded:
    """Starts a program in a session of its own, so that a terminal's Ctrl-C does not reach it. Its output goes to `log`.

    `kind` and `hard` are signal names without SIG, `patience` the seconds between them; `options` as for `subprocess.Popen`.
    """
    command = ("/bin/sh", "-c", _SCRIPT, "mailcordon-guardian", kind, str(patience), hard, *program)
    starting = asyncio.ensure_future(_start(command, log, options | {"start_new_session": True}))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # A cancelled create_subprocess_exec can wait for ever for a process that it leaves running (CPython 3.11).
        with contextlib.suppress(OSError):
            await (await starting).stop()
        raise


async def _start(command: Sequence[str], log: IO[bytes], options: Any) -> Guarded:
    guardian = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, **options
    )
    assert guardian.stdout is not None
    first_line = await guardian.stdout.readline()
    return Guarded(int(first_line) if first_line.strip() else None, guardian)
