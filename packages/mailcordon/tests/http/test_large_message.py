"""A large message is read in slices, and as any other message."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailcordon.adapters.http import json_body, large_message, message_body
from mailcordon.adapters.http.message_body import SendBody
from mailcordon.core.errors import MailcordonError
from mailcordon.send import compose
from mailcordon.send.submission import Submission
from mailcordon.send.texts import LongText, Text

GOOD: dict[str, Any] = {
    "type": "receipt",
    "from": "a@acme.example",
    "to": "kim@example.com",
    "subject": "Hello",
}
LONG = 'Zoë said "hi" \\ 漢字 🙂\n' * 6000
DECODER = msgspec.json.Decoder(SendBody)


def whole(text: Text | None) -> str | None:
    return "".join(text) if isinstance(text, LongText) else text


def read(raw: bytes) -> tuple[SendBody, str | None, str | None]:
    body, long = large_message.read(raw)
    return _without_texts(body), whole(long.text), whole(long.html)


def read_plainly(raw: bytes) -> tuple[SendBody, str | None, str | None]:
    json_body.check_beside_texts(raw, large_message.MOST_BESIDE_TEXTS)
    body = json_body.read_as(DECODER, raw, message_body.is_flat)
    return _without_texts(body), body.text, body.html


def _without_texts(body: SendBody) -> SendBody:
    fields: dict[str, Any] = msgspec.structs.asdict(body)
    fields.update(text=None, html=None)
    return SendBody(**fields)


def result(reader: Any, raw: bytes) -> Any:
    try:
        return reader(raw)
    except MailcordonError as problem:
        return type(problem), problem.code, str(problem)


@contextlib.contextmanager
def small_slices() -> Iterator[None]:
    """A slice ends up to 12 bytes early, which is a pair of escapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_message, "_SLICE", 25)
        patch.setattr(large_message, "_LONG", 20)
        yield


TEXTS = st.text(st.sampled_from('a"\\\n\x00é漢🙂/') | st.characters(exclude_categories=["Cs"]), max_size=80)


@settings(max_examples=200)
@example(text="a" * 30 + "\\" * 40, html="", ascii=True)
@given(text=TEXTS, html=TEXTS, ascii=st.booleans())
def test_a_message_in_slices_is_the_message(text: str, html: str, ascii: bool) -> None:
    raw = json.dumps({**GOOD, "text": text, "html": html}, ensure_ascii=ascii).encode()
    with small_slices():
        found = large_message._read_in_slices(raw)
    assert found is not None
    assert [whole(one) for one in found[1][:2]] == [text, html]
    assert _without_texts(found[0]) == read_plainly(raw)[0]


PIECES = [b'"', b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\\n", b"\xf0\x9f\x99\x82", b"\xf0", b"\x82", b"\0"]
PIECES += [
    b'"text":',
    b'"html":"',
    b'"a"',
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"17",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.booleans())
def test_whatever_is_wrong_is_found_as_in_any_other_message(pieces: list[bytes], inside: bool) -> None:
    raw = b'{"type":"a","from":"b","to":"c","subject":"d","html":"' + b"a" * 25 + b"".join(pieces)
    raw += b'"}' if inside else b""
    with small_slices():
        found = result(read, raw)
    assert found == result(read_plainly, raw)


@pytest.mark.parametrize(
    "body",
    [
        {**GOOD, "text": LONG, "subject": LONG},
        {**GOOD, "text": LONG, LONG: "x"},
        {**GOOD, "text": LONG, "headers": {"text": LONG}},
        {**GOOD, "text": LONG, "to": [LONG]},
        {**GOOD, "text": LONG, "html": 7},
        {**GOOD, "text": LONG, "headers": {"X-A": LONG * 8}},
        [LONG],
        LONG,
    ],
)
def test_a_long_string_that_is_no_text_is_judged_as_it_is(body: Any) -> None:
    raw = json.dumps(body, ensure_ascii=False).encode()
    assert result(read, raw) == result(read_plainly, raw)


def test_much_beside_the_texts_is_too_large() -> None:
    raw = json.dumps({**GOOD, "text": LONG, "headers": {f"X-{n}": "a" * 1000 for n in range(1200)}}).encode()
    assert result(read, raw)[1] == "too-large"
    assert result(read, raw) == result(read_plainly, raw)


def test_a_number_does_not_stand_for_a_text() -> None:
    raw = json.dumps({**GOOD, "html": LONG}).encode()
    place = raw.index(b'"html": ') + len(b'"html": ')
    # The same number of bytes before it, whatever the number is.
    for text in (place, place + 20):
        twice = json.dumps({**GOOD, "text": text, "html": LONG}).encode()
        assert result(read, twice) == result(read_plainly, twice)
        assert result(read, twice)[1] == "invalid"


def test_two_members_of_one_name_are_refused_when_both_are_long() -> None:
    raw = json.dumps({**GOOD, "text": LONG}).encode()[:-1] + b', "text": ' + json.dumps(LONG).encode() + b"}"
    assert result(read, raw)[1] == json_body.DUPLICATE


@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("text", ["a" * 200_000, '"' * 200_000, "🙂" * 60_000, "é" * 200_000, LONG])
def test_no_call_decodes_more_than_a_slice(text: str, ascii: bool) -> None:
    raw = json.dumps({**GOOD, "html": text}, ensure_ascii=ascii).encode()
    html = large_message.read(raw)[1].html
    assert isinstance(html, LongText)
    assert whole(html) == text
    assert max(map(len, html)) <= large_message._SLICE


def test_many_short_strings_are_not_looked_at_one_by_one() -> None:
    raw = b'"a",' * 100_000
    ends = [large_message._end_of_short(raw, start) for start in range(0, 200_000, 20_000)]
    assert [end - start for start, end in zip(range(0, 200_000, 20_000), ends, strict=True)] == [
        large_message._SLICE
    ] * 10


@pytest.mark.parametrize("field", ["text", "html"])
def test_a_long_text_is_sent_as_the_same_text_in_one_piece(field: str) -> None:
    other = "html" if field == "text" else "text"
    for extra in ({}, {other: "short"}, {other: LONG}):
        body = {**GOOD, field: LONG, "to": [{"address": "kim@example.com", "headers": {"X-A": "b"}}], **extra}
        raw = json.dumps(body).encode()
        in_parts = message_body.checked(*large_message.read(raw))
        plain = DECODER.decode(raw)
        in_one = message_body.checked(plain, message_body.long_of(plain))
        assert isinstance(in_parts, Submission)
        assert isinstance(in_one, Submission)
        assert compose.content(in_parts) == compose.content(in_one)
