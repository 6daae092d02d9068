"""Reads the header block of a MIME message, and says which of its headers do not reach the recipient.

What two programs could read in two ways is refused: a space before the colon, a line that is no header, a carriage return alone.
Else a header that one of them does not see would pass the other's check.
"""

import re
from typing import NamedTuple

from mailcordon.messages import mail, raw_mail

MAX_HEAD = 128 * 1024  #: bytes; 50 recipients with long names have 16 KB, the longest References 32 KB
MAX_FIELDS = 300

#: Trace fields, signatures that a change breaks, and what names other senders or recipients: set by SES or by the next server.
_REMOVED = frozenset(
    (
        *("bcc", "return-path", "received", "received-spf", "delivered-to", "x-original-to", "feedback-id"),
        *("dkim-signature", "domainkey-signature", "authentication-results"),
    )
)
#: Families that belong to SES, to Mailcordon, to mailbox providers or to filters (mail_headers.py), and resent mail's.
_REMOVED_FAMILIES = ("x-ses-", "x-mailcordon-", "resent-", "arc-", "x-google-", "x-ms-", "x-spam-")

_FIELD = re.compile(rb"([!-9;-~]++):([^\n]*+\n(?>(?:[ \t][^\n]*+\n)*))")
_BLANK_CONTINUATION = re.compile(rb"\n[ \t]+\r?\n")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Field(NamedTuple):
    name: str
    lower: str
    value: bytes  #: with its folds and line ends

    def text(self) -> str:
        """The value in one line, without spaces around it. Raises ValueError if it has characters that a header may not."""
        try:
            text = _FOLD.sub("", self.value.decode("ascii")).strip(" \t\r\n")
        except UnicodeDecodeError:
            raise ValueError(raw_mail.header_not_ascii()) from None
        if _CONTROL.search(text):
            raise ValueError(mail.has_line_breaks())
        return text

    @property
    def is_removed(self) -> bool:
        return self.lower in _REMOVED or self.lower.startswith(_REMOVED_FAMILIES)


class Head(NamedTuple):
    fields: tuple[Field, ...]
    end: int  #: where the body begins

    def named(self, lower: str) -> list[Field]:
        return [field for field in self.fields if field.lower == lower]


def read(raw: bytes) -> Head:
    """The headers of a message. Raises ValueError with a sentence for the user."""
    blanks = [
        place + len(blank)
        for blank in (b"\n\n", b"\n\r\n")
        if (place := raw.find(blank, 0, MAX_HEAD + len(blank))) >= 0
    ]
    if not blanks:
        too_large = len(raw) > MAX_HEAD
        raise ValueError(raw_mail.header_too_large(MAX_HEAD) if too_large else raw_mail.no_end_of_header())
    end = min(blanks)
    last = end - (2 if raw[end - 2] == ord("\r") else 1)  # where the blank line begins
    fields: list[Field] = []
    at = 0
    while at < last:
        found = _FIELD.match(raw, at, last)
        if found is None:
            raise ValueError(raw_mail.not_a_header(raw.count(b"\n", 0, at) + 1))
        if blank := _BLANK_CONTINUATION.search(found[2]):
            raise ValueError(raw_mail.not_a_header(raw.count(b"\n", 0, found.start(2) + blank.end())))
        name = found[1].decode("ascii")
        fields.append(Field(name, name.lower(), found[2]))
        if len(fields) > MAX_FIELDS:
            raise ValueError(raw_mail.too_many_fields(MAX_FIELDS))
        at = found.end()
    return Head(tuple(fields), end)


def kept(head: Head) -> bytes:
    """The header lines that are sent, each with CRLF, without the blank line. Else their bytes are as they were."""
    lines = (b"%b:%b" % (one.name.encode(), one.value) for one in head.fields if not one.is_removed)
    return b"".join(lines).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def removed_names(head: Head) -> tuple[str, ...]:
    """The names of headers that are not sent, as they are written first."""
    found: dict[str, str] = {}
    for one in head.fields:
        if one.is_removed:
            found.setdefault(one.lower, one.name)
    return tuple(found.values())
