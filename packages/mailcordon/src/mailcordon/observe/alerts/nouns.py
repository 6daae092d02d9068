"""The nouns of alerts. Times are milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from mailcordon.core.incident import Kind, ScopeKind, Severity

Form = Literal["webhook", "slack", "pagerduty", "email"]
FORMS: tuple[Form, ...] = ("webhook", "slack", "pagerduty", "email")
ContactForm = Literal["webhook", "email"]
CONTACT_FORMS: tuple[ContactForm, ...] = ("webhook", "email")


class What(StrEnum):
    """What a message says of its incident."""

    OPENED = "opened"
    REOPENED = "reopened"
    WORSENED = "worsened"
    IDENTIFIED = "identified"  #: its culprit was not known when it was told
    ACKNOWLEDGED = "acknowledged"
    REMINDER = "reminder"  #: nobody has acknowledged it
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to people, and which incidents it gets."""

    id: int
    name: str
    form: Form
    target: str  #: where it leads, without secrets: a host or an address
    least: Severity = "low"  #: incidents of this severity, and worse ones
    kinds: frozenset[Kind] = frozenset()  #: empty: every kind
    tenants: frozenset[int] = frozenset()  #: empty: incidents of every tenant, and of the platform
    secret: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    lane: int | None = None  #: e-mail: the lane of ours that carries it
    lane_name: str | None = None  #: such as `platform/notification`
    sender: str | None = None
    made_at: int = 0
    made_by: str = ""
    failing_since: int | None = None
    problem: str | None = None
    sealed: bytes = field(
        default=b"", repr=False
    )  #: `secret` as it is stored: other bytes once it was changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as alerts need it."""

    id: int
    kind: Kind
    cause: str
    severity: Severity
    scope: ScopeKind
    name: str  #: of what the scope says
    tenant: int | None
    tenant_slug: str | None
    lane: int | None
    culprit: str | None
    sentence: str
    next: str
    command: str | None
    since: int
    opened_at: int
    mitigated_at: int | None
    mitigated_by: str | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    closed_at: int | None
    closed_by: str | None
    closed_because: str | None
    concerned: frozenset[int] = frozenset()  #: other tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What a channel was told of an incident, and the message that is on its way."""

    told_severity: Severity | None = None  #: None: no message arrived yet
    told_culprit: bool = False
    told_acknowledged: bool = False
    told_closed: bool = False
    reminders: int = 0
    remind_at: int | None = None
    what: What | None = None  #: on its way
    tries: int = 0

    @property
    def is_new(self) -> bool:
        """Nothing of the incident was told, or is on its way."""
        return self.told_severity is None and self.what is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What somebody did about an incident."""

    at: int
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message to be sent."""

    alert: int
    message: str  #: its id, the same at each try: receivers drop copies by it
    what: What
    tries: int
    channel: Channel
    incident: Incident
    done: Sequence[Done]
    open_incidents: int = 0  #: all that are open, this one too


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """The lane of an e-mail channel, as it is now."""

    tenant: int
    lane: int
    name: str
    configuration_set: str
    domain: str
    held: bool
    stopped: bool
    nothing_leaves: bool  #: the account is stopped, or every dispatcher
    dispatcher_silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom we tell of a tenant's holds."""

    tenant: int
    slug: str
    form: ContactForm
    target: str
    tell: tuple[str, ...]
    made_at: int
    made_by: str
    failing_since: int | None = None
    problem: str | None = None
    secret: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    channel: Channel | None = None  #: e-mail: whose lane carries it


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One hold, stop or paused webhook that a notice is about."""

    kind: Literal["hold", "stop", "webhook"]
    number: int
    ended: bool
    mail: str  #: which mail of the tenant, or whose events
    why: str
    since: int
    until: int | None
    resume: str  #: what makes the mail leave again


@dataclass(frozen=True, slots=True, kw_only=True)
class DueNotice:
    id: int
    message: str
    contact: Contact
    items: Sequence[Item]
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """What a channel was told of an incident, for people."""

    id: int
    incident: int
    channel: str
    form: Form
    kind: str
    severity: Severity
    tenant: str | None
    sentence: str
    told_at: int | None
    sent: int
    remind_at: int | None
    what: str | None  #: on its way
    due_at: int | None
    tries: int
    problem: str | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    closed_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    id: int
    tenant: str
    form: ContactForm
    items: Sequence[Mapping[str, object]]
    made_at: int
    sent_at: int | None
    due_at: int | None
    problem: str | None
