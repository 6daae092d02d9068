"""Content as it is stored when a part of it differs from recipient to recipient, and how such a part is filled at the call.

The stored form is lines, then the members of the call. The first line is a frame: where the slots are. Then comes a line for
each recipient, or one for all. The members are complete but for the slots.

Base64 stands for three bytes in four characters. So that a slot can be filled without encoding a whole message again, the bytes
before it are cut at a multiple of three, what is left over is kept in the slot, and what is put in is padded to the length that
fits: a header with spaces after its colon, a link with percent-encoded letters.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec

from mailcordon.send import mail_headers
from mailcordon.send.mail_headers import Pairs
from mailcordon.send.texts import PLACEHOLDER, QUOTED_PLACEHOLDER

FRAME = ord("[")  #: the first byte of this form; members begin with a quote

_encode = msgspec.json.Encoder().encode
_ENCODED_AT_ONCE = 48 * 1024  #: bytes; a multiple of three
_HEADER = re.compile(r"([^:\r\n]+):[^\n]*\n(?:[ \t][^\n]*\n)*")
_LINK_LETTER = re.compile(r"[A-Za-z0-9]")
_QP_LINE = 72  #: characters


class Unsubscribe(NamedTuple):
    """What a recipient is offered."""

    headers: Pairs  #: List-Unsubscribe and List-Unsubscribe-Post, for who has no one-click link of the app's own; empty: none
    link: str  #: of the page, for the app's placeholders; an https address in ASCII


class Kind(IntEnum):
    HEADERS = 0
    TEXT = 1
    HTML = 2
    QUOTED_TEXT = 3  #: quoted-printable
    QUOTED_HTML = 4


class Slot(msgspec.Struct, array_like=True, frozen=True):
    at: int  #: bytes of the members before it
    kind: int
    before: str  #: what its first characters of base64 begin with; bytes as Latin-1
    after: str
    default: (
        str  #: what is in it if nothing is filled in: placeholders; of HEADERS, the recipient's line says it
    )


class Frame(msgspec.Struct, array_like=True, frozen=True):
    raw: bool  #: the members have a MIME message in base64; else they are SES's Simple content
    lines: int
    unsubscribe: bool
    slots: list[Slot]


class Line(msgspec.Struct, array_like=True, frozen=True):
    """What one recipient has."""

    to: str  #: the recipient as Simple content shows them; empty: the bare address
    headers: list[tuple[str, str]]  #: of Simple content
    block: str  #: header lines of raw content; bytes as Latin-1


_frame = msgspec.json.Decoder(Frame).decode
_line = msgspec.json.Decoder(Line).decode


class Filled(NamedTuple):
    to: str
    headers: list[tuple[str, str]]  #: to be added to Simple content
    members: list[bytes | memoryview]


def stored(frame: Frame, lines: Sequence[Line], members: Iterable[bytes]) -> bytes:
    return b"".join((_encode(frame), b"\n", *(b"%b\n" % _encode(line) for line in lines), *members))


def fill(stored: bytes, number: int, unsubscribe: Unsubscribe | None) -> Filled:
    """The members for the recipient of this number, counted from 1, in pieces that are views of the stored form."""
    frame, line, start = _of(stored, number)
    if not frame.unsubscribe:
        unsubscribe = None
    elif unsubscribe is not None and _has_link(frame, line):
        unsubscribe = unsubscribe._replace(headers=())
    headers = line.headers
    if unsubscribe is not None and not frame.raw:
        headers = list(mail_headers.merged(tuple(headers), unsubscribe.headers))
    if not frame.slots:
        return Filled(line.to, headers, [stored[start:]])
    view, members, done = memoryview(stored)[start:], list[bytes | memoryview](), 0
    for slot in frame.slots:
        members.append(view[done : slot.at])
        if slot.kind != Kind.HEADERS:
            # Its default is bytes of the message, or of JSON.
            text = slot.default if unsubscribe is None else _linked(slot, unsubscribe.link, raw=frame.raw)
        elif unsubscribe is None or not unsubscribe.headers:
            text = line.block
        else:
            text = _block(line.block, unsubscribe.headers, len(slot.before) + len(slot.after))
        if frame.raw:
            members.append(base64.b64encode(f"{slot.before}{text}{slot.after}".encode("latin-1")))
        else:
            members.append(_encode(text)[1:-1])
        done = slot.at
    members.append(view[done:])
    return Filled(line.to, headers, members)


def _of(stored: bytes, number: int) -> tuple[Frame, Line, int]:
    """The frame, the line of this recipient, and where the members begin."""
    at = stored.index(b"\n")
    frame = _frame(stored[:at])
    line, start = Line("", [], ""), at + 1
    for place in range(frame.lines):
        end = stored.index(b"\n", start)
        if place + 1 == number or frame.lines == 1:
            line = _line(stored[start:end])
        start = end + 1
    return frame, line, start


def has_link(stored: bytes, number: int) -> bool:
    """Whether this recipient has a one-click link of the app's own."""
    frame, line, _ = _of(stored, number)
    return _has_link(frame, line)


def wants_link(stored: bytes) -> bool:
    """Whether a placeholder is to be filled in."""
    frame = _frame(stored[: stored.index(b"\n")])
    return frame.unsubscribe and any(slot.kind != Kind.HEADERS for slot in frame.slots)


def _has_link(frame: Frame, line: Line) -> bool:
    found = tuple(_pairs(line.block)) if frame.raw else tuple(line.headers)
    return mail_headers.one_click_link(found) is not None


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    """The headers of header lines."""
    for found in _HEADER.finditer(block):
        yield found[1].strip(), " ".join(found[0].partition(":")[2].split())


def _block(block: str, headers: Pairs, around: int) -> str:
    """Header lines with these in the place of those of the same names, padded."""
    names = {name.lower() for name, _ in headers}
    kept = "".join([one[0] for one in _HEADER.finditer(block) if one[1].strip().lower() not in names])
    added = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return padded(added + kept, around)


def padded(block: str, around: int) -> str:
    """Header lines to which spaces are added, so that they and the bytes around them can be encoded alone."""
    missing = -(len(block) + around) % 3
    return block.replace(":", ":" + " " * missing, 1) if missing else block


def _linked(slot: Slot, link: str, *, raw: bool) -> str:
    """What is in a slot with the link as its part encodes it. In base64 it has a length that fits, with percent-encoded letters
    in the last link."""
    if not raw:
        return _part_encoded(slot.kind, link)
    quoted_printable = slot.kind in (Kind.QUOTED_TEXT, Kind.QUOTED_HTML)
    *others, last = (QUOTED_PLACEHOLDER if quoted_printable else PLACEHOLDER).split(slot.default)
    around = len(slot.before) + len(slot.after)
    first = "".join([one + _part_encoded(slot.kind, link) for one in others[:-1]]) + others[-1]
    for letters in range(3):
        text = first + _part_encoded(slot.kind, _with_encoded(link, letters)) + last
        if (len(text) + around) % 3 == 0:
            return text
    raise AssertionError("each letter adds two bytes")


def _part_encoded(kind: int, link: str) -> str:
    if kind in (Kind.HTML, Kind.QUOTED_HTML):
        link = html.escape(link)
    return quoted(link) if kind in (Kind.QUOTED_TEXT, Kind.QUOTED_HTML) else link


def _with_encoded(link: str, letters: int) -> str:
    """The same address (RFC 3986 section 6.2.2.2) with its last letters percent-encoded. They are those of a token."""
    for _ in range(letters):
        found = [one for one in _LINK_LETTER.finditer(link) if not _in_escape(link, one.start())]
        at = found[-1].start()
        link = f"{link[:at]}%{ord(link[at]):02X}{link[at + 1 :]}"
    return link


def _in_escape(link: str, at: int) -> bool:
    return "%" in link[max(at - 2, 0) : at]


def quoted(link: str) -> str:
    """Quoted-printable between soft line breaks, on lines of its own."""
    text = link.replace("=", "=3D")
    lines: list[str] = []
    while text:
        cut = _QP_LINE
        while len(text) > cut and "=" in text[cut - 2 : cut]:
            cut -= 1
        lines.append(text[:cut])
        text = text[cut:]
    return "=\r\n".join(lines)


# Base64 --------------------------------------------------------------------------------------------------------------------


class Encoder:
    """Encodes a message piece by piece, and leaves slots open."""

    def __init__(self, before: int) -> None:
        """`before`: bytes of the members before the first piece."""
        self.pieces: list[bytes] = []
        self.slots: list[Slot] = []
        self.size = before  #: and of the pieces
        self._rest = b""  #: at most two bytes
        self._open: _Open | None = None

    def write(self, data: bytes | memoryview) -> None:
        if self._open is not None:
            taken = min(self._open.missing, len(data))
            self._open.after += data[:taken]
            data = data[taken:]
            if self._open.missing:
                return
            self._close()
        start = 0
        if self._rest:
            start = min(len(data), 3 - len(self._rest))
            self._rest += bytes(data[:start])
            if len(self._rest) < 3:
                return
            self._put(self._rest)
            self._rest = b""
        whole = start + (len(data) - start) // 3 * 3
        for begin in range(start, whole, _ENCODED_AT_ONCE):
            self._put(data[begin : min(begin + _ENCODED_AT_ONCE, whole)])
        self._rest += bytes(data[whole:])

    def slot(self, kind: Kind, text: str) -> None:
        """Leaves a slot open here, with this text in it if nothing is filled in."""
        if self._open is not None:  # too close to the one before: they are one
            self._open.text += self._open.after.decode("latin-1") + text
            self._open.after = b""
        else:
            self._open = _Open(self.size, kind, self._rest, text)
            self._rest = b""
        if not self._open.missing:
            self._close()

    def end(self) -> None:
        if self._open is not None:  # at the end, base64 needs no length that fits
            self._close()
        if self._rest:
            self._put(self._rest)
            self._rest = b""

    def _close(self) -> None:
        assert self._open is not None
        self.slots.append(self._open.slot())
        self._open = None

    def _put(self, data: bytes | memoryview) -> None:
        piece = binascii.b2a_base64(data, newline=False)
        self.pieces.append(piece)
        self.size += len(piece)


class _Open:
    """A slot that needs bytes of what comes after it, so that what is in it now can be encoded with them."""

    __slots__ = ("after", "at", "before", "kind", "text")

    def __init__(self, at: int, kind: Kind, before: bytes, text: str) -> None:
        self.at = at
        self.kind = kind
        self.before = before
        self.text = text
        self.after = b""

    @property
    def missing(self) -> int:
        return -(len(self.before) + len(self.text) + len(self.after)) % 3

    def slot(self) -> Slot:
        default = "" if self.kind is Kind.HEADERS else self.text
        return Slot(
            self.at, int(self.kind), self.before.decode("latin-1"), self.after.decode("latin-1"), default
        )
