"""One thing SES told us, in our words, and the order in which such things outrank each other.

SES repeats, delays and reorders (ses.md 4.9), so the state after events is a maximum, not a history: the rank below decides,
and a mail that was delivered and bounced later is bounced, whichever event came first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from mailcordon.core.delivery import State


class Kind(IntEnum):
    SEND = 0
    DELAY = 1
    SOFT_BOUNCE = 2
    DELIVERY = 3
    SUPPRESSED = 4  #: a Bounce or Complaint event that only says: one of SES's lists had the address
    REJECT = 5
    HARD_BOUNCE = 6
    COMPLAINT = 7
    OPEN = 8
    CLICK = 9
    RENDERING_FAILURE = 10
    OTHER = 11  #: a subscription, not-spam feedback, a kind newer than this code: kept, changes no state

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


#: kind -> (rank, state). Complaint > hard bounce > delivery > soft bounce > delay > send (ses.md 4.9); reject and suppressed
#: exclude a delivery by nature and rank above it, should SES ever contradict itself. Opens and clicks move nothing.
MOVES: dict[Kind, tuple[int, State]] = {
    Kind.SEND: (1, State.SENT),
    Kind.DELAY: (2, State.DELAYED),
    Kind.SOFT_BOUNCE: (3, State.SOFT_BOUNCED),
    Kind.DELIVERY: (4, State.DELIVERED),  # an out-of-office reply classed as a soft bounce is no failure
    Kind.SUPPRESSED: (5, State.SUPPRESSED_AT_SES),
    Kind.RENDERING_FAILURE: (6, State.REJECTED),
    Kind.REJECT: (7, State.REJECTED),
    Kind.HARD_BOUNCE: (8, State.BOUNCED),  # some receivers accept first and bounce later
    Kind.COMPLAINT: (9, State.COMPLAINED),
}


# Made for every event, and so not frozen, which would make them three times as dear. Nobody changes one.


@dataclass(slots=True, kw_only=True)
class Attempt:
    """What our tags on a mail say: which attempt of which delivery it was (see core/tags.py)."""

    installation: str
    tenant_key: str
    type: str
    delivery: int
    attempt: int
    called_at: int  #: milliseconds since 1970, the database's clock, just before the call
    canary: bool = False


@dataclass(slots=True, kw_only=True)
class Event:
    kind: Kind
    at: int  #: milliseconds since 1970: the event's own time, else the mail's
    mail_at: int  #: when SES accepted the mail
    ses_id: str
    configuration_set: str | None
    ses_tenant: str | None
    destinations: tuple[str, ...]  #: the envelope, bare addresses
    recipients: tuple[str, ...]  #: whom this event concerns; empty where SES names nobody
    tags: Mapping[str, str]  #: first value of each; where all of ours are there, maybe no others
    key: bytes  #: digest of what makes it this event and no other (ses.md 4.9)
    reason: str | None = None  #: e.g. `Permanent/General`
    text: str | None = None  #: diagnostic text, bounded
    detail: Mapping[str, object] = field(default_factory=dict[str, object])
