"""A batch is taken apart into its messages, whatever is in them."""

import contextlib
import json
import os
from typing import Any

import pytest

from mailcordon.adapters.http import batch_body
from mailcordon.adapters.http.problems import Malformed, TooLarge
from mailcordon.core.errors import Invalid, MailcordonError


def body(*messages: Any, **more: Any) -> bytes:
    return json.dumps({"messages": messages, **more}).encode()


def taken(raw: bytes) -> list[Any]:
    return [(json.loads(raw[one.begin : one.end]), one.key) for one in batch_body.read(raw)]


def refusal(raw: bytes) -> MailcordonError:
    with pytest.raises(MailcordonError) as caught:
        batch_body.read(raw)
    return caught.value


def test_each_message_is_found_with_its_key():
    messages = [
        {"type": "invoice", "text": 'brackets ]}{[ and "quotes" \\ and \\" more', "idempotency_key": "a"},
        {"to": [{"address": "kim@example.com", "headers": {"X-Own": "{"}}], "idempotency_key": None},
        {},
        {"text": "x" * 200_000 + '\\"' * 70_000, "idempotency_key": "é"},
        {"headers": {"idempotency_key": "not this one"}},
        {"text": "é" * 300_000, "idempotency_key": "long"},
    ]
    expected = [(one, one.get("idempotency_key")) for one in messages]
    assert taken(body(*messages)) == expected
    assert taken(json.dumps({"messages": messages}, indent=2, ensure_ascii=False).encode()) == expected


def test_texts_that_end_anywhere_in_a_slice_are_read():
    for length in range(64 * 1024 - 40, 64 * 1024 + 4):
        message = {"text": "a" * length + '\\"\\', "html": "b"}
        assert taken(body(message, message)) == [(message, None)] * 2


def test_what_is_wrong_inside_a_message_is_left_to_it():
    raw = b'{"messages": [{"type": 1, "type": 2}, {"a" 1}, [1], {"idempotency_key": 5}]}'
    assert [(raw[one.begin : one.end], one.key) for one in batch_body.read(raw)] == [
        (b'{"type": 1, "type": 2}', None),
        (b'{"a" 1}', None),
        (b"[1]", None),
        (b'{"idempotency_key": 5}', None),
    ]


def test_a_body_that_is_no_batch_is_refused_with_what_is_wrong():
    for raw, kind, sentence in (
        (b"", Malformed, ""),
        (b"{", Malformed, ""),
        (b'{"messages": [{}', Malformed, ""),
        (b'{"messages": [{"a": "', Malformed, ""),
        (b'{"messages": [{"a": "\\', Malformed, ""),
        (b'{"messages": [{}], "messages": [{}]}', Malformed, "messages"),
        (b'{"messages": [{}]} x', Malformed, ""),
        (b"[]", Invalid, "body"),
        (b"{}", Invalid, "messages: "),
        (b'{"messages": {}}', Invalid, "messages"),
        (b'{"messages": []}', Invalid, "1 to 1,000 messages"),
        (b'{"messages": [1]}', Invalid, "must be a list of messages"),
        (b'{"messages": [{}, 1]}', Invalid, "must be a list of messages"),
        (body({}, other=1), Invalid, "other"),
        (body(*[{}] * 1001), Invalid, "1 to 1,000 messages"),
        (body({"a": [[]] * 400_000}), TooLarge, "400,000 objects"),
    ):
        problem = refusal(raw)
        assert isinstance(problem, kind), raw[:50]
        assert sentence in str(problem), raw[:50]
    assert len(batch_body.read(body(*[{}] * 1000))) == 1000


def test_any_bytes_are_read_or_refused():
    for seed in range(300):
        raw = bytearray(body({"a": ["b", {"c": "\\"}]}, {"d": 1}))
        for place in os.urandom(3):
            raw[place % len(raw)] = b'{}[]",:\\x1'[(place + seed) % 10]
        with contextlib.suppress(MailcordonError):
            batch_body.read(bytes(raw))
