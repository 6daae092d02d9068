"""The state file: a journal of frames that is only appended to, and rewritten when it has grown. A frame is written with one
`write`, so a process that is killed leaves whole frames. After a failure of the machine the end may be missing or damaged:
each frame has a checksum, and what is before the damage is used. It knows nothing about what the frames contain."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from seslocal import messages

try:
    import fcntl
except ImportError:  # Windows: two processes on one directory are not noticed
    fcntl = None

FORMAT: Final = "1"  #: increased when the records change
_MAGIC: Final = b"seslocal state "
_HEADER: Final = struct.Struct("<II")  # length and CRC-32 of a frame's payload
_NAME: Final = "journal"


class Unusable(Exception):
    """The state file cannot be used. Its text says why."""


class Journal:
    """The journal in a directory. `lock` first, then `read`, then `append` and `rewrite`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / _NAME
        self.size = 0  #: bytes
        self.rewritten_size = 0  #: bytes after the last `rewrite`
        self._directory = directory
        self._lock: IO[bytes] | None = None
        self._file: int | None = None

    def lock(self) -> bool:
        """Takes the directory for this process. Returns False if another process has it. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = (self._directory / "lock").open("ab")
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
        self._lock = lock
        return True

    def read(self) -> tuple[list[bytes], str | None]:
        """Returns the payloads of the frames, and a sentence if some were lost. Raises Unusable if the file is no journal
        of this format."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return [], None
        if not content:
            return [], None
        first, newline, _ = content.partition(b"\n")
        if not first.startswith(_MAGIC) or not newline:
            raise Unusable(messages.state_foreign())
        found = first[len(_MAGIC) :].decode("ascii", "replace")
        if found != FORMAT:
            raise Unusable(messages.state_version(found[:20], FORMAT))
        view, at = memoryview(content), len(first) + 1
        payloads: list[bytes] = []
        for start, payload in _frames(view, at):
            payloads.append(payload)
            at = start + len(payload)
        said = None
        if at < len(content):
            copy = self._free_name("damaged")
            shutil.copyfile(self.path, copy)
            said = messages.state_damaged(str(self.path), copy.name, at, len(content))
            os.truncate(self.path, at)
        self.size = self.rewritten_size = at
        return payloads, said

    def set_aside(self, reason: str) -> str:
        """Renames the file, so that the next write starts a new one. Returns a sentence."""
        self._close_file()
        moved = self._free_name("unusable")
        self.path.rename(moved)
        self.size = self.rewritten_size = 0
        return messages.state_set_aside(str(self.path), moved.name, reason)

    def append(self, payload: bytes) -> None:
        """Writes one frame. Raises OSError."""
        if self._file is None:
            self._open_file()
        assert self._file is not None
        frame = _frame(payload)
        try:
            written = os.write(self._file, frame)
            while written < len(frame):
                written += os.write(self._file, frame[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(frame)

    def rewrite(self, payloads: Iterable[bytes]) -> None:
        """Replaces the journal by one with these frames; after a failure the old one is unchanged. Raises OSError."""
        new = self.path.with_name(_NAME + ".new")
        size = 0
        with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            size += file.write(_MAGIC + FORMAT.encode() + b"\n")
            for payload in payloads:
                size += file.write(_frame(payload))
            file.flush()
            os.fsync(file.fileno())
        self._close_file()  # before: Windows does not replace an open file
        new.replace(self.path)
        self.size = self.rewritten_size = size

    def close(self) -> None:
        """Writes what the system has buffered to the disk, and frees the directory."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                os.fsync(self._file)
        self._close_file()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open_file(self) -> None:
        self._file = os.open(
            self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600
        )
        if not os.fstat(self._file).st_size:
            self.size = os.write(self._file, _MAGIC + FORMAT.encode() + b"\n")

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _free_name(self, word: str) -> Path:
        number = 1
        while (path := self.path.with_name(f"{_NAME}.{word}-{number}")).exists():
            number += 1
        return path


def _frame(payload: bytes) -> bytes:
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def _frames(content: memoryview, at: int) -> Iterator[tuple[int, bytes]]:
    """Returns start and payload of each whole frame, up to the first that is not."""
    while at + _HEADER.size <= len(content):
        length, checksum = _HEADER.unpack_from(content, at)
        start = at + _HEADER.size
        payload = bytes(content[start : start + length])
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield start, payload
        at = start + length
