"""Mail for a later time (`send_at`). Its deliveries wait in the queue, and everything about its age counts from that time."""

from datetime import UTC, datetime

from mailcordon.core.errors import Fault, Invalid, parse_field
from mailcordon.messages import raw_mail, reasons, times

MAX_DAYS = 30
LONGEST = 40  #: characters
_DAY_MS = 86_400_000


def parse(text: str) -> int:
    """Milliseconds since 1970. Raises Invalid if it is not a time in ISO 8601 with its distance from UTC."""
    return parse_field("send_at", _parse, text)


def check(send_at: int, now: int) -> None:
    """Raises Invalid for a time that is over, or too far ahead."""
    if send_at < now:
        raise Invalid(Fault("send_at", raw_mail.send_at_is_over()))
    if send_at > now + MAX_DAYS * _DAY_MS:
        raise Invalid(Fault("send_at", raw_mail.send_at_too_far(MAX_DAYS)))


def sentence(send_at: int) -> str:
    return reasons.scheduled(times.minute(send_at))


def _parse(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text[: LONGEST + 1])
        if moment.tzinfo is not None and len(text) <= LONGEST:
            return int(moment.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise ValueError(raw_mail.not_a_time())
