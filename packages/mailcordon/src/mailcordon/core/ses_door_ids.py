"""The ids that the SES door answers, and that later events carry: our message id in the form of SES's.

`0100019ff189d429-1b3c5d7e-9f02-4a68-6d63-000000000000-000000`: 0100, the time in milliseconds since 1970, the message id in 16
digits, our mark. Programs that store SES's ids, or check their form, take it; nothing is stored to find the message again.
"""

import re

from mailcordon.core import ids
from mailcordon.messages import ses_door

_MARK = "6d63-000000000000-000000"  #: "mc"; the fourth group of a random UUID, which SES has there, begins with 8, 9, a or b
_FORM = re.compile(rf"0100([0-9a-f]{{12}})-([0-9a-f]{{8}})-([0-9a-f]{{4}})-([0-9a-f]{{4}})-{_MARK}", re.ASCII)


def encode(message: int) -> str:
    """The id of a message, as SES would write it."""
    digits = f"{message:016x}"
    return f"0100{ids.ms_of(message):012x}-{digits[:8]}-{digits[8:12]}-{digits[12:]}-{_MARK}"


def decode(text: str) -> int:
    """The inverse of `encode`. Raises ValueError for any other text, also for an id of SES's own."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(ses_door.not_our_message_id())
    message = int(match[2] + match[3] + match[4], 16)
    if message >= 1 << 63 or ids.message_of(message) != message or ids.ms_of(message) != int(match[1], 16):
        raise ValueError(ses_door.not_our_message_id())
    return message


def parse_message_id(text: str) -> int:
    """As `ids.parse_message_id`, and of an id that the SES door answered. Raises ValueError."""
    return decode(text) if _FORM.fullmatch(text) else ids.parse_message_id(text)
