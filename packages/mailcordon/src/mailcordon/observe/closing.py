"""Decides what follows from a bounce for its address: SES's type says at most what, and the text may weaken it.

SES calls a bounce permanent for many refusals that are about the sender, the mail or a rule of the host: they close no address.
A transient bounce closes none, whatever its text says.
"""

from mailcordon.core.bounce_reason import Follow
from mailcordon.core.event import Event, Kind

#: How long an address is off after a permanent bounce whose text does not say that it is gone. SES's own global list forgets a
#: first bounce after the same time (ses.md 2.1); if it bounces again, the time starts again.
WEAK_MS = 14 * 24 * 3600 * 1000


def follow(event: Event) -> Follow:
    """`event` is a hard or soft bounce."""
    permanent = event.kind is Kind.HARD_BOUNCE
    reason = event.bounce_reason
    if reason is None or (permanent and not event.text and not event.detail.get("status")):
        # Nothing but SES's type.
        return Follow.SUPPRESS if permanent else Follow.NOTHING
    return reason.follow(permanent=permanent, passing=event.bounce_passing)
