"""Log files of child processes: appended to, readable by their owner only, moved aside at a start when they are large."""

import os
from pathlib import Path
from typing import IO

LARGEST = 20_000_000  #: bytes; a larger log is renamed to `.log.1` before it is opened


def open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST:
        path.replace(path.with_suffix(".log.1"))
    return open(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab")


def last_lines(path: Path, count: int = 3, since: int = 0) -> list[str]:
    """The last lines after byte `since` that are not empty; none if the file cannot be read."""
    try:
        with path.open("rb") as log:
            log.seek(max(since, path.stat().st_size - 4000))
            lines = log.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return []
    return [line for line in lines[-count:] if line.strip()]
