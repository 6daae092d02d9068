"""A message given in pieces, put together as SES would send it. Slow, and asked for only when somebody looks."""

from __future__ import annotations

import email.message
import email.policy
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, cast

from seslocal.ids import Ids

Json = dict[str, Any]


def whole(message: Json, headers: Sequence[tuple[str, str]], at: float, ids: Ids) -> bytes:
    """Headers and body of a Simple message; its own Date first."""
    date = format_datetime(datetime.fromtimestamp(int(at), UTC))
    given = [(header["Name"], header["Value"]) for header in cast("list[Json]", message.get("Headers", []))]
    body = _body(message, f"----=_Part_{ids.uuid().replace('-', '')[:16]}")
    head = "".join(f"{name}: {_folded(value)}\r\n" for name, value in (("Date", date), *headers, *given))
    return head.encode("utf-8", "replace") + body


def _body(message: Json, boundary: str) -> bytes:
    texts = [
        (kind, message["Body"][part]["Data"])
        for part, kind in (("Text", "plain"), ("Html", "html"))
        if part in message["Body"]
    ]
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    first_kind, first = texts[0] if texts else ("plain", "")
    made.set_content(_encodable(first), subtype=first_kind)
    for kind, text in texts[1:]:
        made.add_alternative(_encodable(text), subtype=kind)
        made.set_boundary(boundary)
    return made.as_bytes()


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _folded(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
