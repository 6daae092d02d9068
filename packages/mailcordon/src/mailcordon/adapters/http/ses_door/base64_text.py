"""Decodes base64 of any length in slices: one call on megabytes keeps the interpreter's lock (docs/decisions/026)."""

import binascii
from collections.abc import Iterable

from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.messages import ses_door as messages

_WHITE = b" \t\r\n"


def decoded(parts: Iterable[str | bytes], field: str) -> bytes:
    """The bytes of a base64 text that comes in parts. Line breaks are left out. Raises SesError for anything else in it."""
    found: list[bytes] = []
    rest = b""
    ended = False
    try:
        for part in parts:
            piece = rest + (part.encode("ascii") if isinstance(part, str) else part).translate(None, _WHITE)
            whole = len(piece) - len(piece) % 4
            if ended and piece:
                raise ValueError("after its end")
            if whole:
                found.append(binascii.a2b_base64(piece[:whole], strict_mode=True))
                ended = piece[whole - 1 : whole] == b"="
            rest = piece[whole:]
        if rest:
            if ended:
                raise ValueError("after its end")
            # Some clients leave the padding out.
            found.append(binascii.a2b_base64(rest + b"=" * (4 - len(rest)), strict_mode=True))
    except ValueError:  # also of letters that are not ASCII, and binascii's own
        raise SesError("SerializationException", messages.not_base64(field)) from None
    return found[0] if len(found) == 1 else b"".join(found)
