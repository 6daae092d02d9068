"""Reads the command lines of SMTP (RFC 5321, RFC 4954). Pure."""

import base64
import binascii
import re
from typing import NamedTuple

LONGEST_COMMAND = 2048  #: bytes; RFC 5321 4.5.3.1.4 asks for 512, and parameters of MAIL come on top
LONGEST_AUTH = 12_288  #: bytes of an answer to a challenge (RFC 4954 section 4)

_PATH = re.compile(r"(FROM|TO):\s*(?:<([^<>]*)>|([^<>\s]+))(?:\s+(.*))?", re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")


class Path(NamedTuple):
    """The argument of MAIL or RCPT."""

    address: str  #: without the angle brackets; empty for the null sender
    parameters: dict[str, str]  #: by name in capitals; empty for one without a value


def path(keyword: str, argument: str) -> Path | None:
    """What follows `MAIL` (keyword FROM) or `RCPT` (TO); None if it is not well formed."""
    found = _PATH.fullmatch(argument)
    if found is None or found[1].upper() != keyword:
        return None
    parameters: dict[str, str] = {}
    for word in (found[4] or "").split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            return None
        parameters[parameter[1].upper()] = parameter[2] or ""
    address = found[2] if found[2] is not None else found[3]
    if address.startswith("@") and ":" in address:
        address = address.partition(":")[2]  # a source route, to be ignored (RFC 5321 appendix C)
    return Path(address.strip(), parameters)


def decoded(answer: str) -> str | None:
    """The text of an answer to a challenge; None if it is no base64 of UTF-8. `=` is the empty answer (RFC 4954 section 4)."""
    try:
        return "" if answer == "=" else base64.b64decode(answer, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def plain(answer: str) -> tuple[str, str] | None:
    """User and password of AUTH PLAIN; None if the answer is malformed, or asks to act as another user (RFC 4616)."""
    text = decoded(answer)
    parts = [] if text is None else text.split("\0")
    if len(parts) != 3 or parts[0] not in ("", parts[1]):
        return None
    return parts[1], parts[2]
