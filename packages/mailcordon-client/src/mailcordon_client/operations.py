"""Each operation of the API as a call: the request, and what its answer becomes."""

import json
import uuid
from collections.abc import Sequence
from urllib.parse import quote

from mailcordon_client import results
from mailcordon_client.errors import Problem
from mailcordon_client.exchange import Answer, Call, Request
from mailcordon_client.message import Message
from mailcordon_client.results import Accepted, Cancelled, MessageStatus

_JSON = {"content-type": "application/json"}


def new_key() -> str:
    return uuid.uuid4().hex


def send(message: Message, key: str) -> Call[Accepted]:
    if not (key.isascii() and key.isprintable()):  # in a header, it would look like a broken connection
        raise ValueError("An idempotency key is printable ASCII.")

    def read(answer: Answer) -> Accepted:
        replayed = answer.headers.get("idempotency-replayed") == "true"
        return results.read(answer, lambda body: results.accepted(body, replayed=replayed, key=key))

    body = json.dumps(message.json(), ensure_ascii=False, separators=(",", ":")).encode()
    return Call(Request("POST", "/v1/messages", body, {**_JSON, "idempotency-key": key}), read)


def send_batch(messages: Sequence[Message], keys: Sequence[str]) -> Call[list[Accepted | Problem]]:
    bodies = [{**one.json(), "idempotency_key": key} for one, key in zip(messages, keys, strict=True)]
    body = json.dumps({"messages": bodies}, ensure_ascii=False, separators=(",", ":")).encode()
    return Call(
        Request("POST", "/v1/messages/batch", body, _JSON),
        lambda answer: results.read(answer, lambda decoded: results.batch(decoded, keys)),
    )


def message(id: str) -> Call[MessageStatus]:
    return Call(Request("GET", _message(id)), lambda answer: results.read(answer, results.message))


def cancel(id: str) -> Call[Cancelled]:
    return Call(Request("DELETE", _message(id)), lambda answer: results.read(answer, results.cancelled))


def _message(id: str) -> str:
    return f"/v1/messages/{quote(id, safe='')}"
