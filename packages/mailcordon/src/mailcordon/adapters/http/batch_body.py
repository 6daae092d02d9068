"""Takes the body of a batch apart: the bytes of each message, and its idempotency key.

Each message is then read, checked and answered as if it had come alone, so one with a fault stops no other. The messages are
found without being decoded, a slice at a time (docs/decisions/026). A body in which they are not found is read in one piece by
json_body.py, which says what is wrong.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mailcordon.adapters.http import json_body, large_message
from mailcordon.adapters.http.problems import Malformed, TooLarge
from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import raw_mail
from mailcordon.send.accept_item import LARGE

MOST_MESSAGES = 1000
MOST_BRACKETS = 400_000  #: of objects and lists; a thousand messages with fifty recipients with own headers each have 300,000

_SLICE = 64 * 1024
_LONGEST_FULL_LOOK = 1024 * 1024  #: bytes
_QUOTE, _OPEN, _CLOSE = ord('"'), b"{[", b"}]"
_TO_BRACKET = re.compile(rb'(?>(?:[^"{}\[\]]++|"(?>(?:[^"\\]++|\\.)*)")*)', re.DOTALL)
_IN_STRING = re.compile(rb'(?>(?:[^"\\]++|\\.)*)', re.DOTALL)


class Item(NamedTuple):
    begin: int  #: bytes of the body
    end: int
    key: str | None


class _Frame(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[int]


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[msgspec.Raw]


class _Keyed(msgspec.Struct):
    idempotency_key: str | None = None


_frame, _outer = msgspec.json.Decoder(_Frame), msgspec.json.Decoder(_Outer)
_keyed = msgspec.json.Decoder(_Keyed).decode


def read(raw: bytes) -> Sequence[Item]:
    """Raises Malformed, TooLarge and Invalid. What is wrong inside a message is not looked for, but for its key."""
    spans = _found(raw)
    if spans is None:
        # A look at everything makes objects of it, many times its size; at a large one's outer object none are made.
        small = len(raw) <= _LONGEST_FULL_LOOK
        json_body.read_as(_outer, raw, lambda outer: not small)
        raise Invalid(Fault("messages", raw_mail.not_messages()))
    if not 1 <= len(spans) <= MOST_MESSAGES:
        raise Invalid(Fault("messages", raw_mail.bad_number_of_messages(MOST_MESSAGES)))
    return [Item(begin, end, _key(raw[begin:end])) for begin, end in spans]


def _found(raw: bytes) -> list[tuple[int, int]] | None:
    """Where the messages are; None if the body around them is not what it should be."""
    try:
        spans = _spans(raw)
        if len(spans) > MOST_MESSAGES:
            return spans
        ends = [0, *(end for _, end in spans)]
        begins = [*(begin for begin, _ in spans), len(raw)]
        around = b"0".join([raw[end:begin] for end, begin in zip(ends, begins, strict=True)])
        frame = json_body.read_as(_frame, around, lambda frame: True)
    except (ValueError, Malformed, Invalid):
        return None
    return spans if len(frame.messages) == len(spans) else None


def _key(raw: bytes) -> str | None:
    """None too for a message that cannot be read: that is said when it is."""
    try:
        if len(raw) > LARGE:
            found = large_message.cut(raw)
            return None if found is None else _keyed(found[0]).idempotency_key
        return _keyed(raw).idempotency_key
    except (ValueError, RecursionError):
        return None


def _spans(raw: bytes) -> list[tuple[int, int]]:
    """Where the objects and lists inside two others are: the messages, in a body that is right. One more than may be is enough.

    Raises ValueError for brackets that do not fit, and TooLarge."""
    spans: list[tuple[int, int]] = []
    depth = brackets = begin = at = 0
    while (at := _next_bracket(raw, at)) < len(raw):
        brackets += 1
        if brackets > MOST_BRACKETS:
            raise TooLarge(raw_mail.too_many_brackets(MOST_BRACKETS))
        if raw[at] in _OPEN:
            depth += 1
            if depth == 3:
                begin = at
        else:
            depth -= 1
            if depth == 2:
                spans.append((begin, at + 1))
                if len(spans) > MOST_MESSAGES:
                    return spans
        at += 1
        if depth < 0:
            raise ValueError("a bracket closes nothing")
    return spans


def _next_bracket(raw: bytes, at: int) -> int:
    """The end of the text if there is none."""
    while at < len(raw):
        found = _TO_BRACKET.match(raw, at, at + _SLICE)
        assert found is not None
        at = found.end()
        if at < len(raw) and raw[at] == _QUOTE:
            at = _end_of_string(raw, at + 1)
        elif at < len(raw) and raw[at] in b"{}[]":
            return at
    return at


def _end_of_string(raw: bytes, at: int) -> int:
    """The place after its closing quote. Raises ValueError if it has none."""
    while True:
        found = _IN_STRING.match(raw, at, at + _SLICE)
        assert found is not None
        if found.end() == at and (at >= len(raw) - 1 or raw[at] != _QUOTE):
            raise ValueError("a text does not end")
        at = found.end()
        if at < len(raw) and raw[at] == _QUOTE:
            return at + 1
