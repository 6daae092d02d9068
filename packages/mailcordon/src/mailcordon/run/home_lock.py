"""Who runs in a home, and the JSON files by which others find it.

One process at a time holds the home's lock, for exactly as long as it lives. A second `up` fails on it, and `down` waits for it.
`run.json` exists only while the system is ready.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from mailcordon.core.errors import Refused
from mailcordon.host.home import LOCK_FILE
from mailcordon.host.private_file import write_private
from mailcordon.messages import settings, system


class HomeTaken(Refused):
    """Another process runs in this home."""

    code = "home-taken"


class StillRunning(Refused):
    """The process was asked to stop and has not stopped yet."""

    code = "still-running"


@contextlib.contextmanager
def claimed(home: Path, command: str) -> Generator[None]:
    """Holds the home's lock. Raises HomeTaken, which names the process that has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or system.unknown_holder()
            raise HomeTaken(system.home_taken(holder=holder, home=str(home))) from None
        lock.truncate(0)
        lock.write(f"`mailcordon {command}` (pid {os.getpid()})\n")
        lock.flush()
        yield


def holder(home: Path) -> int | None:
    """Process id of the process that holds the home, or None."""
    with contextlib.suppress(FileNotFoundError), (home / LOCK_FILE).open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            digits = lock.read().rpartition("(pid ")[2].rstrip(")\n")
            return int(digits) if digits.isdigit() else None
    return None


def stop_holder(home: Path, patience: float) -> int | None:
    """Asks the process that holds the home to stop, and waits. Returns its pid, or None if nothing ran.

    Raises StillRunning after `patience` seconds, and Refused if the process belongs to another user.
    """
    pid = holder(home)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return pid
    except PermissionError:
        raise Refused(system.stop_not_allowed(pid=pid, home=str(home))) from None
    deadline = time.monotonic() + patience
    while holder(home) == pid:
        if time.monotonic() > deadline:
            raise StillRunning(system.still_running(pid=pid, home=str(home), seconds=patience))
        time.sleep(0.05)
    return pid


def read(file: Path) -> dict[str, Any]:
    """A JSON file of the home; empty if it does not exist. Raises Refused if it is damaged."""
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        raise Refused(
            settings.file_not_readable_as_json(path=str(file), repair=settings.repair_home_file()),
            code="file-damaged",
        ) from None


def write(file: Path, facts: Mapping[str, Any]) -> None:
    write_private(file, json.dumps(facts, indent=2) + "\n")
