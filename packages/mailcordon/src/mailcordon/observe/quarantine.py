"""What quarantine keeps of a batch. Pure: the documents, and what is kept already, go in; what to write comes out.

A document has one entry, however many copies of it arrive. Mail that did not pass through us has one entry for each identity,
caller and day, with a few samples: one misconfigured program sends thousands of such mails. Each kind has room for so many
entries and bytes. What does not fit is counted and not kept, so that no flood of events fills the disk. The oldest entries stay:
they show how it began.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mailcordon.messages import reasons
from mailcordon.observe.ports import Quarantined

MOST_SAMPLES = 3  #: documents of an entry about many mails
MOST_NOTICES = 2_000  #: SES's notices about no mail, of all times that are kept
LONGEST_NOTICE = 16 * 1024  #: characters of each
MOST_INSTALLATIONS = 200  #: of a day, that are counted by name
LONGEST_SAMPLE = 8 * 1024  #: bytes of each; an event without its headers has 2 to 4 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a batch brings for one entry."""

    digest: bytes
    why: str
    detail: str
    source: str
    tenant: int | None
    documents: tuple[str, ...]  #: distinct; more than one only for an entry about many mails
    copies: int  #: documents that arrived, kept or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An entry that is there."""

    id: int
    documents: tuple[str, ...]  #: of an entry that may take another sample, else empty
    takes: int  #: how many samples it may still take


@dataclass(slots=True, kw_only=True)
class Room:
    """What a kind may still take."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """More documents for an entry that is there."""

    id: int
    copies: int
    samples: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return size_of(self.samples)


@dataclass(slots=True)
class Plan:
    new: list[Entry] = field(default_factory=list[Entry])
    again: list[Again] = field(default_factory=list[Again])
    #: By kind.
    documents: Counter[str] = field(default_factory=Counter[str])
    entries: Counter[str] = field(default_factory=Counter[str])
    bytes: Counter[str] = field(default_factory=Counter[str])
    not_kept: Counter[str] = field(default_factory=Counter[str])


def entries(rows: Sequence[Quarantined], today: date) -> list[Entry]:
    """One for each document, or group of documents, in the order of their digests, in which they are locked."""
    found: dict[bytes, list[Quarantined]] = {}
    for row in rows:
        digest = row.digest if row.sender is None else _digest_of(row.why, row.sender, today)
        found.setdefault(digest, []).append(row)
    return [_entry(digest, same) for digest, same in sorted(found.items())]


def _entry(digest: bytes, same: Sequence[Quarantined]) -> Entry:
    first = same[0]
    detail, documents = first.detail, (first.document,)
    if first.sender is not None:
        identity, caller = first.sender
        detail = reasons.ungoverned(identity or reasons.unnamed_sender(), caller or None, None)
        documents = tuple(dict.fromkeys(_cut(row.document) for row in same))[:MOST_SAMPLES]
    return Entry(
        digest=digest,
        why=first.why,
        detail=detail,
        source=first.source,
        tenant=first.tenant,
        documents=documents,
        copies=len(same),
    )


def _digest_of(why: str, sender: tuple[str, str], today: date) -> bytes:
    text = "\x1f".join([why, today.isoformat(), *sender])
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()


def _cut(document: str) -> str:
    return document.encode()[:LONGEST_SAMPLE].decode(errors="ignore")


def plan(found: Sequence[Entry], kept: Mapping[bytes, Kept], room: Mapping[str, Room]) -> Plan:
    """Spends `room`, which has every kind of `found`."""
    made = Plan()
    for entry in found:
        made.documents[entry.why] += entry.copies
        left, before = room[entry.why], kept.get(entry.digest)
        if before is not None:
            samples = tuple(one for one in entry.documents if one not in before.documents)[: before.takes]
            if size_of(samples) > left.bytes:
                samples = ()
            made.again.append(Again(id=before.id, copies=entry.copies, samples=samples))
            size = size_of(samples)
        elif left.entries < 1 or (size := size_of(entry.documents)) > left.bytes:
            made.not_kept[entry.why] += entry.copies
            continue
        else:
            made.new.append(entry)
            made.entries[entry.why] += 1
            left.entries -= 1
        made.bytes[entry.why] += size
        left.bytes -= size
    return made


def size_of(documents: Sequence[str]) -> int:
    """In bytes."""
    return sum(len(one.encode()) for one in documents)
