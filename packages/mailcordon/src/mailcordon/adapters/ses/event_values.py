"""Values of SES's documents, read the same way wherever they stand: addresses, times, and what makes an event unique."""

import hashlib
from datetime import UTC, datetime, timedelta

LONGEST_TEXT = 1000  #: characters of a diagnostic text that are kept
LONGEST_REASON = 500  #: characters of a type, sub-type or name that SES gives as a reason
#: Tags that SES adds itself.
CONFIGURATION_SET_TAG = "ses:configuration-set"
SES_TENANT_TAG = "ses:tenant-name"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def bare_address(address: str) -> str:
    """`Name <a@b>` -> `a@b`: SES's samples have both."""
    if address.endswith(">"):
        address = address[address.rfind("<") + 1 : -1]
    return address.strip()


#: `2026-03-01T10:00:` -> milliseconds since 1970. Most events share their minute with others.
_minutes: dict[str, int] = {}


def milliseconds(text: str | None) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 time; None if it is missing or malformed."""
    if text is None:
        return None
    digits = text[17:19] + text[20:23]
    if len(text) == 24 and text[19] == "." and text[23] == "Z" and digits.isdigit() and digits.isascii():
        minute, rest = _minutes.get(text[:17]), int(digits)
        if minute is not None and rest < 60_000:
            return minute + rest
        found = _parse_time(text)
        if found is not None:
            if len(_minutes) > 1000:
                _minutes.clear()
            _minutes[text[:17]] = found - rest
        return found
    return _parse_time(text)


def _parse_time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def event_key(type: str, ses_id: str, recipients: tuple[str, ...], key: tuple[str | None, ...]) -> bytes:
    """16 bytes that are the same for each copy of an event and differ between events (ses.md 4.9)."""
    parts = [type, ses_id, *sorted(recipients), "", *[part or "" for part in key]]
    return hashlib.blake2b("\x1f".join(parts).encode(errors="replace"), digest_size=16).digest()
