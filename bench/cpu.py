"""CPU of a tree of processes, from /proc: user and system time of all its processes, including those that have ended.

When a process ends, its time is added to the parent that waits for it. So the sum over a tree only grows, and the difference of
two samples is what the tree used in between. Of processes that live it is exact to the nanosecond; of those that ended it has a
resolution of 10 ms.
"""

import os
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CORES = os.cpu_count() or 1
PAGE = os.sysconf("SC_PAGE_SIZE")  #: bytes
_TICKS = os.sysconf("SC_CLK_TCK")
_OF_PROCESS = 2  #: CPUCLOCK_SCHED of a process's clock (clock_getcpuclockid(3)), as Linux numbers them


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    seconds: float  #: user and system, its own and that of children it has waited for
    title: str


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds so far, by part. Parts of PostgreSQL are named `postgres:...`."""

    seconds: Mapping[str, float]

    def since(self, before: "Sample") -> dict[str, float]:
        names = {*self.seconds, *before.seconds}
        return {name: self.seconds.get(name, 0.0) - before.seconds.get(name, 0.0) for name in sorted(names)}


class Tree:
    """All processes below `root`. `named` maps a part's name to its first process; the others (guardians, the supervisor) are
    `up`. `backends` names PostgreSQL's sessions; `uncounted` are the bench's own."""

    def __init__(self, root: int, named: Mapping[str, int]) -> None:
        self._root = root
        self._names = {pid: name for name, pid in named.items()}
        self._beside: set[int] = set()
        self.backends: dict[int, str] = {}
        self.uncounted: set[int] = set()

    def add(self, name: str, pid: int) -> None:
        """A process that is not below `root` and counts as well, until `remove`."""
        self._names[pid] = name
        self._beside.add(pid)

    def remove(self, pid: int) -> None:
        self._beside.discard(pid)
        self._names.pop(pid, None)

    def sample(self) -> Sample:
        seconds: dict[str, float] = {}
        for process, label in self.members():
            seconds[label] = seconds.get(label, 0.0) + process.seconds
        return Sample(seconds)

    def members(self) -> Iterator[tuple[Process, str]]:
        """Each process, and the part that it belongs to."""
        children: dict[int, list[Process]] = {}
        for process in processes():
            children.setdefault(process.parent, []).append(process)
        pending: list[tuple[Process, str]] = []
        for pid in (self._root, *self._beside):
            process = read(pid)
            if process is None:
                raise RuntimeError(f"process {pid}, which was to be measured, is gone")
            pending.append((process, "up"))
        while pending:
            process, inherited = pending.pop()
            if process.pid in self.uncounted:
                continue
            part = self._names.get(process.pid, inherited)
            yield process, self._backend(process) if part == "postgres" else part
            pending += [(child, part) for child in children.get(process.pid, [])]

    def missing(self) -> list[str]:
        """Parts whose process has ended. Its replacement would be counted under another name."""
        alive = {process.pid for process in processes()}
        return [name for pid, name in self._names.items() if pid not in alive]

    def _backend(self, process: Process) -> str:
        if name := self.backends.get(process.pid):
            return f"postgres:{name}"
        kind = process.title.partition("postgres: ")[2].split(" ")[0]
        return f"postgres:{kind or 'postmaster and ended backends'}"


def own() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def machine() -> float:
    """Seconds that this machine's CPUs were busy so far: user, kernel, interrupts, stolen."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def processes() -> Iterator[Process]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := read(int(entry))) is not None:
            yield process


def exact(pid: int) -> float | None:
    """CPU seconds of one process so far, without its children, to the nanosecond. None when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | _OF_PROCESS)
    except OSError:
        return None


def read(pid: int) -> Process | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): state is field 3 and stands first here; ppid is field 4, utime to cstime 14 to 17.
    own = exact(pid)
    if own is None:  # it has ended and nobody has waited for it
        own = sum(map(int, fields[11:13])) / _TICKS
    return Process(pid, int(fields[1]), own + sum(map(int, fields[13:15])) / _TICKS, title)
