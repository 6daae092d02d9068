"""The facts from which it is judged whether the service is well (control/status.py)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailcordon.control.problem import Check
from mailcordon.control.retention import Storage
from mailcordon.core import health
from mailcordon.core.health import Role
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason

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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMail:
    """An open hold that stops mail."""

    tenant: str  #: slug
    mail: str  #: what it covers, in words
    sentence: str
    since: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LapsedDomain:
    domain: str
    tenant: str  #: slug
    sentence: str  #: what is missing
    since: int


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
class OpenLoss:
    """Feedback that is lost or late."""

    signal: str
    sentence: str
    cause: str
    late: bool
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int  #: the database's clock, milliseconds since 1970
    beats: Sequence[Beat] = ()
    waiting: Sequence[Waiting] = ()
    stops: Sequence[OpenStop] = ()
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
    lapsed: Sequence[LapsedDomain] = ()
    unchecked: Unchecked | None = None
    recipients: RecipientDomains | None = None
    storage: Storage | None = None  #: None: it was not read
    quarantine: Sequence[QuarantineKind] = ()
    unproved: UnprovedLanes | None = None  #: None: there are none
    snapshot_seconds: float | None = None
    unread: Mapping[Check, str] = field(
        default_factory=dict[Check, str]
    )  #: why the facts of a check are missing


class Reader(Protocol):
    async def facts(self) -> Facts:
        """Raises Unavailable while the database cannot be reached."""
        ...


def alive(facts: Facts, role: Role) -> list[Beat]:
    return [beat for beat in facts.beats if beat.role == role and not beat.is_silent(facts.now)]


def by_queue(observers: Sequence[Beat]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for beat in observers:
        for queue in beat.facts.get("queues", ()):
            found.setdefault(str(queue["name"]), []).append(queue)
    return found


def refusals(apis: Iterable[Beat]) -> dict[str, int]:
    """The most frequent limit first."""
    total: Counter[str] = Counter()
    for beat in apis:
        total.update(beat.facts.get("door", {}).get("refused", {}))
    return dict(total.most_common())
