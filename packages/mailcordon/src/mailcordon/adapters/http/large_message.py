"""Reads the JSON of a large message a slice at a time.

A call that decodes megabytes keeps the interpreter's lock for milliseconds, also in a thread, and the event loop waits for it
(docs/decisions/026). So the long strings are cut out first. What is left is small and is read as any other message, with a
number in the place of each long string; the strings are decoded in slices. A body that is not like that, because something is
wrong with it, is read in one piece by json_body.py, which says what is wrong.
"""

import re

import msgspec

from mailcordon.adapters.http import json_body, message_body
from mailcordon.adapters.http.message_body import AttachmentBody, Long, SendBody
from mailcordon.core.errors import MailcordonError
from mailcordon.send.texts import LongText

MOST_BESIDE_TEXTS = 1024 * 1024  #: bytes of JSON; the most recipients with the most headers each have 0.8 MB
_LONG = 64 * 1024  #: bytes of a string that is cut out
_SLICE = 64 * 1024  #: bytes that one call decodes
_QUOTE = ord('"')

#: Whole strings, and what is between strings.
_SHORT = re.compile(rb'(?>(?:[^"]++|"(?>(?:[^"\\]++|\\.)*)")*)', re.DOTALL)
#: The second half of a pair of escapes that is one character.
_LOW_SURROGATE = re.compile(rb"\\u[dD][c-fC-F]")
_LONGEST_ESCAPE = 6  #: bytes: \uXXXX


class _CutAttachment(AttachmentBody):
    content: str | int  # pyright: ignore[reportIncompatibleVariableOverride]


class _CutBody(SendBody):
    """A message whose long strings are the places in the text where they began."""

    text: str | int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    html: str | int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    raw: str | int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    attachments: list[_CutAttachment] = msgspec.field(default_factory=list[_CutAttachment])  # pyright: ignore[reportIncompatibleVariableOverride]


_decoder = msgspec.json.Decoder(SendBody)
_cut_decoder = msgspec.json.Decoder(_CutBody)
_decode = msgspec.json.Decoder(str).decode


def read(raw: bytes) -> tuple[SendBody, Long]:
    """The message, and its long fields, which are not to be taken from it. Raises Malformed, TooLarge and Invalid."""
    try:
        found = _read_in_slices(raw)
    except (ValueError, MailcordonError):
        found = None
    if found is not None:
        return found
    json_body.check_beside_texts(raw, MOST_BESIDE_TEXTS)
    body = json_body.read_as(_decoder, raw, message_body.is_flat)
    return body, message_body.long_of(body)


def _read_in_slices(raw: bytes) -> tuple[SendBody, Long] | None:
    found = cut(raw)
    if found is None:
        return None
    rest, strings = found
    body = json_body.read_as(_cut_decoder, rest, message_body.is_flat)
    fields = (body.text, body.html, body.raw, *(one.content for one in body.attachments))
    # A number may be the caller's own, and a long string may be something else than one of these fields.
    if sorted(one for one in fields if isinstance(one, int)) != sorted(strings):
        return None
    text, html, whole, *contents = (strings[one] if isinstance(one, int) else one for one in fields)
    return body, Long(text, html, whole, [one or "" for one in contents])


def cut(raw: bytes) -> tuple[bytes, dict[int, LongText]] | None:
    """The text with a number in the place of each long string, and these strings by number.

    Returns None if the text is too large without its long strings. Raises ValueError if a long string is not valid."""
    kept: list[bytes] = []
    size = 0  #: of `kept`
    strings: dict[int, LongText] = {}
    begin = at = 0  #: of what is not in `kept` yet, and of what has not been looked at
    while at < len(raw):
        at = _end_of_short(raw, at)
        if at < len(raw) and raw[at] == _QUOTE:
            quote = at
            parts, end = _string(raw, quote + 1)
            at = end + 1
            if end - quote > _LONG:
                strings[quote] = LongText(parts)
                kept += (raw[begin:quote], b"%d" % quote)
                size += quote - begin
                begin = at
        if size + at - begin > MOST_BESIDE_TEXTS:
            return None
    kept.append(raw[begin:])
    return b"".join(kept), strings


def _end_of_short(raw: bytes, at: int) -> int:
    """Where the next string begins that does not end within a slice from `at`; the end of the slice if there is none."""
    found = _SHORT.match(raw, at, at + _SLICE)
    assert found is not None
    return found.end()


def _string(raw: bytes, at: int) -> tuple[list[str], int]:
    """The string that begins at `at`, in parts, and the place of its closing quote. Raises ValueError if it is not valid."""
    parts: list[str] = []
    while (end := _boundary(raw, at, min(at + _SLICE, len(raw)))) > at:
        try:
            parts.append(_decode(b'"%b"' % raw[at:end]))
        except ValueError:
            break  # it ends in this slice, or is not valid
        at = end
    # The closing quote is the first one that is not escaped.
    end = raw[at : at + _SLICE].replace(b"\\\\", b"..").replace(b'\\"', b"..").index(b'"') + at
    parts.append(_decode(b'"%b"' % raw[at:end]))
    return parts, end


def _boundary(raw: bytes, start: int, stop: int) -> int:
    """Where a slice from `start` can end: at `stop`, or before an escape, a pair of surrogates or a character that lies there."""
    last = raw.rfind(b"\\", max(start, stop - _LONGEST_ESCAPE), stop)
    if last >= 0:
        before = raw[start : last + 1]
        if (len(before) - len(before.rstrip(b"\\"))) % 2:  # it is not escaped itself
            stop = last - _LONGEST_ESCAPE if _LOW_SURROGATE.match(raw, last) else last
    for _ in range(3):  # a character has at most three bytes after its first
        stop -= stop < len(raw) and raw[stop] & 0xC0 == 0x80
    return stop
