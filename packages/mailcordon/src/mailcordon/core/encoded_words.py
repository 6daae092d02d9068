"""RFC 2047: how letters beyond ASCII travel in a header, and what encoded words in a caller's own text hide."""

import base64
import binascii
import encodings
import re
from encodings.aliases import aliases
from typing import NamedTuple

LONGEST_WORD = 75  #: characters of an encoded word with its delimiters (RFC 2047 section 2)

_PAYLOAD = LONGEST_WORD - len("=?utf-8?q??=")
_BYTES = _PAYLOAD // 4 * 3  #: of base64 in one word
#: What may stand for itself in a word of a display name (RFC 2047 section 5, rule 3).
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_WORD = re.compile(r"=\?([^\s?]*)\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_LINE_BREAK = re.compile("[\r\n\x00\x85\u2028\u2029]")
#: Charsets in which a line break has other bytes than CR and LF.
_WIDE = re.compile(r"utf-(?:7|(?:16|32)(?:[lb]e)?)(?:\*.*)?", re.IGNORECASE)
#: Charsets as the standard library lists them. It also has codecs that are none, such as punycode, whose time grows with the
#: square; and it keeps the name of each unknown one that is looked up.
_CHARSETS = frozenset((*aliases, *aliases.values(), "koi8_u"))
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


def encode(text: str) -> str:
    """One or more encoded words, each at most 75 characters, separated by spaces, which a reader leaves out. No letter is
    divided between two words. The shorter of the encodings Q and B is used."""
    letters = [letter.encode() for letter in text]
    as_q = [_q(letter) for letter in letters]
    if sum(map(len, as_q)) <= (sum(map(len, letters)) + 2) // 3 * 4:
        return " ".join(f"=?utf-8?q?{payload}?=" for payload in _joined(as_q, _PAYLOAD))
    chunks = _joined([letter.decode("latin-1") for letter in letters], _BYTES)
    return " ".join(f"=?utf-8?b?{base64.b64encode(chunk.encode('latin-1')).decode()}?=" for chunk in chunks)


def _q(letter: bytes) -> str:
    if letter == b" ":
        return "_"
    return "".join(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in letter)


def _joined(parts: list[str], longest: int) -> list[str]:
    """The parts in order, joined to pieces of at most `longest` characters."""
    pieces = [""]
    for part in parts:
        if len(pieces[-1]) + len(part) > longest:
            pieces.append("")
        pieces[-1] += part
    return pieces


def decode(text: str) -> str:
    """The text with its encoded words decoded, as a reader sees it. A word in an unknown charset stays as it is."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run: _Run | None = None
    at = 0
    for found in _WORD.finditer(text):
        between, at = text[at : found.start()], found.end()
        word = _Run(found[1].partition("*")[0].lower(), _shown(found[2], found[3]), found[0])
        if run is not None and not between.strip():
            if run.charset == word.charset:
                run = _Run(run.charset, run.raw + word.raw, run.text + between + word.text)
                continue
            between = ""
        pieces += [run.decoded() if run else "", between]
        run = word
    pieces += [run.decoded() if run else "", text[at:]]
    return "".join(pieces)


def decode_bytes(raw: bytes, charset: str) -> str:
    """Text in this charset. What is no text in it is replaced; an unknown charset is taken for UTF-8."""
    if encodings.normalize_encoding(charset) in _CHARSETS:
        try:
            return raw.decode(charset, "replace")
        except (LookupError, ValueError):  # a codec that is no charset, such as base64
            pass
    return raw.decode("utf-8", "replace")


class _Run(NamedTuple):
    """Encoded words of one charset that follow each other. Some programs divide a letter between two."""

    charset: str
    raw: bytes
    text: str  #: as it was written

    def decoded(self) -> str:
        if encodings.normalize_encoding(self.charset) not in _CHARSETS:
            return self.text
        try:
            return self.raw.decode(self.charset, "replace")
        except (LookupError, ValueError):
            return self.text


def _shown(encoding: str, payload: str) -> bytes:
    """Unlike `_decoded`, with the spaces that Q writes as underscores."""
    return _decoded(encoding, (payload.replace("_", " ") if encoding in "qQ" else payload).encode())


def hide_line_break(text: str) -> bool:
    """Whether encoded words in it decode to a line break or NUL, however badly they are encoded: some programs decode what
    others leave alone."""
    if "=?" not in text:
        return False
    return any(_has_line_break(*found.groups()) for found in _WORD.finditer(text))


def _has_line_break(charset: str, encoding: str, payload: str) -> bool:
    raw = _decoded(encoding, payload.encode(errors="replace"))
    if _WIDE.fullmatch(charset):
        return _LINE_BREAK.search(raw.decode(charset.partition("*")[0], "replace")) is not None
    return _LINE_BREAK.search(raw.decode("utf-8", "replace")) is not None


def _decoded(encoding: str, payload: bytes) -> bytes:
    if encoding in "qQ":
        return _HEX.sub(lambda found: bytes([int(found[1], 16)]), payload)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", payload)
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:  # one letter too many
        return base64.b64decode(letters[: len(letters) // 4 * 4])
