"""The nouns of webhooks. Times are milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mailcordon.core.delivery import State
from mailcordon.core.event import Kind

EndpointForm = Literal["standard", "ses-sns"]
ENDPOINT_FORMS: tuple[EndpointForm, ...] = ("standard", "ses-sns")

#: What an endpoint gets of what SES reports. `Kind.OTHER` changes nothing, and is not sent.
REPORTED: Mapping[Kind, str] = {
    Kind.SEND: "delivery.sent",
    Kind.DELAY: "delivery.delayed",
    Kind.SOFT_BOUNCE: "delivery.soft-bounced",
    Kind.DELIVERY: "delivery.delivered",
    Kind.SUPPRESSED: "delivery.suppressed-at-ses",
    Kind.REJECT: "delivery.rejected",
    Kind.RENDERING_FAILURE: "delivery.rejected",
    Kind.HARD_BOUNCE: "delivery.bounced",
    Kind.COMPLAINT: "delivery.complained",
    Kind.OPEN: "delivery.opened",
    Kind.CLICK: "delivery.clicked",
    Kind.MACHINE_OPEN: "delivery.machine-opened",
    Kind.MACHINE_CLICK: "delivery.machine-clicked",
}
#: How a delivery may end without a report of SES, as the trigger `webhook_left` has it. What SES rejected in its answer is as
#: rejected as what it rejects later.
LEFT_STATES: Mapping[State, str] = {
    State.REFUSED: "delivery.refused",
    State.EXPIRED: "delivery.expired",
    State.CANCELLED: "delivery.cancelled",
    State.GIVEN_UP: "delivery.given-up",
    State.REJECTED_AT_CALL: "delivery.rejected",
    State.NO_OUTCOME: "delivery.no-outcome",
}
CHANGES = ("lane.held", "lane.released", "suppression.added")
EVENTS: tuple[str, ...] = (*dict.fromkeys((*REPORTED.values(), *LEFT_STATES.values())), *CHANGES)
#: Not sent unless an endpoint asks for it: as many as there are mails, or more.
FREQUENT = frozenset(
    {
        "delivery.sent",
        "delivery.opened",
        "delivery.clicked",
        "delivery.machine-opened",
        "delivery.machine-clicked",
    }
)
#: What SES's own events can say. That SES reported nothing is no event of SES.
OF_SES = frozenset(one for one in EVENTS if one.startswith("delivery.")) - {"delivery.no-outcome"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which events are written to the outbox of an endpoint, as observers cache it."""

    endpoint: int
    events: frozenset[str]
    documents: bool  #: it needs SES's own JSON of the event


#: By tenant; None: those that get every tenant's events.
Subscriptions = Mapping[int | None, Sequence[Subscription]]


@dataclass(slots=True)  # not frozen, as one is made per event
class OutboxRow:
    endpoint: int
    event: str
    tenant: int
    delivery: int
    key: bytes


@dataclass(slots=True)
class DocumentRow:
    delivery: int
    key: bytes
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    id: int
    name: str
    tenant: int | None
    slug: str | None  #: None: it gets events of every tenant
    form: EndpointForm
    target: str  #: where it leads, without secrets: a host
    events: tuple[str, ...]
    made_at: int
    made_by: str
    next_at: int = 0  #: nothing is sent before
    failed_rounds: int = 0  #: in a row, in which nothing arrived
    failing_since: int | None = None
    problem: str | None = None
    paused_at: int | None = None
    paused_by: str | None = None
    paused_because: str | None = None
    url: str = field(default="", repr=False)
    #: The newest first. While one takes another's place, both sign.
    signing: tuple[str, ...] = field(default=(), repr=False)
    former_until: int = 0  #: when the second one ends
    sealed: bytes = field(default=b"", repr=False)  #: both as they are stored: other bytes after each change


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What an event of a delivery is about."""

    delivery: int
    type: str | None
    to: str | None  #: None: erased
    sender: str | None
    campaign: str | None
    list: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event for one endpoint, with what its rows say now."""

    number: int  #: of its row in the outbox
    id: str  #: the same at each try, and in a replay: receivers drop copies by it
    event: str
    at: int  #: when it happened
    tried_from: int  #: since when it is tried
    tries: int  #: that failed
    slug: str | None
    mail: Mail | None = None  #: of delivery.*
    #: More about it: `reason` (a code), `detail` (a sentence or the receiver's text), `attempt`, and others by event.
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    document: str | None = None  #: SES's own JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a message in a round."""

    message: Message
    problem: str | None = None  #: None: it arrived
    retry_after: int | None = None  #: seconds that the receiver asked to wait
    gone: bool = False  #: the receiver wants nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """A message in an endpoint's log."""

    number: int
    event: str
    delivery: int | None
    made_at: int
    due_at: int | None
    tries: int
    arrived_at: int | None
    problem: str | None
