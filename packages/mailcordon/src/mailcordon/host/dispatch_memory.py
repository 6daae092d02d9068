"""What a host knows of the database outside of it: how often its dispatchers have reported there, and each call that they began.

With the first a restored database is found: it is behind. With the second is known what was sent since the backup, although the
database does not say so any more (docs/backup.md).
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mailcordon.core import ids

MEMORY_FILE = "dispatch.json"
CALLS_DIRECTORY = "calls"
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Memory:
    home: uuid.UUID
    beats: int = 0  #: how often the dispatchers of this home have reported; 0: not yet
    at: int = 0  #: when they last did, in milliseconds since 1970, by the database's clock


def load(home: Path) -> Memory:
    """A new one if there is none, or none that can be read: a power failure may have cut it short."""
    try:
        known = json.loads((home / MEMORY_FILE).read_text())
        return Memory(uuid.UUID(known["home"]), int(known["beats"]), int(known["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Memory(uuid.uuid4())


def save(home: Path, memory: Memory) -> None:
    """Replaces the file. Survives the death of the process; raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    temporary = home / f".{MEMORY_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps({"home": str(memory.home), "beats": memory.beats, "at": memory.at}))
    temporary.replace(home / MEMORY_FILE)


def forgotten(memory: Memory) -> Memory:
    """The same home to a database that has never heard of it."""
    return replace(memory, home=uuid.uuid4(), beats=0)


class Call(NamedTuple):
    at: int  #: milliseconds since 1970, by the database's clock
    delivery: int
    attempt: int


class CallLog:
    """The calls of the last days, a file for each hour (UTC) and a line for each call, written before the call begins.

    A line survives the death of the process, and not a power failure: a host that lost power cannot vouch for its last seconds.
    """

    def __init__(self, home: Path, *, keep_days: int) -> None:
        """`keep_days` 0: none is written."""
        self._directory = home / CALLS_DIRECTORY
        self._keep_ms = keep_days * _DAY_MS
        self._descriptor = -1
        self._hour = -1

    @property
    def on(self) -> bool:
        return self._keep_ms > 0

    def is_open(self, at: int) -> bool:
        """Whether a call at that time goes to the file that is open."""
        return at // _HOUR_MS == self._hour

    def write(self, calls: Sequence[Call]) -> None:
        """All of them are at about the same time. Raises OSError."""
        if not calls or not self.on:
            return
        hour = calls[0].at // _HOUR_MS
        if hour != self._hour:
            self._open(hour)
        lines = (f"{one.at} {ids.encode(one.delivery)} {one.attempt}\n" for one in calls)
        data = "".join(lines).encode()
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._hour = -1, -1

    def _open(self, hour: int) -> None:
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        name = datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H.log")
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        self._descriptor = os.open(self._directory / name, flags, 0o600)
        self._hour = hour
        oldest = datetime.fromtimestamp((hour * _HOUR_MS - self._keep_ms) / 1000, UTC)
        for file in self._directory.glob("????-??-??T??.log"):
            if file.stem < oldest.strftime("%Y-%m-%dT%H"):
                file.unlink(missing_ok=True)


def call_files(given: Iterable[Path]) -> list[Path]:
    """The files that these paths name: files, directories of them, or homes. Raises OSError for one that is missing."""
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            path.stat()
            found.append(path)
            continue
        inside = path / CALLS_DIRECTORY
        found += sorted((inside if inside.is_dir() else path).glob("*.log"))
    return found


def read_calls(files: Iterable[Path]) -> Iterator[Call]:
    """Lines that a full disk or a power failure cut short are left out. Raises OSError."""
    for file in files:
        with file.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                try:
                    at, delivery, attempt = line.split()
                    yield Call(int(at), ids.decode(delivery), int(attempt))
                except ValueError:
                    continue
