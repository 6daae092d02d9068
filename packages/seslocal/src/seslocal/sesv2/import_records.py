"""Reads the files of import jobs record by record: CSV, or JSON with one object per line. An invalid record is reported, and the
others are still read. Pure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final, TypeVar, cast

import msgspec

from seslocal.wire.params import Params

T = TypeVar("T")
_PREFERENCE: Final = "topicPreferences."
_STATUSES: Final = ("OPT_IN", "OPT_OUT")
_REASONS: Final = ("BOUNCE", "COMPLAINT")


class Unreadable(Exception):
    """The file cannot be read at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    text: str  #: as in the file, or nearly
    address: str = ""
    given: Params | None = None  #: the other fields, with the API's names
    wrong: str = ""  #: why it cannot be imported


class _InvalidRecord(Exception):
    pass


def suppressed(text: str, form: str, *, delete: bool) -> Iterator[Record]:
    """Reads addresses for the suppression list, with their reason unless they are to be deleted."""
    if form == "JSON":
        return _json(text, lambda row: _suppressed(_text(row, "emailAddress"), row.get("reason"), delete))
    return _csv(_rows(text), lambda cells: _suppressed_cells(cells, delete))


def contacts(text: str, form: str, *, delete: bool) -> Iterator[Record]:
    """Reads contacts. The first line of CSV names the columns. Raises Unreadable."""
    if form == "JSON":
        return _json(text, lambda row: _contact(row, delete))
    rows = _rows(text)
    columns = [name.strip() for name in next(rows, list[str]())]
    if "emailAddress" not in columns:
        raise Unreadable("The CSV header line must contain an emailAddress column.")

    def read(cells: list[str]) -> Record:
        if len(cells) != len(columns):
            raise _InvalidRecord(f"Expected {len(columns)} column(s) but found {len(cells)}.")
        return _contact(_from_cells(dict(zip(columns, cells, strict=True))), delete)

    return _csv(rows, read)


def _rows(text: str) -> Iterator[list[str]]:
    rows = csv.reader(StringIO(text, newline=""))
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield row
    except csv.Error as error:
        raise Unreadable(f"Malformed CSV: {error}.") from None


def _csv(rows: Iterable[list[str]], read: Callable[[list[str]], Record]) -> Iterator[Record]:
    for cells in rows:
        yield _read(",".join(cells), read, cells)


def _json(text: str, read: Callable[[dict[str, Any]], Record]) -> Iterator[Record]:
    for line in StringIO(text):
        if not (line := line.strip()):
            continue
        try:
            row: Any = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            yield Record(line, wrong="Malformed JSON.")
            continue
        if isinstance(row, dict):
            yield _read(line, read, cast("dict[str, Any]", row))
        else:
            yield Record(line, wrong="Each line must be a JSON object.")


def _read(text: str, read: Callable[[T], Record], value: T) -> Record:
    try:
        found = read(value)
    except _InvalidRecord as wrong:
        return Record(text, wrong=str(wrong))
    return Record(text, found.address, found.given)


def _suppressed_cells(cells: list[str], delete: bool) -> Record:
    expected = 1 if delete else 2
    if len(cells) != expected:
        raise _InvalidRecord(f"Expected {expected} column(s) but found {len(cells)}.")
    return _suppressed(cells[0].strip(), cells[-1].strip(), delete)


def _suppressed(address: str, reason: object, delete: bool) -> Record:
    if not delete and reason not in _REASONS:
        raise _InvalidRecord(f"Reason {reason} is invalid, must be one of [BOUNCE, COMPLAINT].")
    return Record("", address, {"Reason": reason})


def _from_cells(cells: dict[str, str]) -> dict[str, Any]:
    """Returns a CSV row as the JSON format would have it."""
    row: dict[str, Any] = {"emailAddress": cells["emailAddress"].strip()}
    if all_of_it := cells.get("unsubscribeAll", "").strip().lower():
        row["unsubscribeAll"] = {"true": True, "false": False}.get(all_of_it, all_of_it)
    if attributes := cells.get("attributesData"):
        row["attributesData"] = attributes
    row["topicPreferences"] = [
        {"topicName": name.removeprefix(_PREFERENCE), "subscriptionStatus": status.strip()}
        for name, status in cells.items()
        if name.startswith(_PREFERENCE) and status.strip()
    ]
    return row


def _contact(row: dict[str, Any], delete: bool) -> Record:
    address = _text(row, "emailAddress")
    if delete:
        return Record("", address, {})
    given: Params = {}
    if row.get("unsubscribeAll") is not None:
        if not isinstance(row["unsubscribeAll"], bool):
            raise _InvalidRecord("unsubscribeAll must be true or false.")
        given["UnsubscribeAll"] = row["unsubscribeAll"]
    if row.get("attributesData") is not None:
        given["AttributesData"] = _text(row, "attributesData")
    preferences: Any = row.get("topicPreferences") or []
    if not isinstance(preferences, list):
        raise _InvalidRecord("topicPreferences must be an array.")
    given["TopicPreferences"] = [_preference(one) for one in cast("list[Any]", preferences)]
    return Record("", address, given)


def _preference(one: Any) -> dict[str, str]:
    if not isinstance(one, dict):
        raise _InvalidRecord("Each topicPreferences element must be a JSON object.")
    read = cast("dict[str, Any]", one)
    status = _text(read, "subscriptionStatus")
    if status not in _STATUSES:
        raise _InvalidRecord(f"subscriptionStatus must be one of [{', '.join(_STATUSES)}].")
    return {"TopicName": _text(read, "topicName"), "SubscriptionStatus": status}


def _text(row: dict[str, Any], member: str) -> str:
    value = row.get(member)
    if not isinstance(value, str):
        raise _InvalidRecord(f"{member} must be a JSON string.")
    return value
