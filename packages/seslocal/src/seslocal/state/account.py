"""The account: everything the local SES remembers, all in memory. Nouns here are changed only by the operation
that owns them; whatever decides or publishes gets the account handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seslocal import tagging
from seslocal.clock import Clock
from seslocal.ids import Ids
from seslocal.state.cloudwatch import Metrics
from seslocal.state.dedicated_ips import DedicatedIps
from seslocal.state.faults import Faults
from seslocal.state.findings import Counts, Finding, Thresholds
from seslocal.state.global_suppression import GlobalList
from seslocal.state.insights import Insights
from seslocal.state.jobs import Jobs
from seslocal.state.ledger import Ledger
from seslocal.state.management_rate import Pace
from seslocal.state.outbox import Outbox
from seslocal.state.outcomes import Mailboxes, Provider, Simulator
from seslocal.state.queues import Queues
from seslocal.state.s3_directory import Home
from seslocal.state.sending import SANDBOX_QUOTA, SANDBOX_RATE, Allowance
from seslocal.state.statistics import Statistics
from seslocal.state.topics import Topic
from seslocal.state.zone import Zone
from seslocal.wire.access_keys import Keys

if TYPE_CHECKING:
    from seslocal.admin.scenario import Step
    from seslocal.events.firehose import Stream
    from seslocal.mail.list_management import Managed
    from seslocal.mail.templated import Stored
    from seslocal.mail.tracking import Tracked
    from seslocal.mail.verification_links import Pending, VerificationTemplate
    from seslocal.state.contacts import ContactList
    from seslocal.state.observers import Witness

Params = dict[str, Any]
BOTH_REASONS: Final = ("BOUNCE", "COMPLAINT")
ABANDONED: Final = 90 * 86400.0  # seconds of pause after which an account's suppression list is deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one local SES is started with."""

    region: str = "us-east-1"
    account_id: str = "000000000000"
    rate: float = 1000.0  #: recipients per second (MaxSendRate)
    quota: float = 10_000_000.0  #: recipients per rolling 24 hours; -1: no limit
    event_delay: float = 0.005  #: seconds between accepting a mail and its Send, and between later events
    ledger: int = 100_000  #: mails the ledger keeps
    ledger_bytes: int = 64 * 1024 * 1024  #: bytes of content the ledger keeps
    seed: int | None = None  #: of every id; None: from the system
    queue_most: int = 200_000  #: messages a queue holds; beyond that the oldest are dropped
    sandbox: bool = False  #: without production access: little mail, to verified recipients only
    management_rate: float = 0.0  #: calls a second of operations that do not send; 0: no limit
    management_together: bool = False  #: that limit is one for all operations, not one for each
    home: str | None = None  #: directory that stands for S3; None: an empty one, until the process ends
    strict: bool = False  #: identities verify only when their records are published
    dns_port: int | None = None  #: UDP and TCP port of its own DNS; 0: a free one; None: no DNS
    sns_url: str | None = None  #: base of the URLs in SNS messages; None: as AWS writes it
    keys: tuple[tuple[str, str], ...] = (("test", "test"),)  #: access keys with their secrets
    check_signatures: bool = True  #: off: anybody may call, signed or not
    scenario: tuple[Params, ...] = ()  #: what goes wrong when, from the start and after each reset


@dataclass(slots=True)
class Behaviour:
    """Choices where the facts about SES are disputed or missing. docs/behaviour.md describes each."""

    verify_at_once: bool = True  #: a new identity is verified, as a developer expects
    tenant_needs_configuration_set: bool = True  #: a tenant's mail without any set is refused
    association_twice_is_error: bool = True  #: AlreadyExistsException, as the model says
    tenant_tag_on_every_event: bool = False  #: ses:tenant-name also beyond bounces and complaints
    default_policy: str = "standard"  #: reputation policy of a new tenant
    merge_template_data: bool = (
        True  #: an entry of bulk mail overrides the default data name by name, not whole
    )
    merge_topic_preferences: bool = True  #: UpdateContact keeps the preferences it does not name
    inline_plain_names: bool = True  #: a template in a call takes names of letters and digits only
    global_list: bool = True  #: addresses that hard bounced for anyone are on the global list for days
    global_list_for_tenants: bool = False  #: it strikes although bounces are held against a tenant's list
    sign_in_queues: bool = False  #: SNS messages in queues are signed too, which is slow
    old_signature_codes: bool = False  #: SES v2 spells refusals of signatures as the Query protocol does
    explain_signatures: bool = False  #: a wrong signature is answered with what should have been signed


class Caller(NamedTuple):
    """Who asks, by the key that signed."""

    access_key: str
    region: str
    source_ip: str
    host: str  #: the Host header, for URLs that lead back here
    user: str  #: name of whom the key belongs to


@dataclass(slots=True)
class StatusRecord:
    status: str  #: ENABLED, DISABLED or REINSTATED
    cause: str | None
    at: float

    def shown(self) -> Params:
        shown: Params = {"Status": self.status, "LastUpdatedTimestamp": self.at}
        if self.cause:
            shown["Cause"] = self.cause
        return shown


@dataclass(slots=True)
class Suppressed:
    address: str  #: as stored; management calls match it exactly
    reason: str  #: BOUNCE or COMPLAINT
    at: float
    message_id: str | None = None  #: the mail that caused it, when SES made the entry
    feedback_id: str | None = None


class SuppressionList:
    """Entries by their exact address, found without regard to case when a mail is sent."""

    def __init__(self) -> None:
        self.entries: dict[str, Suppressed] = {}
        self._folded: dict[str, set[str]] = {}

    def put(self, entry: Suppressed) -> None:
        self.entries[entry.address] = entry
        self._folded.setdefault(entry.address.lower(), set()).add(entry.address)

    def delete(self, address: str) -> bool:
        if self.entries.pop(address, None) is None:
            return False
        same = self._folded[address.lower()]
        same.discard(address)
        if not same:
            del self._folded[address.lower()]
        return True

    def reason_for(self, folded: str, reasons: tuple[str, ...]) -> str | None:
        """The reason among `reasons` for which this address, in lower case, must not be mailed."""
        for address in self._folded.get(folded, ()):
            if (reason := self.entries[address].reason) in reasons:
                return reason
        return None

    def clear(self) -> None:
        self.entries.clear()
        self._folded.clear()

    def forget_complaint(self, folded: str) -> None:
        for address in list(self._folded.get(folded, ())):
            if self.entries[address].reason == "COMPLAINT":
                self.delete(address)


@dataclass(slots=True)
class Tenant:
    name: str
    id: str
    arn: str
    created: float
    tags: dict[str, str]
    scope: str | None  #: TENANT, ACCOUNT or unset; set and unset together with reasons
    reasons: tuple[str, ...] | None
    policy: str  #: ARN
    customer_managed: StatusRecord
    aws_managed: StatusRecord
    suppression: SuppressionList = field(default_factory=SuppressionList)
    associations: dict[str, float] = field(default_factory=dict[str, float])  #: ARN -> when
    impact: str | None = None  #: LOW or HIGH where the admin side says so
    counts: Counts = field(default_factory=Counts)
    findings: dict[str, Finding] = field(default_factory=dict[str, Finding])  #: the latest of each type
    is_watched: bool = False  #: a look at what is open is due

    @property
    def open_findings(self) -> list[Finding]:
        return [finding for finding in self.findings.values() if finding.is_open]

    @property
    def status(self) -> str:
        """The aggregate of both records."""
        both = (self.customer_managed.status, self.aws_managed.status)
        return "DISABLED" if "DISABLED" in both else "REINSTATED" if "REINSTATED" in both else "ENABLED"


@dataclass(slots=True)
class EventDestination:
    name: str
    enabled: bool
    types: frozenset[str]  #: MatchingEventTypes
    definition: Params  #: as given
    topic: str | None  #: ARN of the SNS topic
    bus: bool  #: goes to EventBridge


@dataclass(slots=True)
class ConfigurationSet:
    name: str
    arn: str
    tags: dict[str, str]
    options: dict[str, Params]  #: option group -> its members as given
    destinations: dict[str, EventDestination] = field(default_factory=dict[str, EventDestination])

    @property
    def sending_enabled(self) -> bool:
        return self.options["SendingOptions"].get("SendingEnabled", False)

    @property
    def tracks_engagement(self) -> bool:
        """The set's VDM options switch opens and clicks on, whatever its destinations say."""
        dashboard: Params = self.options.get("VdmOptions", {}).get("DashboardOptions", {})
        return dashboard.get("EngagementMetrics") == "ENABLED"

    @property
    def scope(self) -> str | None:
        return self.options.get("SuppressionOptions", {}).get("SuppressionScope")

    @property
    def reasons(self) -> tuple[str, ...] | None:
        reasons = self.options.get("SuppressionOptions", {}).get("SuppressedReasons")
        return None if reasons is None else tuple(reasons)


@dataclass(slots=True)
class Identity:
    name: str
    arn: str
    created: float
    tags: dict[str, str]
    is_domain: bool
    status: str  #: VerificationStatus
    dkim: Params  #: DkimAttributes, without Status
    signing: bool = True
    feedback: bool = True  #: e-mail feedback forwarding
    configuration_set: str | None = None  #: default set
    mail_from: str | None = None
    mail_from_status: str = "SUCCESS"
    on_mx_failure: str = "USE_DEFAULT_VALUE"
    checked_at: float = 0.0
    verified_at: float | None = None
    error: str | None = None  #: VerificationInfo.ErrorType
    public_key: str | None = None  #: of a key that the customer brought, as p= has it
    rotates: bool = False  #: it has new keys, whose records were not seen yet; the old ones go on signing
    policies: dict[str, str] = field(default_factory=dict[str, str])  #: sending authorization, as given
    token: str | None = None  #: the older API's, of domains
    topics: dict[str, str] = field(
        default_factory=dict[str, str]
    )  #: Bounce, Complaint, Delivery -> topic ARN
    with_headers: frozenset[str] = frozenset()  #: which of these notifications carry the mail's headers

    @property
    def verified(self) -> bool:
        return self.status == "SUCCESS"


@dataclass(slots=True)
class Attributes:
    """What the account says of itself and has switched on, as GetAccount shows it."""

    details: Params | None = None
    vdm: Params = field(default_factory=lambda: {"VdmEnabled": "DISABLED"})
    has_vdm: bool = False  #: somebody switched VDM on or off; before that SES does not show it
    plan: str = "NONE"  #: pricing plan
    cases: int = 0  #: reviews that were asked for

    @property
    def vdm_enabled(self) -> bool:
        return self.vdm["VdmEnabled"] == "ENABLED"

    @property
    def tracks_engagement(self) -> bool:
        return (
            self.vdm_enabled and self.vdm.get("DashboardAttributes", {}).get("EngagementMetrics") == "ENABLED"
        )


class Account:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.region = settings.region
        self.id = settings.account_id
        self.ids = Ids(settings.seed, settings.region)
        self.behaviour = Behaviour()
        self.keys = Keys(settings.keys)
        self.check_signatures = settings.check_signatures
        self.tenants: dict[str, Tenant] = {}
        self.identities: dict[str, Identity] = {}
        self.contact_lists: dict[str, ContactList] = {}
        self.managed: dict[str, Managed] = {}  #: mails that carry a way out of a list, by its token
        self.verification_templates: dict[str, VerificationTemplate] = {}
        self.verifications: dict[
            str, Pending
        ] = {}  #: letters that wait for their reader, by their link's token
        self.dedicated = DedicatedIps()
        self.attributes = Attributes()
        self.templates: dict[str, Stored] = {}  #: e-mail templates, by name
        self.configuration_sets: dict[str, ConfigurationSet] = {}
        self.tenants_of: dict[str, dict[str, float]] = {}  #: resource ARN -> tenant name -> when
        self.suppression = SuppressionList()
        self.global_list = GlobalList()
        self.verdicts: dict[
            str, str
        ] = {}  #: what the admin side says of an address's validity, by it in lower case
        self.finds = True  #: findings arise by themselves
        self.thresholds = Thresholds()
        self.suppressed_reasons: tuple[str, ...] = BOTH_REASONS
        self.validation: Params | None = None  #: ValidationAttributes
        self.sending_enabled = True  #: changed by set_sending
        self._paused_at: float | None = None
        self._is_watched = False  #: a look at how long it is paused is due
        self.production = not settings.sandbox
        self.enforcement = "HEALTHY"
        self.allowance = Allowance(settings.rate, settings.quota)
        self.pace = Pace(settings.management_rate, together=settings.management_together)
        self._limit()
        self.queues = Queues(clock, self.ids, settings.region, settings.account_id, settings.queue_most)
        self.topics: dict[str, Topic] = {}  #: those made through SNS, by name
        self.tracked: dict[str, Tracked] = {}  #: mails whose opens and clicks are told, by MessageId
        self.secret = self.ids.secret()  #: marks the links that only this account makes
        self.outbox = Outbox(clock)
        self.cloudwatch = Metrics()  #: what CloudWatch destinations were told
        self.streams: dict[str, Stream] = {}  #: Firehose streams that have an endpoint, by name
        self.sns_url = settings.sns_url
        self.zone = Zone()
        self.scenario: list[Step] = []  #: the latest that was begun
        self.base = "http://127.0.0.1"  #: URL of the server that this account is on
        self.raw_topics: set[str] = set()  #: names of topics whose queue gets the bare document
        self.bus_queue: str | None = None  #: queue that a rule on the default bus feeds
        self.mailboxes = Mailboxes()
        self.providers: tuple[Provider, ...] = (Simulator(), self.mailboxes)
        self.faults = Faults(self.ids.random)
        self.home = Home(settings.home)
        self.imports = Jobs()
        self.exports = Jobs()
        self.insights = Insights(self)  #: a witness, as soon as there is a server
        self.statistics = Statistics()
        self.notified: set[str] = set()  #: ARNs of identities that have topics of their own
        self.witnesses: tuple[Witness, ...] = ()  #: told of every mail and of what happens to it
        self.held_back: list[Callable[[], None]] = []  #: deliveries that a reordering fault gathers
        self.ledger = Ledger(settings.ledger, settings.ledger_bytes)
        #: told of an identity that was made, or whose keys or MAIL FROM changed
        self.on_identity: Callable[[Identity], None] = lambda identity: None

    def set_sending(self, enabled: bool) -> None:
        """Pauses the account or goes on. The list of one that is paused for long is deleted (ses.md 2.4)."""
        if enabled != self.sending_enabled:
            self.sending_enabled = enabled
            self._paused_at = None if enabled else self.clock.now()
            self._watch_pause()

    def _watch_pause(self) -> None:
        if self._paused_at is None:
            return
        if self.clock.now() >= self._paused_at + ABANDONED:
            self.suppression.clear()
        elif not self._is_watched:  # one look at a time, however often it is paused
            self._is_watched = True
            self.clock.call_at(self._paused_at + ABANDONED, self._look_at_pause)

    def _look_at_pause(self) -> None:
        self._is_watched = False
        self._watch_pause()

    def set_production(self, production: bool) -> None:
        """Into the sandbox, with its small rate and quota, or out of it."""
        if production != self.production:
            self.production = production
            self._limit()

    def _limit(self) -> None:
        most = (float("inf"), float("inf")) if self.production else (SANDBOX_RATE, SANDBOX_QUOTA)
        self.allowance.set_rate(min(self.settings.rate, most[0]))
        quota = self.settings.quota
        self.allowance.quota = min(quota, most[1]) if quota >= 0 or self.production else most[1]

    def arn(self, resource: str) -> str:
        return f"arn:aws:ses:{self.region}:{self.id}:{resource}"


def tags_in(tags: list[dict[str, str]]) -> dict[str, str]:
    """By key, checked. Raises ApiError."""
    return tagging.read(tags)


def tags_out(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
