"""SES's events, and the rank of each kind.

SES repeats, delays and reorders events (ses.md 4.9), so the state after them is a maximum by rank, not a history: mail that was
delivered and bounced later is bounced, whichever event came first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from mailcordon.core.bounce_reason import BounceReason
from mailcordon.core.delivery import State

NO_TIME = 0  #: as the time of an event that has none


class Kind(IntEnum):
    SEND = 0
    DELAY = 1
    SOFT_BOUNCE = 2
    DELIVERY = 3
    SUPPRESSED = 4  #: a Bounce or Complaint event because one of SES's lists has the address
    REJECT = 5
    HARD_BOUNCE = 6
    COMPLAINT = 7
    OPEN = 8
    CLICK = 9
    RENDERING_FAILURE = 10
    OTHER = 11  #: a subscription, not-spam feedback or an unknown kind; stored, but changes no state
    MACHINE_OPEN = 12  #: by a scanner, a proxy or another program, as SES tells (ses.md 4.2)
    MACHINE_CLICK = 13

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


#: kind -> (rank, state). Complaint > hard bounce > delivery > soft bounce > delay > send (ses.md 4.9). Reject and suppressed
#: exclude a delivery, and rank above it in case SES contradicts itself. Opens and clicks change no state.
MOVES: dict[Kind, tuple[int, State]] = {
    Kind.SEND: (1, State.SENT),
    Kind.DELAY: (2, State.DELAYED),
    Kind.SOFT_BOUNCE: (3, State.SOFT_BOUNCED),
    Kind.DELIVERY: (4, State.DELIVERED),  # an out-of-office reply counted as a soft bounce is no failure
    Kind.SUPPRESSED: (5, State.SUPPRESSED_AT_SES),
    Kind.RENDERING_FAILURE: (6, State.REJECTED),
    Kind.REJECT: (7, State.REJECTED),
    Kind.HARD_BOUNCE: (8, State.BOUNCED),  # some receivers accept first and bounce later
    Kind.COMPLAINT: (9, State.COMPLAINED),
}


# Made once per event and not frozen, because a frozen dataclass takes three times as long to make. They are never changed.


@dataclass(slots=True, kw_only=True)
class Attempt:
    """The attempt that our tags on a mail name (core/tags.py)."""

    installation: str
    tenant_key: str
    type: str
    delivery: int
    attempt: int
    called_at: int  #: milliseconds since 1970, the database's clock, just before the call
    canary: bool = False


@dataclass(slots=True, kw_only=True)
class Sending:
    """How a mail without our tags was sent, as its event says. Each is None where it does not."""

    source_arn: str | None = None  #: of the identity
    account: str | None = None
    caller: str | None = None
    source_ip: str | None = None
    subject: str | None = None
    mailer: str | None = None  #: its X-Mailer or User-Agent header


@dataclass(slots=True, kw_only=True)
class Event:
    kind: Kind
    at: int  #: milliseconds since 1970: the event's time, else the mail's
    mail_at: int  #: when SES accepted the mail
    ses_id: str
    configuration_set: str | None
    ses_tenant: str | None
    destinations: tuple[str, ...]  #: the envelope, bare addresses
    recipients: tuple[str, ...]  #: the recipients of this event; empty if SES names none
    tags: Mapping[str, str]  #: the first value of each; may lack SES's tags if all of ours are present
    key: bytes  #: digest that identifies the event among copies (ses.md 4.9)
    reason: str | None = None  #: e.g. `Permanent/General`
    text: str | None = None  #: diagnostic text, limited in length
    detail: Mapping[str, object] = field(default_factory=dict[str, object])
    bounce_reason: BounceReason | None = None  #: of a hard or soft bounce
    bounce_passing: bool = False  #: the codes in its text say that the refusal is not for good
    sending: Sending | None = None  #: None: it has our tags, or its document cannot be read
