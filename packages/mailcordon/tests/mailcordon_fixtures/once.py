"""What is made once for all workers of a test run, by the first of them that needs it.

Only a worker that needs the same thing waits. The lock ends with the process that has it: if a worker dies while it makes
something, the next one makes it anew.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_shared: list[Path] = []  #: the directory of the whole run, for locks and addresses


def share(directory: Path) -> None:
    """Tells a worker of pytest-xdist the directory that all workers of its run have."""
    _shared[:] = [directory]


def is_shared() -> bool:
    """False in a run without workers: nobody else needs what it makes."""
    return bool(_shared)


def make_once(name: str, make: Callable[[], Path]) -> Path:
    """What `make` returned to the first worker that asked for `name`. What `make` raises is raised, and the next one tries."""
    if not _shared:
        return make()
    address = _shared[0] / f"{name}.path"
    with (_shared[0] / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            made = make()
            incomplete = address.with_suffix(".incomplete")
            incomplete.write_text(str(made))
            incomplete.replace(address)
    return Path(address.read_text())


def directory(parent: Path | None) -> Path:
    """A new directory that PostgreSQL's user can enter. It lasts as long as the run: its name has the process id of the one
    that started the workers, who removes it at the end (`conftest.py` of the repository)."""
    owner = os.getppid() if _shared else os.getpid()
    made = Path(tempfile.mkdtemp(prefix=f"mc-{owner}-", dir=parent))
    made.chmod(0o711)
    return made
