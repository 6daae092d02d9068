"""The audit trail as a hash chain: what a row's digest is made of, and where a chain breaks (docs/audit.md).

The database computes the same digests when rows are written (migration 0014). Verification computes them here once more: who may
change rows may change the database's functions as well.

`Walk` sees the entries of a chain in order and returns the first one that does not fit. `Search` then sees all entries again and
finds out what happened to it. Both hold one entry at a time, whatever the length of the chain.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

FORM = "mailcordon-audit-1"
PERSONAL_FORM = "mailcordon-audit-personal-1"
_NAMED = re.compile(r"\{([a-z_]+)\}")
START = bytes(32)  #: the hash before the first row


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalField:
    """What an erasure takes out of a row. The row's digest contains the hash alone."""

    hash: str  #: SHA-256 in hex, of salt, name and value
    value: str | None  #: None: erased
    salt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A row of the audit trail as it is stored."""

    id: int
    at_us: (
        int | None
    )  #: microseconds since 1970; None: no time of our calendar, which no row has that we wrote
    salt: bytes
    actor: str
    action: str
    tenant: int | None
    object: str  #: names personal fields as {name}, as `because` does
    before: str | None  #: PostgreSQL's own text of the jsonb
    after: str | None
    because: str | None
    personal: Mapping[str, PersonalField] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place in the chain."""

    seq: int  #: from 1, without gaps
    audit: int | None  #: the row's id; None in an export, for rows of others
    digest: bytes
    hash: bytes
    row: AuditRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a checkpoint says of one place."""

    seq: int
    hash: str  #: in hex; the first 16 digits for places inside a checkpoint
    at: str  #: when the checkpoint was written


class Kind(StrEnum):
    """What happened to the first row that is not as it was written."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    REORDERED = "reordered"
    BROKEN = "broken"  #: this row does not follow the one before: that one was changed, or rows between them were removed
    REWRITTEN = (
        "rewritten"  #: the chain fits together, and not with a checkpoint: everything from this row on is new
    )
    CUT = "cut"  #: the newest rows are missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first row that is not as it was written. Of a removed row only its place is left."""

    kind: Kind
    seq: int | None = None
    id: int | None = None
    row: AuditRow | None = None
    previous: Entry | None = None  #: the last entry before it that is well
    expected: Expected | None = None  #: the checkpoint that it contradicts


class Wrong(StrEnum):
    """Which check an entry failed."""

    GAP = "gap"
    ROW_MISSING = "row missing"
    ROW = "row"
    LINK = "link"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """The first entry that does not fit."""

    wrong: Wrong
    entry: Entry
    before: bytes  #: the hash of the entry before it
    previous: Entry | None
    expected: Expected | None = None


def form(parts: Iterable[str | None]) -> bytes:
    """The canonical form of a list of texts: each with its length in bytes of UTF-8, so that no two lists have the same form."""
    lines = ("-\n" if part is None else f"{len(part.encode())}:{part}\n" for part in parts)
    return "".join(lines).encode()


def field_hash(name: str, *, salt: str, value: str) -> str:
    return hashlib.sha256(form((PERSONAL_FORM, salt, name, value))).hexdigest()


def row_form(row: AuditRow) -> bytes:
    """What the row's digest is made of."""
    personal = None
    if row.personal:
        fields = sorted(row.personal.items(), key=lambda item: item[0].encode())
        personal = ",".join(f"{name}={field.hash}" for name, field in fields)
    return form(
        (
            FORM,
            row.salt.hex(),
            str(row.id),
            None if row.at_us is None else str(row.at_us),
            row.actor,
            row.action,
            None if row.tenant is None else str(row.tenant),
            row.object,
            row.before,
            row.after,
            row.because,
            personal,
        )
    )


def digest(row: AuditRow) -> bytes:
    return hashlib.sha256(row_form(row)).digest()


def link(before: bytes, digest: bytes) -> bytes:
    """The hash of an entry, from the hash of the entry before it and the digest of its row."""
    return hashlib.sha256(before + digest).digest()


def fields_are_true(row: AuditRow) -> bool:
    """Whether each personal field has the value of its hash, or was erased whole."""
    return all(
        (field.value is None and field.salt is None)
        or (
            field.value is not None
            and field.salt is not None
            and field_hash(name, salt=field.salt, value=field.value) == field.hash
        )
        for name, field in (row.personal or {}).items()
    )


def personal_of(stored: Any) -> dict[str, PersonalField]:
    """The personal fields of a row. What no row of ours has becomes a field that proves nothing."""
    if not isinstance(stored, Mapping):
        return {"": PersonalField(hash="", value="", salt="")}
    found: dict[str, PersonalField] = {}
    for name, field in cast("Mapping[str, Any]", stored).items():
        parts: Mapping[str, Any] = cast("Mapping[str, Any]", field) if isinstance(field, Mapping) else {}
        hash, value, salt = (parts.get(part) for part in ("hash", "value", "salt"))
        found[name] = PersonalField(
            hash=hash if isinstance(hash, str) else "",
            value=None if value is None else str(value),
            salt=None if salt is None else str(salt),
        )
    return found


def shown(text: str, personal: Mapping[str, str | None], *, erased: str) -> str:
    """A text of a row with the values of the personal fields that it names, and `erased` for those that are gone."""

    def value(named: re.Match[str]) -> str:
        if named[1] not in personal:
            return named[0]
        found = personal[named[1]]
        return erased if found is None else found

    return _NAMED.sub(value, text)


class Walk:
    """Checks a chain entry by entry. `others`: rows of others may be left out, as in an export."""

    def __init__(
        self,
        expected: Iterable[Expected] = (),
        *,
        seq: int = 0,
        hash: bytes = START,
        others: bool = False,
    ) -> None:
        self.seq = seq  #: of the last entry that is well
        self.hash = hash
        self.checkpoints = 0  #: how many places were compared with a checkpoint
        self.last_checkpoint: Expected | None = None
        self._previous: Entry | None = None
        self._others = others
        self._coming = iter(expected)
        self._expected = next(self._coming, None)

    @property
    def previous(self) -> Entry | None:
        return self._previous

    def see(self, entry: Entry) -> Suspicion | None:
        """The entry, if it is the first that does not fit."""
        wrong, expected = self._check(entry)
        if wrong is not None:
            return Suspicion(
                wrong=wrong, entry=entry, before=self.hash, previous=self._previous, expected=expected
            )
        self.seq, self.hash, self._previous = entry.seq, entry.hash, entry
        return None

    def ahead(self) -> Expected | None:
        """What a checkpoint says of a place after the last entry: the rows up to it were cut off."""
        while self._expected is not None and self._expected.seq <= self.seq:
            self._expected = next(self._coming, None)
        return self._expected

    def _check(self, entry: Entry) -> tuple[Wrong | None, Expected | None]:
        if entry.seq != self.seq + 1:
            return Wrong.GAP, None
        if entry.row is None:
            if not self._others:
                return Wrong.ROW_MISSING, None
        elif digest(entry.row) != entry.digest or not fields_are_true(entry.row):
            return Wrong.ROW, None
        if link(self.hash, entry.digest) != entry.hash:
            return Wrong.LINK, None
        while self._expected is not None and self._expected.seq < entry.seq:
            self._expected = next(self._coming, None)
        if self._expected is not None and self._expected.seq == entry.seq:
            if not entry.hash.hex().startswith(self._expected.hash):
                return Wrong.CHECKPOINT, self._expected
            self.checkpoints += 1
            self.last_checkpoint = self._expected
        return None, None


class Search:
    """Finds out what happened to a suspicious entry, from all entries of the chain."""

    def __init__(self, suspicion: Suspicion) -> None:
        self._of = suspicion
        self._moved_from: int | None = None  #: the place whose digest the row has
        self._next: Entry | None = None  #: the entry that belongs where the suspicious one is
        self._follows: int | None = None  #: the place that the suspicious entry was chained to
        self._after_that: Entry | None = None
        self._is_extra = False  #: the chain fits together without it
        self._wrong_hash_only = False

    def see(self, entry: Entry) -> None:
        of, suspect = self._of, self._of.entry
        if of.wrong is Wrong.ROW and suspect.row is not None and entry.seq != suspect.seq:
            as_there = suspect.row if entry.audit is None else replace(suspect.row, id=entry.audit)
            if entry.digest in (digest(suspect.row), digest(as_there)):
                self._moved_from = entry.seq
        if of.wrong in (Wrong.GAP, Wrong.LINK):
            if entry.seq != suspect.seq and link(of.before, entry.digest) == entry.hash:
                self._next = entry
            if self._follows is not None and entry.seq == self._follows + 1:
                self._after_that = entry
            if link(entry.hash, suspect.digest) == suspect.hash:
                self._follows = entry.seq
            if entry.seq == suspect.seq + 1:
                self._is_extra = link(of.before, entry.digest) == entry.hash
                self._wrong_hash_only = link(link(of.before, suspect.digest), entry.digest) == entry.hash

    def verdict(self) -> Break:
        of, suspect = self._of, self._of.entry
        found = Break(
            kind=Kind.BROKEN, seq=suspect.seq, id=suspect.audit, row=suspect.row, previous=of.previous
        )
        match of.wrong:
            case Wrong.ROW_MISSING:
                return replace(found, kind=Kind.REMOVED)
            case Wrong.ROW:
                return replace(found, kind=Kind.CHANGED if self._moved_from is None else Kind.REORDERED)
            case Wrong.CHECKPOINT:
                return replace(found, kind=Kind.REWRITTEN, expected=of.expected)
            case Wrong.GAP:
                gone = replace(found, kind=Kind.REMOVED, seq=self._place, id=None, row=None)
                return gone if self._next is None else self._of_entry(Kind.REORDERED, self._next)
            case Wrong.LINK:
                return self._of_link(found)

    @property
    def _place(self) -> int:
        return 1 if self._of.previous is None else self._of.previous.seq + 1

    def _of_link(self, found: Break) -> Break:
        seq = self._of.entry.seq
        if self._wrong_hash_only:
            return replace(found, kind=Kind.CHANGED)
        if self._follows is not None and self._follows > seq:
            return replace(found, kind=Kind.REORDERED)
        if self._is_extra:
            return replace(found, kind=Kind.ADDED)
        if self._follows is not None and self._follows < seq - 1 and self._after_that is not None:
            return self._of_entry(Kind.ADDED, self._after_that)
        if self._next is not None:
            return replace(found, kind=Kind.REORDERED)
        return found

    def _of_entry(self, kind: Kind, entry: Entry) -> Break:
        return Break(kind=kind, seq=entry.seq, id=entry.audit, row=entry.row, previous=self._of.previous)
