"""The home of one system: who runs in it, where its parts answer, and the files that others find it by.

One process at a time holds the home's lock, for as long as it lives and not a moment longer, however it dies; that is what a
second `up` runs into and what `down` waits for. `run.json` is there only while the system is ready.
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
from mailcordon.host.private_file import write_private

LOCK = "lock"
RUN = "run.json"
CLI = "cli.json"


class HomeTaken(Refused):
    """Another process runs in this home."""

    code = "home-taken"


class StillRunning(Refused):
    """It was told to stop, and has not yet."""

    code = "still-running"


@contextlib.contextmanager
def claimed(home: Path, doing: str) -> Generator[None]:
    """Holds the home. Raises HomeTaken, naming the process that has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise HomeTaken(
                f"{holder} already runs in {home}. `mailcordon down` stops it; "
                "MAILCORDON_HOME names another home for a second one."
            ) from None
        lock.truncate(0)
        lock.write(f"`mailcordon {doing}` (pid {os.getpid()})\n")
        lock.flush()
        yield


def holder(home: Path) -> int | None:
    """Process id of whoever holds the home; none when nobody does."""
    with contextlib.suppress(FileNotFoundError), (home / LOCK).open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            said = lock.read()
            digits = said.rpartition("(pid ")[2].rstrip(")\n")
            return int(digits) if digits.isdigit() else None
    return None


def stop_holder(home: Path, patience: float) -> int | None:
    """Asks whoever holds the home to end, and waits for it. Answers its pid; none when nobody ran."""
    pid = holder(home)
    if pid is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while holder(home) == pid:
        if time.monotonic() > deadline:
            raise StillRunning(
                f"process {pid} was told to stop {patience:.0f} s ago and still runs in {home}."
            )
        time.sleep(0.05)
    return pid


def read(file: Path) -> dict[str, Any]:
    """A JSON file of the home; empty when it is not there."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return {}


def write(file: Path, facts: Mapping[str, Any]) -> None:
    write_private(file, json.dumps(facts, indent=2) + "\n")
