"""What an event says beside its tags, compared with what we know: impossible times, and recipients that are not the delivery's.

Such an event counts all the same, for the delivery of its tags: with the time of its arrival, and for the address that we sent
to. What it said is kept in its detail, and it is counted as odd.
"""

from dataclasses import replace

from mailcordon.core.event import NO_TIME, Event

#: Milliseconds that an event's clock may differ from the database's. SES refuses calls of a host that is 5 minutes off.
TOLERANCE = 15 * 60_000


def corrected(event: Event, *, called_at: int, recipient: str | None, now: int) -> Event:
    """Returns the event itself if nothing in it is odd. `recipient`: of the delivery; None past retention."""
    earliest, latest = called_at - TOLERANCE, now + TOLERANCE
    odd_time = not earliest <= event.at <= latest
    odd_mail_time = not earliest <= event.mail_at <= latest
    odd_recipient = recipient is not None and not _is_among(recipient, event.destinations)
    if not (odd_time or odd_mail_time or odd_recipient):
        return event
    detail = dict(event.detail)
    if odd_time:
        detail["said_at"] = None if event.at == NO_TIME else event.at
    if odd_mail_time:
        detail["said_mail_at"] = None if event.mail_at == NO_TIME else event.mail_at
    if odd_recipient:
        detail["said_to"] = event.destinations[0][:320] if event.destinations else None
    return replace(
        event,
        at=now if odd_time else event.at,
        mail_at=now if odd_mail_time else event.mail_at,
        detail=detail,
    )


def _is_among(recipient: str, destinations: tuple[str, ...]) -> bool:
    return recipient in destinations or recipient.lower() in [address.lower() for address in destinations]
