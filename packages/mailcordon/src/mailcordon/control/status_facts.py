"""The facts from which it is judged whether the service is well (control/status.py)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailcordon.control.problem import Check
from mailcordon.control.retention import Storage
from mailcordon.control.suppression_split.standing import Moved, Refilled
from mailcordon.core import health
from mailcordon.core.health import Role
from mailcordon.core.incident import Severity
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.guard.policy.forecast import Forecast

MINUTE = 60_000  #: milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The report of one process."""

    role: Role
    instance: str
    host: str
    pid: int
    started: int
    beat: int
    facts: Mapping[str, Any]

    def is_silent(self, now: int) -> bool:
        return health.silent(self.beat, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The mail of a class that has waited longest for its turn, apart from mail that a hold keeps."""

    class_: Class
    tenant: str
    type: str
    since: int  #: its acceptance, or the release of its lane if that was later
    lane: int | None = None
    domain: str | None = None
    configuration_set: str | None = None
    ses_tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStop:
    id: int
    scope: str
    name: str
    tenant: str | None  #: slug; None: everybody
    type: str | None
    cause: Reason
    because: str
    sentence: str  #: the one that every surface shows
    since: int
    probe_at: int | None
    last_probe: str | None
    record: str = ""  #: the sentence without when it is tested next


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """A hold of a tenant, as the timeline of an incident tells it."""

    id: int
    tenant: str  #: slug
    by: str
    sentence: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMail:
    """An open hold."""

    tenant: str  #: slug
    mail: str  #: what it covers, in words
    sentence: str
    since: int
    stops: bool = True  #: False: it slows this mail
    ends: str = "when it is lifted"  #: in words
    type: str | None = None  #: None: not of one lane only
    part: str | None = None  #: the campaign, list or mailbox provider that it covers; None: all of that mail


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRetirement:
    """A lane that is being retired and does not end, since a hold keeps its mail."""

    tenant: str  #: slug
    type: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingResource:
    kind: str
    name: str
    tenant: str | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """Changed settings that would rewire too much to be applied by themselves."""

    id: int
    calls: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What GetAccount said last."""

    cell: str
    polled_at: int
    max_24h: float  #: negative: unlimited
    sent_24h: float  #: and what dispatchers took since
    enabled: bool
    forecast: Forecast | None = None  #: of the quota; None: nothing leaves, or there are several accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineKind:
    """What a kind of quarantine takes, and what it may take."""

    why: str
    entries: int
    most_entries: int
    bytes: int
    most_bytes: int
    not_kept: int  #: documents that were counted and not kept, since it had no room
    not_kept_at: int | None  #: the last of them


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """A difference at SES that is high or critical."""

    id: int
    tenant: str | None
    sentence: str
    plan: int | None  #: that repairs it and waits for a person
    since: int
    severity: Severity = "high"
    resource_kind: str = ""
    resource: str = ""
    by: str | None = None  #: who made it, in words
    held: bool = False  #: whether a hold of the drift policy stops the tenant's mail meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class SesFinding:
    """What SES itself finds wrong with a tenant, an identity or the account, as ListRecommendations shows it (ses.md 1.7)."""

    id: int
    tenant: str | None  #: slug; None: not a tenant of ours
    name: str  #: of SES's resource, e.g. the SES tenant
    type: str  #: BOUNCE, COMPLAINT, FEEDBACK_3P or IP_LISTING
    impact: str  #: LOW or HIGH; others may come
    description: str  #: SES's words
    since: int
    quiet: bool = False  #: whether every lane of the tenant is held, stopped or retired


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """Events of one kind, from one sender, that lately went to quarantine because they contradict our records."""

    why: str  #: as in quarantine
    tenant: str | None  #: slug, if that is certain
    source: str  #: where the events came from: a queue or another door
    documents: int  #: copies included
    detail: str  #: of the newest
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLane:
    """A lane that lately refused mail, since its backlog is full."""

    lane: int
    tenant: str
    type: str
    sentence: str  #: that callers were answered with
    refused: int  #: messages, by all API processes
    since: int
    held: bool = False
    domain: str | None = None
    configuration_set: str | None = None
    ses_tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LapsedDomain:
    domain: str
    tenant: str  #: slug
    sentence: str  #: what is missing
    since: int
    held: bool = False  #: whether every lane that sends from it is held or retired


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientDomains:
    """Look-ups of the domains that mail goes to."""

    waiting: int
    waiting_since: int | None  #: milliseconds since 1970, of the one that waits longest
    failed: int  #: of those that were looked up a short while ago
    answered: int
    detail: str | None  #: how one failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """Domains whose DNS records were not read for days."""

    count: int
    domain: str  #: one of them


@dataclass(frozen=True, slots=True)
class Overdue:
    """Unknown outcomes past their grace."""

    count: int
    oldest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovedLanes:
    """Lanes that were to be proved, and whose attribution does not count as proved (docs/proofs.md)."""

    failed: int
    changed: int  #: their route is another one since
    tenant: str  #: the slug of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped:
    """Mail that did not pass through us and whose tenant is not known."""

    events: int
    origins: int
    identity: str  #: of the origin with the most


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedRelease:
    """A batch whose mail waits until its feedback is good, or comes at all."""

    id: int
    tenant: str
    type: str
    lane: int
    kind: str  #: campaign, list or lane
    name: str
    closed: bool  #: its feedback is bad; else it does not come
    because: str  #: why its mail waits
    sent: int
    heard: int  #: of these, with an outcome
    expiry_ms: int  #: after which its mail has expired
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOverLimit:
    """Urgent mail that waits for a limit of its lane or class."""

    limit: int
    tenant: str
    type: str
    lane: int
    because: str  #: where the limit comes from
    expiry_ms: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTrouble:
    """What is wrong with an IP pool (control/pool_health.py)."""

    pool: str
    code: str
    provider: str | None  #: None: the whole pool
    sentence: str
    next: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackRollout:
    """A rollout that went back by itself, and that nobody has begun again or given up since."""

    id: int
    tenant: str
    types: Sequence[str]
    lanes: Sequence[int]  #: of the types, in the same order
    at_fault: int | None  #: the lane whose mail the evidence is of; None: all of them
    provider: str | None  #: whose mail it is; None: all of it
    domains: Sequence[str]  #: of the new path
    configuration_sets: Sequence[str]
    sentence: str  #: why it went back
    moving: bool  #: mail that waits is still being moved back
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoss:
    """Feedback that is lost or late."""

    signal: str
    sentence: str
    cause: str
    late: bool
    since: int
    id: int = 0
    because: str = ""  #: the cause as a sentence
    configuration_set: str | None = None  #: None: every set
    provider: str | None = None  #: None: every provider
    tenant: str | None = None  #: whose set it is; None: all tenants'


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    id: int
    kind: str
    severity: Severity
    tenant: str | None  #: slug; None: the platform's
    sentence: str
    next: str
    since: int
    mitigated: bool  #: it does no more harm
    others: bool  #: it has an alarm that is no problem of the status
    cause: str = ""  #: as of its alarms
    scope: str = "cell"  #: core.incident.ScopeKind
    name: str = ""  #: of what it is about
    type: str | None = None  #: of the lane
    culprit: str | None = None  #: None: not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int  #: the database's clock, milliseconds since 1970
    beats: Sequence[Beat] = ()
    waiting: Sequence[Waiting] = ()  #: the longest wait of each class
    late: Sequence[Waiting] = ()  #: every lane whose mail waits longer than its class may, the oldest 200
    stopped_releases: Sequence[StoppedRelease] = ()
    over_limits: Sequence[LateOverLimit] = ()
    stops: Sequence[OpenStop] = ()
    past_stops: Sequence[OpenStop] = ()  #: those that ended lately: mail may still wait because of them
    was_silent: bool = False  #: whether no dispatcher has reported for a while lately
    holds: Sequence[HeldMail] = ()
    retirements: Sequence[HeldRetirement] = ()
    accounts: Sequence[Account] = ()
    seen_call: int | None = None  #: the latest call whose Send event arrived
    folded_at: int | None = None  #: changes of counts that were committed before are folded; 0: none
    losses: Sequence[OpenLoss] = ()
    overdue: Overdue | None = None
    set_aside: int = 0  #: mails that SES refused with an error that we do not know
    failing: Sequence[FailingResource] = ()
    plans: Sequence[WaitingPlan] = ()
    findings: Sequence[OpenFinding] = ()
    ses_findings: Sequence[SesFinding] = ()
    half_moved: Sequence[Moved] = ()  #: tenants that came from a shared account
    refilled: Refilled | None = None  #: the account's suppression list, since it was taken apart
    full: Sequence[FullLane] = ()
    doubtful: Sequence[Doubtful] = ()
    lapsed: Sequence[LapsedDomain] = ()
    pool_troubles: Sequence[PoolTrouble] = ()
    back_rollouts: Sequence[BackRollout] = ()
    unchecked: Unchecked | None = None
    recipients: RecipientDomains | None = None
    storage: Storage | None = None  #: None: it was not read
    quarantine: Sequence[QuarantineKind] = ()
    incidents: Sequence[OpenIncident] = ()  #: the worst
    unproved: UnprovedLanes | None = None  #: None: there are none
    observe_only: bool = False  #: it sends nothing
    unmapped: Unmapped | None = None  #: observed mail of today and yesterday that no rule names
    alert_channels: int | None = None  #: None: not read
    snapshot_seconds: float | None = None
    unread: Mapping[Check, str] = field(
        default_factory=dict[Check, str]
    )  #: why the facts of a check are missing

    def of(self, role: Role) -> list[Beat]:
        """The reports of a role's processes, those that have fallen silent too."""
        return [beat for beat in self.beats if beat.role == role]


class Reader(Protocol):
    async def facts(self) -> Facts:
        """Raises Unavailable while the database cannot be reached."""
        ...


def alive(facts: Facts, role: Role) -> list[Beat]:
    return [beat for beat in facts.of(role) if not beat.is_silent(facts.now)]


def doors(facts: Facts) -> list[Beat]:
    """The running processes that take mail."""
    return [*alive(facts, "api"), *alive(facts, "smtp")]


def by_queue(observers: Sequence[Beat]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for beat in observers:
        for queue in beat.facts.get("queues", ()):
            found.setdefault(str(queue["name"]), []).append(queue)
    return found


def refusals(beats: Iterable[Beat]) -> dict[str, int]:
    """The most frequent limit first."""
    total: Counter[str] = Counter()
    for beat in beats:
        total.update(beat.facts.get("door", {}).get("refused", {}))
    return dict(total.most_common())
