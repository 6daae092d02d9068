"""Reads the members of an admin call's body and query. An error names the member and what is allowed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from seslocal.admin import messages
from seslocal.wire.protocol import Request

Json = dict[str, Any]
Query = dict[str, str]


LATEST: Final = 221_845_392_000.0  # seconds since the epoch: the year 9000; datetime fails soon after it


class Refused(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def body(request: Request) -> Json:
    if request.method in ("GET", "HEAD", "DELETE"):
        return {}
    kind = request.headers.get("content-type")
    if (request.body or kind is not None) and _essence(kind or "") != "application/json":
        raise Refused(415, messages.not_json_type(kind))
    if not request.body:
        return {}
    try:
        value = msgspec.json.decode(request.body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, messages.not_json(str(error))) from None
    if not isinstance(value, dict):
        raise Refused(400, messages.body_not_object())
    return value  # pyright: ignore[reportUnknownVariableType]


def _essence(kind: str) -> str:
    """Returns a Content-Type without its parameters. A page of another origin may send text/plain or a form without being asked
    first, but never JSON."""
    return kind.partition(";")[0].strip().lower()


def allow_only(body: Json, *names: str) -> None:
    for name in body:
        if name not in names:
            raise Refused(400, messages.unknown_member(name, names))


def text(body: Json, name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise Refused(400, messages.must_be(name, "a string that is not empty"))
    return value


def choice(body: Json, name: str, choices: tuple[str, ...]) -> str | None:
    value = text(body, name)
    if value is not None and value not in choices:
        raise Refused(400, messages.must_be_one_of(name, choices, value))
    return value


def boolean(body: Json, name: str, default: bool) -> bool:
    value = body.get(name, default)
    if type(value) is not bool:
        raise Refused(400, messages.must_be(name, "true or false"))
    return value


def number(body: Json, name: str, default: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not low <= value <= high:
        raise Refused(400, messages.out_of_range(name, low, high))
    return float(value)


def moment(body: Json, name: str) -> float | None:
    """Returns a time given as seconds since the epoch or as ISO 8601; without a zone, UTC."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) in (int, float) and 0 <= value <= LATEST:
        return float(value)
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
            at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            at = -1.0
        if 0 <= at <= LATEST:
            return at
    raise Refused(400, messages.not_a_time(name))


def whole_number(query: Query, name: str, default: int, low: int, high: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise Refused(400, messages.out_of_range(name, low, high, whole=True))
    return int(text)
