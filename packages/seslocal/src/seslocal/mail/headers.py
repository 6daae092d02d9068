"""The header section of a raw mail, as SES reads it: names, values, and which may stand once. Pure.

No byte of a value is lost. Bytes beyond ASCII are UTF-8 if they are valid as that. Any others become an encoded word of the
charset `unknown-8bit` (RFC 1428, 3), from which they can be read back."""

from __future__ import annotations

import email.errors
import email.header
import re
from collections.abc import Mapping, Sequence
from typing import Final

from seslocal.errors import ApiError
from seslocal.mail import refusals
from seslocal.mail.refusals import MOST_WORD
from seslocal.state.settings import Behaviour

#: headers allowed once, as the Developer Guide lists and spells them (page header-fields)
ONCE: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in (
        "Accept-Language", "acceptLanguage", "Archived-At", "Auto-Submitted", "Bounces-to", "Comments",
        "Content-Alternative", "Content-Base", "Content-Class", "Content-Description",
        "Content-Disposition", "Content-Duration", "Content-ID", "Content-Language", "Content-Length",
        "Content-Location", "Content-MD5", "Content-Transfer-Encoding", "Content-Type", "Date",
        "Delivered-To", "Disposition-Notification-Options", "Disposition-Notification-To",
        "DKIM-Signature", "DomainKey-Signature", "Errors-To", "From", "Importance", "In-Reply-To",
        "Keywords", "List-Archive", "List-Help", "List-Id", "List-Owner", "List-Post",
        "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "Message-Context", "Message-ID",
        "MIME-Version", "Organization", "Original-From", "Original-Message-ID", "Original-Recipient",
        "Original-Subject", "Precedence", "Priority", "References", "Reply-To", "Return-Path",
        "Return-Receipt-To", "Sender", "Sensitivity", "Solicitation", "Subject", "Thread-Index",
        "Thread-Topic", "User-Agent", "VBR-Info",
    )
}  # fmt: skip
_END_OF_LINE: Final = re.compile(rb"\r\n|\r|\n")
_WORD: Final = re.compile(r"=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=")
_ESCAPED: Final = re.compile("[\udc80-\udcff]+")
_UNKNOWN: Final = "=?unknown-8bit?"


def read(head: bytes, behaviour: Behaviour) -> list[tuple[str, str]]:
    """Returns names and unfolded values in order. Lines without a colon are no headers and are left out. Raises ApiError."""
    found: list[tuple[bytes, bytes]] = []
    for line in _END_OF_LINE.split(head):
        if line[:1] in (b" ", b"\t"):
            if found:
                name, value = found[-1]
                found[-1] = name, value + b" " + line.lstrip(b" \t")
            continue
        name, colon, value = line.partition(b":")
        if colon and not name.rstrip(b" \t"):
            raise refusals.EMPTY_HEADER_NAME.error()
        if colon and not line.startswith(b"From "):  # the first line of a mailbox file
            found.append((name.rstrip(b" \t"), value.lstrip(b" \t")))
    seen: set[str] = set()
    headers: list[tuple[str, str]] = []
    for name, value in found:
        header = name.decode("ascii", "replace"), text(value)
        check_once(header[0], seen)
        check_words(header[0], header[1], behaviour)
        headers.append(header)
    return headers


def text(value: bytes) -> str:
    """Decodes a value so that no byte is lost."""
    if value.isascii():
        return value.decode("ascii")
    return _ESCAPED.sub(
        lambda found: f"{_UNKNOWN}q?{''.join(f'={ord(one) - 0xDC00:02X}' for one in found[0])}?=",
        value.decode("utf-8", "surrogateescape"),
    )


def check_once(name: str, seen: set[str]) -> None:
    """Raises ApiError if the header was seen before and may stand only once. Adds it to those seen."""
    folded = name.lower()
    if folded in seen and folded in ONCE:
        raise duplicate(folded)
    seen.add(folded)


def duplicate(folded: str) -> ApiError:
    return refusals.DUPLICATE_HEADER.error(name=ONCE[folded])


def check_words(name: str, value: str, behaviour: Behaviour) -> None:
    """Raises ApiError if an encoded word of the value is too long."""
    if "=?" not in value or len(value) <= MOST_WORD or not behaviour.refuse_long_words:
        return
    for word in _WORD.findall(value):
        if len(word) > MOST_WORD and not word.startswith(_UNKNOWN):
            raise refusals.LONG_WORD.error(name=name)


def decoded(value: str) -> str:
    """The value with its encoded words decoded, or as it is if they cannot be, or if they keep bytes of no known charset."""
    if "=?" not in value or _UNKNOWN in value.lower():
        return value
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, ValueError, email.errors.MessageError):
        return value


def first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    """The first value of a header, empty without one."""
    return next(iter(headers.get(name, ())), "")
