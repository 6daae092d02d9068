"""What this door must know of a mail before it is read: its Message-ID, and the message type that it names. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.core.address import Address
from mailcordon.send import raw_mail

_MOST = 256 * 1024  #: bytes of headers that are looked at
_LONGEST_ID = 998
_ID, _TYPE = "message-id", "x-mailcordon-type"


@dataclass(frozen=True, slots=True)
class MailHead:
    message_id: str | None  #: None if there is none, or one that is too long to be one
    types: tuple[str, ...]  #: the values of X-Mailcordon-Type


def read(pieces: Sequence[bytes]) -> MailHead:
    """From the first pieces of a mail. A head that is not well formed names nothing; who reads the mail says what is wrong."""
    found = pieces[0] if pieces else b""
    for piece in pieces[1:]:
        if b"\r\n\r\n" in found or len(found) > _MOST:
            break
        found += piece
    end = found.find(b"\r\n\r\n", 0, _MOST)
    values = raw_mail.header_values(found[: end + 4] if end >= 0 else found[:_MOST], _ID, _TYPE)
    id = next(iter(values[_ID]), "")
    return MailHead(id if 0 < len(id) <= _LONGEST_ID else None, tuple(values[_TYPE]))


def repeat_key(message_id: str, recipients: Sequence[Address]) -> str:
    """The idempotency key of a mail. A relay sends one message several times, each time to other recipients."""
    return "\n".join(("smtp", message_id, *sorted(str(one).lower() for one in recipients)))
