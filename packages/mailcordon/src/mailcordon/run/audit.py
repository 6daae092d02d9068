"""`mailcordon audit verify`: checks the audit trail, or an export of it, and names the first row that is not as it was written.
`commands.py` has the options.

It asks no API: who took over the host of an API process decides what it answers. It computes every digest and hash itself.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailcordon.adapters.db import audit_store, connect_errors, engine
from mailcordon.config import Config, login_setting
from mailcordon.control import audit_checkpoints, audit_export
from mailcordon.control.audit_chain import AuditRow, Break, Expected, Search, Walk
from mailcordon.control.audit_export import BadExport
from mailcordon.core.errors import BadConfig, Refused
from mailcordon.host import append_file
from mailcordon.messages import audit, system

SHOWN_DIGITS = 16  #: of a hash, in sentences


class UnreadableFile(Refused):
    """A file that the command line names."""

    code = "unreadable-file"


async def verify(config: Config, *, checkpoints: Path | None, as_json: bool) -> int:
    """Prints the result. Returns 0 if the trail is whole, else 1."""
    file = checkpoints or config.audit_checkpoint_file
    expected: Iterator[Expected] = iter(())
    missing = file is not None and not file.exists()
    if file is not None and not (missing and checkpoints is None):
        expected = _expected(file)
    url = config.login_urls.get("control")
    if url is None:
        raise BadConfig(system.login_without_url(login="control"))
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        found = await audit_store.verify(connection, expected)
    finally:
        await connection.close()
    sentences = [
        sentence(found.broken)
        if found.broken is not None
        else audit.audit_whole(
            rows=found.rows,
            checkpoints=found.checkpoints,
            last=found.last_checkpoint,
            file=None if file is None else str(file),
        )
    ]
    if file is not None and missing:
        sentences.append(audit.audit_checkpoints_missing(file=str(file)))
    document = {
        "ok": found.broken is None,
        "rows": found.rows,
        "checkpoints": found.checkpoints,
        "last_checkpoint": found.last_checkpoint,
        "break": None if found.broken is None else _document(found.broken),
    }
    return _say(document, sentences, as_json=as_json)


def verify_export(export: Path, *, checkpoints: Path | None, as_json: bool) -> int:
    """As `verify`, of an export and without a database.

    Checkpoints of later rows than its last say nothing about it.
    """
    expected: Iterator[Expected] = iter(()) if checkpoints is None else _expected(checkpoints)
    walk = Walk(expected, others=True)
    tenant, own, broken = "", 0, None
    for number, line in enumerate(_lines(export), start=1):
        part = _part(line, number)
        tenant = str(part.get("tenant", ""))
        for entry in audit_export.entries(part, walk.hash, number):
            suspicion = walk.see(entry)
            if suspicion is not None:
                broken = Search(suspicion).verdict()
                break
            own += entry.row is not None
        if broken is not None:
            break
    end = walk.hash.hex()[:SHOWN_DIGITS]
    last = None if walk.last_checkpoint is None else walk.last_checkpoint.at
    words = (
        sentence(broken)
        if broken is not None
        else audit.audit_export_whole(
            tenant=tenant, own=own, rows=walk.seq, checkpoints=walk.checkpoints, last=last, end=end
        )
    )
    document = {
        "ok": broken is None,
        "tenant": tenant,
        "rows": walk.seq,
        "own_rows": own,
        "hash": walk.hash.hex(),
        "checkpoints": walk.checkpoints,
        "last_checkpoint": last,
        "break": None if broken is None else _document(broken),
    }
    return _say(document, [words], as_json=as_json)


def sentence(broken: Break) -> str:
    previous = broken.previous
    before = None
    if previous is not None and previous.audit is not None:
        before = _row_words(previous.audit, previous.row)
    return audit.audit_break(
        kind=broken.kind,
        row=None if broken.id is None else _row_words(broken.id, broken.row),
        seq=broken.seq,
        previous=before,
        checkpoint=None if broken.expected is None else broken.expected.at,
    )


def _row_words(id: int, row: AuditRow | None) -> str:
    if row is None:
        return audit.audit_row(id=id, action=None, at=None, actor=None)
    return audit.audit_row(id=id, action=row.action, at=audit_export.time_of(row), actor=row.actor)


def _document(broken: Break) -> dict[str, Any]:
    row = broken.row
    return {
        "kind": broken.kind.value,
        "seq": broken.seq,
        "id": broken.id,
        "at": None if row is None else audit_export.time_of(row),
        "action": None if row is None else row.action,
        "actor": None if row is None else row.actor,
        "checkpoint": None if broken.expected is None else broken.expected.at,
        "sentence": sentence(broken),
    }


def _say(document: dict[str, Any], sentences: list[str], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(document))
    else:
        for one in sentences:
            print(one)
    return 0 if document["ok"] else 1


def _expected(file: Path) -> Iterator[Expected]:
    return audit_checkpoints.expected(str(file), _lines(file))


def _lines(file: Path) -> Iterator[str]:
    """The lines that the file has now: a checkpoint that is written later may be of a row that was not looked at."""
    try:
        return _read(file, append_file.lines(file))
    except OSError as error:
        raise _unreadable(file, error) from None


def _read(file: Path, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from lines
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> UnreadableFile:
    return UnreadableFile(audit.audit_file_unreadable(file=str(file), why=error.strerror or ""))


def _part(line: str, number: int) -> dict[str, Any]:
    try:
        part = json.loads(line)
    except ValueError:
        part = None
    if not isinstance(part, dict):
        raise BadExport(audit.audit_export_unreadable(line=number))
    return part  # pyright: ignore[reportUnknownVariableType]
