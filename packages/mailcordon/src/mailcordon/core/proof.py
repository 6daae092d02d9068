"""A proof of attribution: mails to SES's mailbox simulator, each with the events that must come back (docs/proofs.md).

The mails carry our signed tags, marked as canaries. Their ids have a recipient's number that no delivery has, so that observe
knows them without a look-up and a canary that settles an outcome is not taken for one.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from mailcordon.core import ids
from mailcordon.core.event import Kind


class What(StrEnum):
    """What happens to the mail at SES's simulator (ses.md 9)."""

    SUCCESS = "success"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    REJECT = "reject"  #: counts in the day's quota and is billed, so only on request


ALWAYS = (What.SUCCESS, What.BOUNCE, What.COMPLAINT)

#: The events of each mail, in the order in which SES makes them.
EXPECTED: Mapping[What, Sequence[Kind]] = {
    What.SUCCESS: (Kind.SEND, Kind.DELIVERY),
    What.BOUNCE: (Kind.SEND, Kind.HARD_BOUNCE),
    What.COMPLAINT: (Kind.SEND, Kind.DELIVERY, Kind.COMPLAINT),
    What.REJECT: (Kind.SEND, Kind.REJECT),
}

#: Recipients' numbers above any of a message (ids.MAX_RECIPIENTS), one for each mail of a proof.
_NUMBERS: Mapping[What, int] = {what: 60 + n for n, what in enumerate(What)}


def mail_id(proof: int, what: What, ms: int) -> int:
    """The id that the mail has in its tags. Unique: two proofs that are asked for in the same millisecond differ in theirs."""
    return ids.first_of(ms) | (proof % 65_536) << 6 | _NUMBERS[what]


def is_mail(delivery: int) -> bool:
    """Whether the delivery that a canary's tags name is a mail of a proof."""
    return ids.recipient_of(delivery) >= min(_NUMBERS.values())
