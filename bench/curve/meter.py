"""What a system used: CPU and wake-ups of its processes from /proc, and what PostgreSQL counts."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import cpu
from bench.system import Failed, System

#: Sessions tell these to the server about every second, so the last moments of a phase may be in the next one. WAL is exact.
_COUNTERS = """
select xact_commit as commits, tup_inserted as inserted, tup_updated as updated, tup_deleted as deleted, tup_fetched as fetched,
       (select pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 as wal_bytes
  from pg_stat_database where datname = current_database()
"""
_QUIET = 0.3  #: seconds; sessions that were asked for names have ended then
_VOLUNTARY = "voluntary_ctxt_switches:"


@dataclass(frozen=True, slots=True)
class Used:
    seconds: float
    cpu: Mapping[str, float]
    wakeups: Mapping[str, float]
    database: Mapping[str, float]
    others: float


class Meter:
    """From its start to `read`. `beside`: further systems that run, which are not `others`."""

    def __init__(self, system: System, database: Mapping[str, float], beside: Sequence[System]) -> None:
        self._system = system
        self._beside = beside
        self._database = database
        self._machine, self._known = cpu.machine(), self._all()
        self._wakeups = _wakeups(system)
        self._sample, self._began = system.tree.sample(), time.perf_counter()

    @classmethod
    async def start(cls, system: System, beside: Sequence[System]) -> "Meter":
        """Names the database's sessions and reads its counters before anything is counted."""
        await system.name_backends()
        await asyncio.sleep(_QUIET)
        return cls(system, await counters(system.session), beside)

    async def read(self, more: float = 0.0) -> Used:
        """`more`: CPU seconds of processes that have ended meanwhile and are not `others`."""
        seconds = time.perf_counter() - self._began
        parts = self._system.tree.sample().since(self._sample)
        wakeups = {name: count - self._wakeups.get(name, 0) for name, count in _wakeups(self._system).items()}
        if gone := self._system.tree.missing():
            raise Failed(f"{', '.join(gone)} died meanwhile")
        known = self._all() - self._known + more
        others = max(0.0, cpu.machine() - self._machine - known) / seconds / cpu.CORES
        after = await counters(self._system.session)
        database = {name: value - self._database[name] for name, value in after.items()}
        return Used(seconds, parts, wakeups, database, others)

    def _all(self) -> float:
        return cpu.own() + sum(
            sum(one.tree.sample().seconds.values()) + one.ses.cpu() for one in (self._system, *self._beside)
        )


async def counters(session: asyncpg.Connection) -> dict[str, float]:
    row = await session.fetchrow(_COUNTERS)
    assert row is not None
    return {name: float(value) for name, value in row.items()}


def _wakeups(system: System) -> dict[str, float]:
    """Voluntary context switches so far, of all threads: each is one time that a thread had nothing to do and slept."""
    found: dict[str, float] = {}
    for process, part in system.tree.members():
        for thread in Path(f"/proc/{process.pid}/task").glob("*/status"):
            try:
                text = thread.read_text()
            except OSError:
                continue  # it has ended
            _, _, rest = text.partition(f"\n{_VOLUNTARY}")
            found[part] = found.get(part, 0.0) + float(rest.split("\n", 1)[0])
    return found


def resident(system: System) -> dict[str, float]:
    """Resident megabytes of each role's processes, without what PostgreSQL shares."""
    found: dict[str, float] = {}
    for process, part in system.tree.members():
        if part.startswith("postgres"):
            continue
        try:
            fields = Path(f"/proc/{process.pid}/statm").read_text().split()
        except OSError:
            continue
        found[part] = found.get(part, 0.0) + int(fields[1]) * cpu.PAGE / 1e6
    return found
