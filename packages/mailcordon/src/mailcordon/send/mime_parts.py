"""Checks the lines and the parts of a MIME message without decoding them, in slices, so that it keeps no other thread waiting.

The standard library's parser makes an object of every line: a second and several times the size for what SES takes at most. Here
separators are searched for, and only the headers of parts are read. Both find the same parts (tests/send/test_raw_mail.py).
"""

import email.errors
import email.message
import email.utils
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailcordon.core import encoded_words
from mailcordon.messages import raw_mail

MAX_LINE = 998  #: bytes without its end (RFC 5322 2.1.1; SES: ses.md 3.3)
MAX_PARTS = 500  #: SES's (ses.md 3.3)
MAX_DEPTH = 30
MAX_BOUNDARY = 200  #: characters; RFC 2046 5.1.1 allows 70
MAX_PART_HEAD = 32 * 1024  #: bytes
MAX_CONTENT_HEADER = (
    2048  #: bytes of Content-Type and the like: the library's time for one grows with the square
)
MAX_FALSE = 2_000  #: lines that only begin as a separator; a program that writes mail chooses separators that do not occur

_SLICE = 64 * 1024  #: bytes of lines that one call looks at
_SEARCHED = 1024 * 1024  #: bytes that one call searches for a separator
_MATCHED = (
    16 * 1024
)  #: bytes that one call of a regular expression searches: half a microsecond each at worst

_PART_HEAD = re.compile(rb"(?>(?:(?!--)[!-9;-~]++[ \t]*+:[^\n]*+\n(?>(?:[ \t][^\n]*+\n)*))*)")
_CONTENT = re.compile(
    rb"^(content-type|content-disposition|content-transfer-encoding)[ \t]*+:([^\n]*+\n(?>(?:[ \t][^\n]*+\n)*))",
    re.IGNORECASE | re.MULTILINE,
)
_CONTENT_NAMES = ("content-type", "content-disposition", "content-transfer-encoding")
_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"\\]*)\"|([^\s\"();,]+))\s*(?:;|$)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"name\s*=\s*\"([^\"\\]*)\"", re.IGNORECASE)
_REST_OF_SEPARATOR = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")


class Head(NamedTuple):
    """What the headers of a part say of its content."""

    content_type: str = ""
    disposition: str = ""
    encoding: str = ""

    @property
    def kind(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()


class Readable(NamedTuple):
    """A part that a mail program shows as text and that is not in base64."""

    begin: int  #: bytes of the message
    end: int
    is_html: bool
    is_quoted: bool  #: in quoted-printable


class Parts(NamedTuple):
    number: int
    names: tuple[str, ...]  #: of files, decoded
    readable: tuple[Readable, ...]  #: without those of messages in the message


def check_lines(raw: bytes) -> None:
    """Raises ValueError for a line that is too long, a carriage return alone and NUL."""
    at = line = 0
    while at < len(raw):
        end = raw.rfind(b"\n", at, at + _SLICE) + 1
        if end == 0:
            end = min(at + _SLICE, len(raw))
        piece = raw[at:end]
        if b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n"):
            raise ValueError(raw_mail.bare_cr())
        if b"\0" in piece:
            raise ValueError(raw_mail.has_nul())
        lines = piece.split(b"\n")
        if max(map(len, lines)) > MAX_LINE:
            for number, one in enumerate(lines, line + 1):
                if len(one.removesuffix(b"\r")) > MAX_LINE:
                    raise ValueError(raw_mail.line_too_long(number, MAX_LINE))
        line += len(lines) - 1
        at = end


def read(raw: bytes, body: int, head: Head) -> Parts:
    """The parts of a message with these headers whose body begins at `body`. Raises ValueError with a sentence for the user.

    The outermost multipart must have parts and an end, as SES wants it. Inside, what is not well-formed counts as text.
    """
    top = _boundary(head.content_type) if head.kind.startswith("multipart/") else None
    if top is None and head.kind.startswith("multipart/"):
        raise ValueError(raw_mail.no_boundary())
    separators = _Separators(raw)
    names, readable = [_file_name(head)], list[Readable]()
    number, at = 1, body
    began = ended = False  # the outermost multipart
    embedded: int | None = None  # how many multiparts were open where a message in the message began
    while True:
        if head.kind.startswith("multipart/") and (boundary := _boundary(head.content_type)):
            separators.open(boundary)
        if head.kind.startswith("message/") and head.kind != "message/delivery-status":
            embedded = separators.depth if embedded is None else embedded
        else:
            found = separators.next(at)
            if embedded is None and _is_readable(head):
                end = len(raw) if found is None else found.begin
                quoted = head.encoding == "quoted-printable"
                readable.append(Readable(at, end, head.kind == "text/html", quoted))
            while found is not None and found.is_end:
                ended = ended or found.depth == 0
                found = separators.next(found.end)
            if found is None:
                break
            began = began or found.depth == 0
            at = found.end
            if embedded is not None and found.depth < embedded:
                embedded = None
        head, at = _part_head(raw, at)
        names.append(_file_name(head))
        number += 1
        if number > MAX_PARTS:
            raise ValueError(raw_mail.too_many_parts(MAX_PARTS))
    if top is not None and not (began and ended):
        raise ValueError(raw_mail.boundary_not_found(top.decode("ascii", "replace")))
    return Parts(number, tuple(name for name in names if name), tuple(readable))


def find(raw: bytes, part: Readable, wanted: re.Pattern[bytes], longest: int) -> Iterator[re.Match[bytes]]:
    """Where the part has what is wanted, which has at most `longest` bytes."""
    at = part.begin
    while at < part.end:
        stop = min(at + _MATCHED, part.end)
        found = wanted.search(raw, at, min(stop + longest, part.end))
        if found is None:
            at = stop
        else:
            yield found
            at = found.end()


def _is_readable(head: Head) -> bool:
    return (
        head.kind in ("", "text/plain", "text/html")
        and head.encoding in ("", "7bit", "8bit", "quoted-printable")
        and not head.disposition.lower().startswith("attachment")
    )


class _Separator(NamedTuple):
    begin: int
    end: int  #: of its line
    is_end: bool  #: of its multipart
    depth: int  #: of its multipart, from 0


class _Separators:
    """Finds the next line that separates parts of any multipart that is open. A separator of an outer one ends the inner ones."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._open: list[bytes] = []
        self._found: list[_Separator | None] = []  #: of each: the next one, as far as it was looked for
        self._false = 0

    @property
    def depth(self) -> int:
        """How many are open."""
        return len(self._open)

    def open(self, boundary: bytes) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(raw_mail.nested_too_deeply(MAX_DEPTH))
        self._open.append(boundary)
        self._found.append(_Separator(-1, 0, False, 0))

    def next(self, at: int) -> _Separator | None:
        """The first separator in a line that begins at `at` or later."""
        first: _Separator | None = None
        for depth, known in enumerate(self._found):
            if known is not None and known.begin < at:
                known = self._found[depth] = self._search(depth, at)
            if known is not None and (first is None or known.begin < first.begin):
                first = known
        if first is not None:
            left = first.depth + (0 if first.is_end else 1)
            del self._open[left:], self._found[left:]
        return first

    def _search(self, depth: int, at: int) -> _Separator | None:
        raw, wanted = self._raw, b"\n--" + self._open[depth]
        begin = at - 1  # of the line before
        while begin < len(raw):
            stop = begin + _SEARCHED
            place = raw.find(wanted, begin, stop + len(wanted))
            if place < 0:
                begin = stop
                continue
            if rest := _REST_OF_SEPARATOR.match(raw, place + len(wanted)):
                return _Separator(place + 1, rest.end(), rest[1] is not None, depth)
            self._false += 1
            if self._false > MAX_FALSE:
                raise ValueError(raw_mail.too_many_parts(MAX_PARTS))
            begin = place + len(wanted)
        return None


def _part_head(raw: bytes, at: int) -> tuple[Head, int]:
    """The headers of the part that begins at `at`, and where its body does."""
    found = _PART_HEAD.match(raw, at, at + MAX_PART_HEAD)
    end = at if found is None else found.end()
    if end - at > MAX_PART_HEAD - MAX_LINE - 2:  # a longer one ends with the last line that fits
        raise ValueError(raw_mail.header_too_large(MAX_PART_HEAD))
    values: dict[str, str] = {}
    for one in _CONTENT.finditer(raw, at, end):
        if len(one[2]) > MAX_CONTENT_HEADER:
            raise ValueError(raw_mail.header_too_large(MAX_CONTENT_HEADER))
        values.setdefault(one[1].decode("ascii").lower(), " ".join(one[2].decode("latin-1").split()))
    for blank in (b"\r\n", b"\n"):
        if raw.startswith(blank, end):
            end += len(blank)
            break
    return head_of(values), end


def head_of(values: Mapping[str, str]) -> Head:
    """Of header values by name in lower case. Raises ValueError if they are too long."""
    if max(len(values.get(name, "")) for name in _CONTENT_NAMES) > MAX_CONTENT_HEADER:
        raise ValueError(raw_mail.header_too_large(MAX_CONTENT_HEADER))
    return Head(
        values.get("content-type", ""),
        values.get("content-disposition", ""),
        values.get("content-transfer-encoding", "").lower(),
    )


def _boundary(content_type: str) -> bytes | None:
    if found := _BOUNDARY.search(content_type):
        boundary = found[1] if found[2] is None else found[2]
    else:
        boundary = _parameter(content_type, "boundary")
    boundary = boundary.rstrip()
    return boundary.encode("latin-1", "replace") if 0 < len(boundary) <= MAX_BOUNDARY else None


def _file_name(head: Head) -> str:
    """The name of the file that a part is, as a mail program shows it; empty if it has none."""
    for value, parameter in ((head.disposition, "filename"), (head.content_type, "name")):
        if "name" in value.lower():
            plain = _PLAIN_NAME.search(value)
            name = (
                plain[1]
                if plain and "=?" not in value
                else encoded_words.decode(_parameter(value, parameter))
            )
            if name:
                return name
    return ""


def _parameter(value: str, name: str) -> str:
    """A parameter in any of the forms that RFC 2045 and RFC 2231 allow; empty if there is none that can be read."""
    part = email.message.Message()
    part["Content-Type"] = value
    try:
        found = part.get_param(name)
        return "" if found is None else email.utils.collapse_rfc2231_value(found)
    except (ValueError, LookupError, TypeError, AttributeError, email.errors.MessageError):
        return ""  # what the library makes of hostile input
