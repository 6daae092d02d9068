"""SES's message ids, and the Message-ID header that recipients see.

SES replaces a caller's Message-ID by its own (ses.md 3.1): its id at `REGION.amazonses.com`, in us-east-1 at
`email.amazonses.com`.

An id such as `0100019ff189d429-e4511161-032f-4588-82f8-53f2b862e736-000000` begins with a number of the region and the time at
which SES accepted the mail, in milliseconds since 1970. AWS does not document that form, so nothing may depend on it but speed.
"""

import re

from mailcordon.messages import search

_FORM = re.compile(r"[0-9a-f]{4}([0-9a-f]{12})-[0-9a-f-]{8,}", re.ASCII)
_HEADER = re.compile(
    r"<?\s*([^@<>\s]+)@(?:email|[a-z]{2}(?:-[a-z]+)+-\d+)\.amazonses\.com\s*>?", re.ASCII | re.IGNORECASE
)
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_EARLIEST, _LATEST = 1_300_000_000_000, 4_100_000_000_000  #: 2011, when SES was new, and 2099


def header(ses_id: str, region: str) -> str:
    """The Message-ID header of a mail that SES accepted in this region, with its angle brackets."""
    return f"<{ses_id}@{'email' if region == 'us-east-1' else region}.amazonses.com>"


def parse_header(text: str) -> str:
    """SES's id from a Message-ID header, with or without angle brackets. Raises ValueError."""
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        raise ValueError(search.not_a_message_id_header())
    return parse(match[1])


def parse(text: str) -> str:
    """Raises ValueError for a text that cannot be an id."""
    if _ID.fullmatch(text.strip()) is None:
        raise ValueError(search.not_a_ses_id())
    return text.strip()


def time_of(ses_id: str) -> int | None:
    """When SES accepted the mail, in milliseconds since 1970. None if the id does not say so."""
    match = _FORM.fullmatch(ses_id)
    if match is None:
        return None
    ms = int(match[1], 16)
    return ms if _EARLIEST < ms < _LATEST else None
