"""SNS envelopes as JSON text, for queues: what does not change between two messages of a topic is written once. Each text equals
that of the document (`documents.sns_envelope`); a test compares them."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import msgspec

from seslocal.clock import iso
from seslocal.events.documents import Document, sns_envelope

_encode = msgspec.json.Encoder().encode


def sns_text(
    message: str,
    topic: str,
    base: str,
    at: float,
    message_id: str,
    subject: str | None,
    *,
    subscription: str | None = None,
    version: str = "1",
) -> str:
    """Returns the text of `sns_envelope`, without a signature."""
    start, to_message, to_time, end = _around_sns(topic, base, subject, subscription, version)
    return f'{start}"{message_id}"{to_message}{_encode(message).decode()}{to_time}"{iso(at)}"{end}'


@lru_cache(256)
def _around_sns(
    topic: str, base: str, subject: str | None, subscription: str | None, version: str
) -> tuple[str, ...]:
    envelope = sns_envelope("", topic, base, 0.0, "", subject, subscription=subscription, version=version)
    return _around(envelope, ("MessageId", "Message", "Timestamp"))


def _around(document: Document, names: Collection[str]) -> tuple[str, ...]:
    """Returns the text of a document, split where the values of these members stand."""
    pieces, before = [""], "{"
    for name, value in document.items():
        pieces[-1] += f"{before}{_encode(name).decode()}:"
        if name in names:
            pieces.append("")
        else:
            pieces[-1] += _encode(value).decode()
        before = ","
    pieces[-1] += "}"
    return tuple(pieces)
