"""Processes that die, each forked from one process that has loaded their modules: an interpreter for each would cost more than
all else that they do.

A module whose processes die calls `serve`. A line of its input is what to do, in JSON. It forks, writes the child's process id
and, once the child has ended, its exit code: -9 if it killed itself, 1 if it raised.
"""

import asyncio
import contextlib
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


def serve(act: Callable[[dict[str, Any]], int]) -> None:
    """Until the input ends. `act` runs in a child and returns its exit code."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_acted(act, asked))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _acted(act: Callable[[dict[str, Any]], int], asked: dict[str, Any]) -> int:
    os.dup2(2, 1)  # what it logs is no answer of ours
    try:
        return act(asked)
    except Exception:
        traceback.print_exc()
        return 1


@dataclass
class Forker:
    """One such process. Its children follow each other."""

    process: asyncio.subprocess.Process

    async def fork(self, **asked: Any) -> tuple[int, asyncio.Task[int]]:
        """The child's process id, and its exit code once it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        return await self._number(), asyncio.create_task(self._number())

    async def run(self, **asked: Any) -> int:
        """A child's exit code."""
        _, ending = await self.fork(**asked)
        return await ending

    async def _number(self) -> int:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the process that forks has ended"
        return int(line)


@contextlib.asynccontextmanager
async def forker(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, log: IO[bytes] | None = None
) -> AsyncIterator[Forker]:
    """Runs a module that calls `serve`. `log`: where its children's output goes instead of stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env={**(environment or os.environ), "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    try:
        yield Forker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
