"""How SES reports the bounce of a receiving host's refusal, by its cause in a world. The wire and the fleets share it."""

from __future__ import annotations

from typing import Final, get_args

from seslocal.state import outcomes
from seslocal.state.outcomes import Outcome
from seslocal.world.verdict import Cause

#: bounceSubType of a refusal. Only an address that cannot receive is Permanent; a refusal of the sender or of this one mail is
#: Transient/General in SES's events, whatever its code, and is not suppressed (ses.md 4.4)
_SUBTYPES: Final[dict[Cause, str]] = {
    "no_mailbox": "General",
    "disabled": "General",
    "moved": "General",
    "no_host": "General",
    "full": "MailboxFull",
    "too_large": "MessageTooLarge",
    "content": "ContentRejected",
}


def bounce_of(cause: Cause) -> Outcome:
    """Returns the bounce of a refusal, or of a mail that comes back, for this cause."""
    return outcomes.bounce(_SUBTYPES.get(cause, "Transient/General"))


#: causes of hard bounces: SES counts them, and puts the address on the suppression list (ses.md 2.2 and 8.1)
PERMANENT: Final[frozenset[Cause]] = frozenset(
    cause for cause in get_args(Cause) if bounce_of(cause).type == "Permanent"
)
