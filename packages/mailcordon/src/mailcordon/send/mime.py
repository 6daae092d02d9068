"""Builds MIME messages, for what SES's Simple content cannot say: several recipients who see each other.

Python's `email` package takes milliseconds for a message. This writes pieces in a fraction of that: the parts that SES makes of
Simple content (docs/decisions/047), text/plain and text/html as alternatives, and the files after them (RFC 2045 to 2049). A file
is base64, a text is as it is, quoted-printable or base64. Lines are as long as they may be: 998 octets at most.
"""

import binascii
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from mailcordon.core import encoded_words
from mailcordon.core.address import Mailbox
from mailcordon.send import texts
from mailcordon.send.attachments import Attachment
from mailcordon.send.mail_headers import Pairs
from mailcordon.send.slots import Encoder, Kind
from mailcordon.send.texts import Text

_LINE = 76  #: characters (RFC 2045 section 6.7 and 6.8)
_BASE64_SLICE = 57 * 800  #: bytes; whole lines
_LONGEST_7BIT = 900  #: octets of a line that is left as it is
_SOFT_BREAK = b"=\r\n"
_LONGEST_PARAMETER = 60  #: characters of a part of a file name


def header(name: str, value: str) -> str:
    """A header line. Encoded words stand on lines of their own, so that no line grows long."""
    return f"{name}: {value}\r\n"


def subject(text: str) -> str:
    value = text if text.isascii() else encoded_words.encode(text).replace("?= =?", "?=\r\n =?")
    return header("Subject", value)


def addresses(name: str, mailboxes: Sequence[Mailbox]) -> str:
    """One mailbox on each line."""
    return header(name, ",\r\n ".join([one.header() for one in mailboxes])) if mailboxes else ""


def lines(pairs: Pairs) -> str:
    return "".join([header(name, value) for name, value in pairs])


def write(
    out: Encoder, head: str, text: Text | None, html: Text | None, files: Sequence[Attachment], seed: str
) -> None:
    """Writes a message: these header lines, those that say what is in it, and the parts.

    `seed` is what the boundaries are made of: the same message has the same bytes.
    """
    mark = hashlib.blake2b(seed.encode(), digest_size=9).hexdigest()
    out.write(f"{head}MIME-Version: 1.0\r\n".encode())
    if not files:
        _body(out, text, html, mark)
        return
    with _Multipart(out, "mixed", f"=_1{mark}") as parts:
        parts.next()
        _body(out, text, html, mark)
        for file in files:
            parts.next()
            _file(out, file)


class _Multipart:
    """Writes the boundaries. "=_" occurs neither in quoted-printable nor in base64 (RFC 2045 section 6.7).

    The line break before a boundary does not belong to the part.
    """

    def __init__(self, out: Encoder, kind: str, boundary: str) -> None:
        self._out = out
        self._boundary = boundary
        self._begin = "--"
        out.write(f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode())

    def __enter__(self) -> "_Multipart":
        return self

    def next(self) -> None:
        self._out.write(f"{self._begin}{self._boundary}\r\n".encode())
        self._begin = "\r\n--"

    def __exit__(self, *_: object) -> None:
        self._out.write(f"\r\n--{self._boundary}--\r\n".encode())


def _body(out: Encoder, text: Text | None, html: Text | None, mark: str) -> None:
    if text and html:
        with _Multipart(out, "alternative", f"=_2{mark}") as parts:
            parts.next()
            _text(out, "plain", text)
            parts.next()
            _text(out, "html", html)
    elif html:
        _text(out, "html", html)
    else:
        _text(out, "plain", text or "")


def _text(out: Encoder, kind: str, text: Text) -> None:
    out.write(f"Content-Type: text/{kind}; charset=utf-8\r\n".encode())
    segments, placeholders = texts.split(text)
    if not placeholders:
        _one_text(out, segments[0])
        return
    out.write(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
    slot = Kind.QUOTED_HTML if kind == "html" else Kind.QUOTED_TEXT
    for number, segment in enumerate(segments):
        octets = list(_canonical(segment))
        _quoted(out, octets)
        if number < len(placeholders):
            if octets and not octets[-1].endswith(b"\n"):
                out.write(_SOFT_BREAK)
            out.slot(slot, placeholders[number])
            out.write(_SOFT_BREAK)


def _one_text(out: Encoder, segment: Sequence[str]) -> None:
    letters = sum(map(len, segment))
    octets = list(_canonical(segment))
    if letters * 5 < sum(map(len, octets)) * 4:  # a fifth of it is beyond ASCII
        out.write(b"Content-Transfer-Encoding: base64\r\n\r\n")
        _base64(out, octets)
    elif len(octets) == 1 and _is_plain(octets[0]):
        out.write(b"Content-Transfer-Encoding: 7bit\r\n\r\n")
        out.write(octets[0])
    else:
        out.write(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
        _quoted(out, octets)


def _canonical(slices: Iterable[str]) -> Iterator[bytes]:
    """With CRLF for every line break (RFC 2046 section 4.1.1)."""
    left = ""
    for piece in slices:
        whole = left + piece
        left = "\r" if whole.endswith("\r") else ""
        if left:
            whole = whole[:-1]
        if "\r" in whole:
            whole = whole.replace("\r\n", "\n").replace("\r", "\n")
        if whole:
            yield whole.replace("\n", "\r\n").encode()
    if left:
        yield b"\r\n"


def _is_plain(octets: bytes) -> bool:
    return octets.isascii() and b"--=_" not in octets and max(map(len, octets.split(b"\n"))) < _LONGEST_7BIT


def _quoted(out: Encoder, octets: Sequence[bytes]) -> None:
    for number, piece in enumerate(octets):
        if number and not octets[number - 1].endswith(b"\n"):
            out.write(_SOFT_BREAK)
        encoded = binascii.b2a_qp(piece, istext=True)
        # Its soft breaks have CR only if the text has.
        out.write(encoded if b"\r\n" in encoded else encoded.replace(b"=\n", _SOFT_BREAK))


def _base64(out: Encoder, octets: Iterable[bytes]) -> None:
    rest, between = b"", b""
    for piece in octets:
        rest += piece
        whole = len(rest) - len(rest) % _BASE64_SLICE
        for start in range(0, whole, _BASE64_SLICE):
            out.write(
                between + _folded(binascii.b2a_base64(rest[start : start + _BASE64_SLICE], newline=False))
            )
            between = b"\r\n"
        rest = rest[whole:]
    out.write(between + _folded(binascii.b2a_base64(rest, newline=False)) if rest else b"")


def _folded(encoded: bytes) -> bytes:
    return b"\r\n".join([encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)])


def _file(out: Encoder, file: Attachment) -> None:
    disposition = "inline" if file.inline else "attachment"
    content_id = f"Content-ID: <{file.content_id}>\r\n" if file.content_id else ""
    out.write(
        (
            f"Content-Type: {file.content_type}\r\nContent-Transfer-Encoding: base64\r\n{content_id}"
            f"Content-Disposition: {disposition};{_filename(file.filename)}\r\n\r\n"
        ).encode()
    )
    for number, part in enumerate(file.data):
        if number:
            out.write(b"\r\n")
        out.write(_folded(part))


def _filename(name: str) -> str:
    """The parameter of Content-Disposition, on lines of its own if it is long (RFC 2231)."""
    if name.isascii() and len(name) <= _LONGEST_PARAMETER:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f' filename="{escaped}"'
    pieces = [""]
    for letter in name:
        encoded = quote(letter, safe="")
        if len(pieces[-1]) + len(encoded) > _LONGEST_PARAMETER:
            pieces.append("")
        pieces[-1] += encoded
    if len(pieces) == 1:
        return f"\r\n filename*=utf-8''{pieces[0]}"
    first, *rest = pieces
    return f"\r\n filename*0*=utf-8''{first}" + "".join(
        [f";\r\n filename*{number}*={piece}" for number, piece in enumerate(rest, start=1)]
    )
