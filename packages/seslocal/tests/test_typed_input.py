"""The fast reading of frequent operations' input gives what the checks give, or leaves it to them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seslocal.errors import ApiError
from seslocal.wire.model import read_object, ses_routes, sqs_checks
from seslocal.wire.params import Params
from seslocal.wire.typed_input import FREQUENT

_QUEUE: Final = "http://localhost/123456789012/events"
_TEXT: Final = {"Data": "Grüße ✉", "Charset": "UTF-8"}
EXAMPLES: Final[dict[str, Params]] = {
    "SendEmail": {
        "FromEmailAddress": "Team <hello@example.com>",
        "Destination": {"ToAddresses": ["a@example.com"], "CcAddresses": []},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Hello"},
                "Body": {"Text": _TEXT, "Html": _TEXT},
                "Headers": [{"Name": "X-One", "Value": "1"}],
            }
        },
        "EmailTags": [{"Name": "campaign", "Value": "spring"}],
        "ConfigurationSetName": "events",
        "TenantName": "acme",
        "ListManagementOptions": {"ContactListName": "readers"},
    },
    "SendBulkEmail": {
        "DefaultContent": {"Template": {"TemplateName": "hello", "TemplateData": "{}"}},
        "BulkEmailEntries": [
            {
                "Destination": {"ToAddresses": ["a@example.com"]},
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": "{}"}},
            }
        ],
    },
    "DeleteMessage": {"QueueUrl": _QUEUE, "ReceiptHandle": "1#1"},
    "DeleteMessageBatch": {"QueueUrl": _QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "1#1"}]},
}
_JUNK: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, 1.0, "", "a\n", "✉", "€" * 64, "x" * 65, [], {}, [None], {"Data": "x"}, {"Raw": {"Data": "eA=="}}]
    ),
    st.text(max_size=70),
)


def readers(name: str) -> tuple[Any, Any]:
    """The check of an operation and its fast reader."""
    if name in ses_routes().operations:
        operation = ses_routes().operations[name]
        return operation.check, operation.read
    return sqs_checks()[name]


def checked(name: str, body: bytes) -> bytes | None:
    """What the checks make of a body, in its order; None: they refuse it."""
    problems: list[str] = []
    try:
        found = readers(name)[0](read_object(body), None, problems)
    except ApiError:
        return None
    return None if problems else msgspec.json.encode(found)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, item in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(item, (*path, key))


@st.composite
def changed(draw: st.DrawFn, example: Params) -> Params:
    """An input with a member replaced, dropped or added, perhaps twice."""
    given = copy.deepcopy(example)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from([one for one in places(given) if one] or [("Other",)]))
        inner: Any = given
        for key in path[:-1]:
            inner = inner[key]
        match draw(st.sampled_from(("replace", "drop", "add"))):
            case "drop":
                inner.pop(path[-1])
            case "add" if isinstance(inner, dict):
                inner[draw(st.sampled_from(("Other", "Raw", "Attachments", "Subject", "Template")))] = draw(
                    _JUNK
                )
            case _:
                inner[path[-1]] = draw(_JUNK)
    return given


@pytest.mark.parametrize("name", FREQUENT)
def test_the_usual_input_is_read_at_once(name: str):
    body = json.dumps({"Unknown": {"a": [1]}, **EXAMPLES[name]}).encode()
    found = readers(name)[1](body)
    assert found == EXAMPLES[name]
    assert msgspec.json.encode(found) == checked(name, body)


@pytest.mark.parametrize("name", FREQUENT)
def test_whatever_is_read_at_once_is_what_the_checks_give(name: str):
    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(changed(EXAMPLES[name]))
    def compare(value: Params) -> None:
        body = json.dumps(value).encode()
        found = readers(name)[1](body)
        assert found is None or msgspec.json.encode(found) == checked(name, body)

    compare()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"QueueUrl":"q"}',
        b'{"QueueUrl":"q","QueueUrl":"r"}',
        b'{"QueueUrl":"q","ReceiptHandle":null}',
        b'{"QueueUrl":"q","ReceiptHandle":"\\ud800"}',
        b'{"QueueUrl":"q","ReceiptHandle":"\xff"}',
        b'{"QueueUrl":"q","ReceiptHandle":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_wrong_is_left_to_the_checks(body: bytes):
    assert readers("DeleteMessage")[1](body) is None


def test_a_raw_message_is_left_to_the_checks():
    raw = {**EXAMPLES["SendEmail"], "Content": {"Raw": {"Data": "eA=="}}}
    assert readers("SendEmail")[1](json.dumps(raw).encode()) is None
