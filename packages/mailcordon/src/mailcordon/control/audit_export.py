"""One tenant's rows of the audit trail with their proof, as JSON.

Each part has the digests of all rows of a piece of the chain, and the tenant's own rows as they are stored. Who reads it computes
the digests of the rows and the hashes of the chain, and compares the end with a checkpoint. The digests of other rows tell
nothing: each row has a secret salt.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from mailcordon.control import audit_chain
from mailcordon.control.audit import Proof
from mailcordon.control.audit_chain import AuditRow, Entry, PersonalField
from mailcordon.core.errors import Refused
from mailcordon.messages import audit

FORMAT = 1  #: of the document

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadExport(Refused):
    """The text is no part of an export."""

    code = "bad-export"


def document(tenant: str, proof: Proof) -> dict[str, Any]:
    """One part. `next` is the place after which the next part begins; null at the end of the chain."""
    entries, head = proof.entries, proof.head
    last = entries[-1] if entries else None
    return {
        "format": FORMAT,
        "tenant": tenant,
        "installation": head.installation,
        "first": entries[0].seq if entries else None,
        "last": None if last is None else last.seq,
        "digests": [entry.digest.hex() for entry in entries],
        "hash": None if last is None else last.hash.hex(),
        "rows": [_stored(entry.seq, entry.row) for entry in entries if entry.row is not None],
        "next": None if last is None or last.seq >= head.seq else last.seq,
    }


def _stored(seq: int, row: AuditRow) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": row.id,
        "at": time_of(row),
        "at_us": row.at_us,
        "salt": row.salt.hex(),
        "actor": row.actor,
        "action": row.action,
        "tenant_id": row.tenant,
        "object": row.object,
        "before": row.before,
        "after": row.after,
        "because": row.because,
        "personal": None
        if row.personal is None
        else {name: _field(one) for name, one in row.personal.items()},
    }


def _field(field: PersonalField) -> dict[str, str]:
    stored = {"hash": field.hash}
    if field.value is not None:
        stored["value"] = field.value
    if field.salt is not None:
        stored["salt"] = field.salt
    return stored


def time_of(row: AuditRow) -> str | None:
    """ISO 8601 in UTC, to the microsecond."""
    if row.at_us is None:
        return None
    return (
        (_EPOCH + timedelta(microseconds=row.at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )


def entries(part: Any, before: bytes, line: int) -> Iterator[Entry]:
    """The entries of one part that follows the hash `before`. The hashes within are computed, the last one is the part's.

    Raises BadExport, which names the line, for what is no part.
    """
    try:
        document = cast("Mapping[str, Any]", part)
        if document["format"] != FORMAT:
            raise ValueError("format")
        digests = [bytes.fromhex(_checked(text)) for text in cast("Sequence[Any]", document["digests"])]
        rows = {row["seq"]: _row(row) for row in cast("Sequence[Any]", document["rows"])}
        first, end = document["first"], document["hash"]
        last = bytes.fromhex(_checked(end)) if digests else b""
        if digests and not isinstance(first, int):
            raise ValueError("first")
        if set(rows) - set(range(first or 0, (first or 0) + len(digests))):
            raise ValueError("rows")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadExport(audit.audit_export_unreadable(line=line)) from None
    for place, digest in enumerate(digests, start=first):
        before = audit_chain.link(before, digest)
        row = rows.get(place)
        hash = last if place == first + len(digests) - 1 else before
        yield Entry(seq=place, audit=None if row is None else row.id, digest=digest, hash=hash, row=row)


def _checked(text: Any) -> str:
    if not isinstance(text, str) or _DIGEST.fullmatch(text) is None:
        raise ValueError("digest")
    return text


def _row(stored: Any) -> AuditRow:
    row = cast("Mapping[str, Any]", stored)
    texts = {name: row[name] for name in ("actor", "action", "object", "before", "after", "because")}
    numbers = {"id": row["id"], "at_us": row["at_us"], "tenant": row["tenant_id"]}
    if any(isinstance(value, bool) or not isinstance(value, int | None) for value in numbers.values()):
        raise TypeError("number")
    if any(not isinstance(value, str | None) for value in texts.values()):
        raise TypeError("text")
    personal = None if row["personal"] is None else audit_chain.personal_of(row["personal"])
    found = AuditRow(salt=bytes.fromhex(row["salt"]), personal=personal, **numbers, **texts)
    audit_chain.row_form(found)  # a lone surrogate has no form
    return found
