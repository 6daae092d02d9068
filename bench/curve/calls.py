"""Calls a mail, counted in phases of their own, since counting costs CPU.

System calls are counted by `perf stat`, where it is there; those of PostgreSQL's sessions tell round trips and syncs. Calls of
database functions are counted by PostgreSQL's `track_functions`; one that it puts into the statement around it is not counted.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench import system
from bench.system import System

#: A session of PostgreSQL sends one answer for each round trip, and one fdatasync may serve the commits of several.
_EVENTS = {
    "raw_syscalls:sys_enter": "system calls",
    "syscalls:sys_enter_sendto": "round trips",
    "syscalls:sys_enter_fdatasync": "syncs",
}
_FUNCTIONS = "select funcname as name, sum(calls)::float8 as calls from pg_stat_user_functions group by 1"
_FLUSHED = 1.5  #: seconds after which sessions have told the server about their calls
NO_PERF = "System calls were not counted: `perf` is not here or may not count them."


def perf_counts() -> bool:
    """Whether it is installed and allowed."""
    if shutil.which("perf") is None:
        return False
    command = ["perf", "stat", "-x,", "-e", ",".join(_EVENTS), "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and any(count_of(line) for line in done.stderr.splitlines())


def count_of(line: str) -> tuple[str, float] | None:
    """What a line of `perf stat -x,` counts, and how often: `count,,event,...`, after the thread's name if it is by thread."""
    fields = line.split(",")
    for event, what in _EVENTS.items():
        place = fields.index(event) if event in fields else 0
        if place >= 2 and fields[place - 2].isdigit():  # else <not counted>
            return what, float(fields[place - 2])
    return None


def thread_of(line: str) -> int | None:
    """The thread's number in a line of `perf stat --per-thread -x,`: `name-number,count,...`. A name may have commas."""
    event = next((event for event in _EVENTS if f",,{event}," in line), None)
    name, _, _ = line.partition(f",,{event}")[0].rpartition(",")
    number = name.rpartition("-")[2]
    return int(number) if event and number.isdigit() else None


@dataclass(slots=True)
class Counted:
    """`system calls:PART`, `round trips:SESSION`, `syncs:SESSION` and `function:NAME`; complete when the block has ended."""

    calls: dict[str, float] = field(default_factory=dict[str, float])


async def track_functions(under_test: System) -> None:
    logins = json.loads((under_test.home / "database.json").read_text())
    connection = await asyncpg.connect(system.superuser(logins, under_test.processes["postgres"]))
    await connection.execute("alter system set track_functions = 'all'")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


@asynccontextmanager
async def counting(under_test: System, *, perf: bool) -> AsyncIterator[Counted]:
    counted = Counted()
    before = await _functions(under_test.session)
    parts = _threads(under_test)
    process = await _perf(sorted(parts)) if perf else None
    try:
        yield counted
    finally:
        said = await _stopped(process) if process is not None else ""
    for line in said.splitlines():
        part, found = parts.get(thread_of(line) or 0), count_of(line)
        if part is None or found is None:
            continue
        what, count = found
        if what == "system calls" or part.startswith("postgres:"):
            for name in {"all", part.partition(":")[0], part}:
                counted.calls[f"{what}:{name}"] = counted.calls.get(f"{what}:{name}", 0.0) + count
    await asyncio.sleep(_FLUSHED)
    for name, calls in (await _functions(under_test.session)).items():
        if (more := calls - before.get(name, 0.0)) > 0:
            counted.calls[f"function:{name}"] = more


async def _functions(session: asyncpg.Connection) -> Counter[str]:
    return Counter({row["name"]: row["calls"] for row in await session.fetch(_FUNCTIONS)})


def _threads(under_test: System) -> dict[int, str]:
    found: dict[int, str] = {}
    for process, part in under_test.tree.members():
        with contextlib.suppress(OSError):
            found |= {int(thread.name): part for thread in Path(f"/proc/{process.pid}/task").iterdir()}
    return found


async def _perf(threads: list[int]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "perf", "stat", "-x,", "--per-thread", "-e", ",".join(_EVENTS), "-t", ",".join(map(str, threads)),
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip


async def _stopped(process: asyncio.subprocess.Process) -> str:
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    return said.decode(errors="replace")
