"""An SES account as it was read: nouns only, with SES's own words for states. What could not be read is `None` or in `missing`,
never a default that looks like an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

FEEDBACK = frozenset({"BOUNCE", "COMPLAINT"})  #: what a set must report, or nobody learns of it
#: Destinations that say which address bounced. CloudWatch's counts have no addresses.
NAMING = frozenset({"SNS", "EventBridge", "Firehose"})


class Why(StrEnum):
    """Why something is not known."""

    DENIED = "denied"  #: the role lacks the right
    OFF = "off"  #: the account has it switched off
    FAILED = "failed"  #: SES did not answer
    NOT_RECORDED = "not-recorded"  #: the recording has no answer to this call


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    operation: str  #: API name, such as ListTenants
    why: Why
    said: str = ""  #: SES's own words
    calls: int = 1  #: that were not answered


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """GetAccount (ses.md 3.5)."""

    enforcement: str = "HEALTHY"  #: HEALTHY, PROBATION or SHUTDOWN
    sending: bool = True
    production: bool = True
    max_24h: float = 0.0  #: recipients; below 0: no limit
    max_rate: float = 0.0  #: recipients a second
    sent_24h: float = 0.0
    reasons: frozenset[str] = FEEDBACK  #: SuppressedReasons
    vdm: bool = False
    auto_warm_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    name: str
    verified: bool = True
    configuration_set: str | None = None  #: its default one
    signing: bool = True
    dkim: str = "SUCCESS"  #: status
    mail_from: str | None = None
    mail_from_status: str | None = None
    forwarding: bool = True  #: bounces by mail to the sender
    policies: tuple[str, ...] = ()  #: names of policies by which others may send
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def domain(self) -> str:
        return self.name.rpartition("@")[2]

    @property
    def is_address(self) -> bool:
        return "@" in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    name: str
    enabled: bool
    events: frozenset[str]
    kind: str  #: SNS, EventBridge, Firehose, CloudWatch or Pinpoint
    target: str = ""  #: ARN
    #: Of CloudWatch: what mail without a tag is counted as, by the tag's name.
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def brings_feedback(self) -> bool:
        return self.enabled and self.kind in NAMING


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationSet:
    name: str
    sending: bool = True
    pool: str | None = None
    scope: str | None = None  #: SuppressionScope that overrides the tenant's
    reasons: frozenset[str] | None = None  #: None: not overridden
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    destinations: tuple[Destination, ...] | None = None  #: None: not read

    @property
    def unreported(self) -> frozenset[str]:
        """Of BOUNCE and COMPLAINT, what no destination with addresses gets. Empty if the destinations were not read."""
        if self.destinations is None:
            return frozenset()
        told = [each.events for each in self.destinations if each.brings_feedback]
        return FEEDBACK - frozenset().union(*told)


@dataclass(frozen=True, slots=True, kw_only=True)
class SesTenant:
    name: str
    status: str = "ENABLED"
    scope: str | None = None  #: None: ACCOUNT, which is the default (ses.md 2.2)
    scope_known: bool = True
    policy: str | None = None  #: standard, strict or none; None: not read
    impact: str | None = None  #: LOW or HIGH, of open findings
    identities: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    resources_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DedicatedIp:
    ip: str
    pool: str
    status: str  #: IN_PROGRESS, DONE or NOT_APPLICABLE
    percentage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    name: str
    mode: str  #: STANDARD or MANAGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """An open finding of SES's advisor (ses.md 1.7)."""

    about: str  #: the resource's ARN
    type: str
    impact: str
    says: str


@dataclass(frozen=True, slots=True)
class Count:
    """Recipients of one day, and what came back."""

    sent: int = 0
    bounced: int = 0  #: permanently
    complained: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.sent + other.sent, self.bounced + other.bounced, self.complained + other.complained)


Days = Mapping[date, Count]
#: Dimensions of VDM's counts (ses.md 8.3).
TENANT_NAME, EMAIL_IDENTITY, CONFIGURATION_SET, ISP = (
    "TENANT_NAME",
    "EMAIL_IDENTITY",
    "CONFIGURATION_SET",
    "ISP",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """SES's own rates, from 0 to 1. None: not published."""

    bounces: float | None = None
    complaints: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What CloudWatch says (control/assess/cloudwatch.py). Days are those on which something was counted."""

    days: Days = field(default_factory=dict[date, Count])  #: of the account
    of_tenant: Mapping[str, Days] = field(default_factory=dict[str, Days])  #: by SES tenant
    of_set: Mapping[str, Days] = field(default_factory=dict[str, Days])
    of_domain: Mapping[str, Days] = field(default_factory=dict[str, Days])  #: by From domain
    #: By name and value of a tag that names a tenant, of those sets that count by it.
    of_tag: Mapping[tuple[str, str], Days] = field(default_factory=dict[tuple[str, str], Days])
    rates: Mapping[str, Reputation] = field(
        default_factory=dict[str, Reputation]
    )  #: by set; empty: the account

    @property
    def rate(self) -> Reputation:
        """The account's."""
        return self.rates.get("", Reputation())


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    region: str
    on: date  #: the day of the reading
    state: State | None = None
    identities: Sequence[Identity] = ()
    sets: Sequence[ConfigurationSet] = ()
    tenants: Sequence[SesTenant] = ()
    pools: Sequence[Pool] = ()
    ips: Sequence[DedicatedIp] = ()
    suppressed: Mapping[str, int] | None = None  #: entries of the account's list by reason; None: not read
    recommendations: Sequence[Recommendation] = ()
    #: What was sent, by day: of the account, and of each tenant, identity and set, as SES counts it.
    days: Days = field(default_factory=dict[date, Count])
    lately: Days = field(
        default_factory=dict[date, Count]
    )  #: of the account, of two weeks, where VDM counts nothing
    of_tenant: Mapping[str, Days] = field(default_factory=dict[str, Days])
    of_identity: Mapping[str, Days] = field(default_factory=dict[str, Days])
    of_set: Mapping[str, Days] = field(default_factory=dict[str, Days])
    by_provider: Mapping[str, Count] = field(default_factory=dict[str, Count])
    #: By one of the dimensions above and its value, and then by mailbox provider.
    of_provider: Mapping[tuple[str, str], Mapping[str, Count]] = field(
        default_factory=dict[tuple[str, str], Mapping[str, Count]]
    )
    watched: Watched = field(default_factory=Watched)
    missing: Sequence[Missing] = ()

    def knows(self, *operations: str) -> bool:
        """Whether every call of these was answered."""
        return not any(each.operation in operations for each in self.missing)
