"""A file that only grows, a line at a time, and that only its owner may read."""

import os
from collections.abc import Iterator
from pathlib import Path

TAIL = 1 << 20  #: bytes that `last_lines` reads


def append_line(path: Path, line: str) -> None:
    """Returns when the line is on disk. A line that a crash cut short stays as it is, on a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        cut_short = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if cut_short else b"") + line.encode() + b"\n"
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync_directory(path.parent)


def last_lines(path: Path) -> Iterator[str]:
    """The last lines, newest first: those that lie in the last megabyte. None if there is no file."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except FileNotFoundError:
        return
    whole = tail if size <= TAIL else tail.partition(b"\n")[2]
    for line in reversed(whole.splitlines()):
        yield line.decode(errors="replace")


def lines(path: Path) -> Iterator[str]:
    """The lines that the file has at this moment, oldest first. Raises OSError, now or while they are read."""
    return _lines(path, path.stat().st_size)


def _lines(path: Path, left: int) -> Iterator[str]:
    with open(path, "rb") as file:
        while left > 0:
            line = file.readline(left)
            if not line:
                return
            left -= len(line)
            yield line.decode(errors="replace")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
