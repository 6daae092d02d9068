"""Checkpoints of the audit trail: lines of JSON outside of the database, each with the chain's hash at one place.

Who may rewrite the whole chain cannot rewrite them. Each line also has the first 16 hex digits of the hashes since the line
before, so that the first row of a rewritten chain is named, and not only the minute.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mailcordon.control.audit_chain import Expected
from mailcordon.core.errors import Refused
from mailcordon.messages import audit

DIGITS = 16  #: hex digits of each hash between two checkpoints
MOST_ROWS = 1_000  #: rows of one line

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHORT = re.compile(rf"[0-9a-f]{{{DIGITS}}}", re.ASCII)


class BadCheckpoints(Refused):
    """The file cannot be compared with one chain."""

    code = "bad-checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    at: str  #: ISO 8601, UTC, the database's clock
    installation: str
    seq: int  #: the last row's place in the chain: so many rows there are
    hash: str  #: 64 hex digits
    rows: tuple[
        str, ...
    ] = ()  #: the first digits of the hashes since the line before, the last row's included

    @property
    def line(self) -> str:
        document = {
            "at": self.at,
            "installation": self.installation,
            "count": self.seq,
            "seq": self.seq,
            "hash": self.hash,
            "rows": list(self.rows),
        }
        return json.dumps(document, separators=(",", ":"))


def make(at: str, installation: str, hashes: Sequence[tuple[int, bytes]]) -> list[Checkpoint]:
    """Checkpoints of these places, which follow each other."""
    made: list[Checkpoint] = []
    for start in range(0, len(hashes), MOST_ROWS):
        part = hashes[start : start + MOST_ROWS]
        seq, last = part[-1]
        rows = tuple(hash.hex()[:DIGITS] for _, hash in part)
        made.append(Checkpoint(at=at, installation=installation, seq=seq, hash=last.hex(), rows=rows))
    return made


def parse(line: str) -> Checkpoint | None:
    """None for a line that is no checkpoint, such as one that a crash cut short."""
    try:
        read: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(read, dict):
        return None
    document = cast("Mapping[str, Any]", read)
    at, installation, seq, hash = (document.get(name) for name in ("at", "installation", "seq", "hash"))
    rows = document.get("rows", [])
    if not (
        isinstance(at, str)
        and isinstance(installation, str)
        and isinstance(seq, int)
        and isinstance(hash, str)
        and _HASH.fullmatch(hash)
        and isinstance(rows, list)
        and len(cast("list[Any]", rows)) <= max(seq, 0)
        and all(isinstance(row, str) and _SHORT.fullmatch(row) for row in cast("list[Any]", rows))
    ):
        return None
    return Checkpoint(
        at=at, installation=installation, seq=seq, hash=hash, rows=tuple(cast("list[str]", rows))
    )


def latest(newest_first: Iterable[str]) -> Checkpoint | None:
    """The first of these lines that is a checkpoint."""
    found = (parse(line) for line in newest_first)
    return next((one for one in found if one is not None), None)


def expected(file: str, lines: Iterable[str]) -> Iterator[Expected]:
    """What the checkpoints of a file say, place by place. Lines that are none are left out. Raises BadCheckpoints if the places
    do not ascend: the file then has more than one history, for example of before and after a restored backup."""
    last = 0
    for number, line in enumerate(lines, start=1):
        found = parse(line)
        if found is None:
            continue
        if found.seq <= last:
            raise BadCheckpoints(
                audit.audit_checkpoints_not_ascending(file=file, line=number, seq=found.seq, before=last)
            )
        first = found.seq - len(found.rows) + 1
        for place, short in enumerate(found.rows[:-1], start=first):
            if place > last:
                yield Expected(seq=place, hash=short, at=found.at)
        yield Expected(seq=found.seq, hash=found.hash, at=found.at)
        last = found.seq
