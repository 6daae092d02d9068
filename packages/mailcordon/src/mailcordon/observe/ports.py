"""What this plane needs from outside: a decoder of the queues' messages, and a store with short transactions.

The values that pass between them are here too. This plane does not depend on SQS, JSON or SQL. Values made once per event are
not frozen, because a frozen dataclass takes three times as long to make; they are never changed all the same.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from mailcordon.core.delivery import State
from mailcordon.core.event import Event, Kind
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.queue import Unreachable
from mailcordon.core.suppression import Suppression
from mailcordon.core.ungoverned import Sighting
from mailcordon.observe.observing import ObservedMail, Origin, Placed, Rules, Unmapped
from mailcordon.observe.reports import ListHit, Remembered, Report, TakenBack, Unlist
from mailcordon.observe.webhooks.nouns import DocumentRow, OutboxRow, Subscription, Subscriptions

T = TypeVar("T")


# A decoded queue message -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DecodedEvent:
    """An event about one mail."""

    event: Event
    document: str | bytes  #: SES's JSON, without its envelope
    topic: str | None = None  #: the SNS topic that it came through; None without SNS's envelope
    body: str | bytes | None = None  #: with its envelope; None: the same as `document`


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about no mail: a topic's test message, a tenant's status from EventBridge."""

    what: str  #: a few words, e.g. EventBridge's detail-type
    subject: str | None  #: what it is about, e.g. the tenant's ARN
    keep: bool  #: whether to store it; a topic's test message is not stored
    document: str | bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    why: str
    document: str | bytes


@dataclass(frozen=True, slots=True)
class Unverified:
    """A message that nothing proves to come from SES: no signature, a wrong one, or another's topic."""

    why: str
    document: str | bytes  #: the message as it came, so that a replay can prove it


@dataclass(frozen=True, slots=True)
class Undecided:
    """A message signed with a certificate that `EventReader.fetch` must get first."""

    certificate: str  #: URL
    why: str | None = None  #: why it is not here although it was asked for


Decoded = DecodedEvent | Notice | Malformed | Unverified


class EventReader(Protocol):
    """Decodes messages and decides whether they come from SES."""

    def decode(self, body: str | bytes, *, proved: bool = False) -> Decoded | Undecided:
        """Never raises. `proved`: it was proved before, such as a document of the quarantine."""
        ...

    async def fetch(self, certificates: Set[str]) -> None:
        """Gets certificates that `decode` asked for. Raises NoCertificate if SNS cannot be reached at present.

        A certificate of which it is not certain whether it exists is not here afterwards: its messages wait in the queue."""
        ...


class NoCertificate(Unreachable):
    """A certificate cannot be fetched at present, so it is not known whether events signed with it are SES's."""


class BadRow(Exception):
    """The database rejects a value in this batch. A retry cannot help."""


# What the database has -------------------------------------------------------------------------------------------------


LaneName = tuple[str, str]  #: tenant key and type


@dataclass(frozen=True, slots=True)
class SetRef:
    """A configuration set of ours, and the mail that it may carry."""

    kind: str  #: shared, dedicated or ungoverned
    class_: Class | None
    tenant: int | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The lanes and configuration sets that a batch names, as they are now. Those that do not exist are absent."""

    now: int  #: milliseconds since 1970, by the database's clock
    lanes: Mapping[LaneName, Lane]
    sets: Mapping[str, SetRef]
    webhooks: Subscriptions = field(default_factory=dict[int | None, Sequence[Subscription]])


@dataclass(slots=True, kw_only=True)
class Facts:
    """What our rows have about one delivery."""

    tenant: int | None = None  #: of the message; None: there is no such message
    lane: int | None = None
    recipient: str | None = None
    provider: int | None = None
    newest_attempt: int | None = None  #: the highest in the queue or the ledger
    ses_ids: Mapping[int, str] = field(
        default_factory=dict[int, str]
    )  #: by attempt, from the ledger or an earlier event
    #: Of the message: what its counts are kept under.
    path: str = ""
    campaign: str | None = None
    list: str | None = None
    ledger_state: int | None = None  #: how it left the queue; None: it has not
    called_at: int | None = None  #: of the ledger: its call of SES
    is_answered: bool = (
        False  #: the ledger says that SES took the first attempt, with its id: there is no other attempt
    )
    before: "Outcome | None" = None  #: what SES has reported
    version: str | None = None  #: of that row


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery found by SES's id, for older notifications without tags."""

    tenant_key: str
    type: str
    delivery: int
    attempt: int
    called_at: int


# What is written -------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class EventRow:
    delivery: int
    key: bytes
    tenant: int
    lane: int
    kind: Kind
    attempt: int
    at: int
    ses_id: str
    detail: Mapping[str, object]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Everything SES reported about one delivery."""

    id: int
    tenant: int
    lane: int
    provider: int  #: the mailbox provider that it is counted under
    left_at: int  #: milliseconds since 1970: the earliest call that SES reported; the delivery counts in its minute
    state: State
    at: int
    kinds: int  #: a bit for each kind seen
    reasons: int = 0  #: a bit for each reason of its bounces (core.bounce_reason.BounceReason)
    attempt: int
    ses_id: str
    reason: str | None
    detail: str | None
    send_at: int | None = None  #: time of the Send event, if it has no row of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    why: str
    detail: str
    document: str
    digest: bytes
    source: str
    tenant: int | None
    #: Identity and caller of mail that did not pass through us: all that they sent in a day is one entry.
    sender: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    what: str
    subject: str | None
    document: str
    digest: bytes


@dataclass(slots=True)
class Send:
    """Proof that SES has this attempt. Settles "outcome unknown"."""

    delivery: int
    attempt: int
    ses_id: str
    at: int


@dataclass(slots=True, kw_only=True)
class ProofEventRow:
    """An event of a mail of a proof (docs/proofs.md): evidence that nothing is counted from."""

    mail: int
    key: bytes
    kind: Kind
    at: int
    ses_id: str
    queue: str
    topic: str | None
    configuration_set: str | None
    ses_tenant: str | None
    lane: int | None  #: that its tags name; None: there is none
    problem: str | None  #: how it contradicts our rows


class Cell(NamedTuple):
    """What a change is about: a cohort, before its slice and provider are looked up."""

    tenant: int
    lane: int
    minute: int  #: since 1970
    path: str
    campaign: str | None
    list: str | None
    provider: int
    #: The recipient's, of mail to an unknown provider, and of hard bounces outside the named ones.
    domain: str | None


#: The change of each, in the order of core.cohort.COLUMNS.
Counts = Mapping[Cell, Sequence[int]]


class TimeCell(NamedTuple):
    """What times of delivery are counted under."""

    tenant: int
    lane: int
    minute: int  #: since 1970, of the delivery: the beginning of ten minutes
    provider: int
    path: str  #: that the delivery took


#: New deliveries of each, by class of time (guard/objectives.py).
Times = Mapping[TimeCell, Sequence[int]]


@dataclass(slots=True, kw_only=True)
class AtOnce:
    """All that is written of a batch, computed from what was read of its deliveries (`Facts`)."""

    events: Sequence[EventRow]
    new: Sequence[Outcome]  #: of deliveries that had none
    changed: Sequence[tuple[str, Outcome]]  #: with the version of the row that was read
    #: Deliveries that had no ledger row, with the minute in which they count as sent.
    queued: Sequence[tuple[int, int]]
    sends: Sequence[Send]
    counts: Counts
    seen: Mapping[str, int]
    times: Times


class Transaction(Protocol):
    """The statements of one transaction. Each takes a whole batch and locks rows in key order."""

    async def known(
        self, deliveries: Mapping[int, LaneName], lanes: Set[LaneName], sets: Set[str]
    ) -> tuple[Directory, Mapping[int, Facts]]:
        """Returns the lanes and sets (cached until control changes something), and the facts about each delivery whose lane
        exists."""
        ...

    async def by_ses_id(self, ses_id: str, from_domain: str, address_hash: bytes) -> Candidate | None:
        """Searches only the newest deliveries to that address by the tenant that owns the domain."""
        ...

    async def store_at_once(self, batch: AtOnce, *, alone: bool) -> bool:
        """Stores all of it in one statement. False: something else than what was read is there, and nothing is stored.

        `alone`: the statement is the whole transaction."""
        ...

    async def record(
        self, events: Sequence[EventRow], outcomes: Sequence[Outcome]
    ) -> tuple[Set[tuple[int, bytes]], Set[int]]:
        """Inserts new rows, and returns the keys of those. Existing rows stay as they are."""
        ...

    async def lock_deliveries(self, ids: Sequence[int]) -> Mapping[int, tuple[int, int | None]]:
        """Returns state and call of those that have a ledger row. The others get none before the end of this transaction, unless
        it says that SES took their first attempt."""
        ...

    async def lock_outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]: ...

    async def update_outcomes(self, rows: Sequence[Outcome]) -> None: ...

    async def record_sends(self, rows: Sequence[Send]) -> None: ...

    async def record_proof_events(self, rows: Sequence[ProofEventRow]) -> None:
        """Those of mails that still have rows. Existing rows stay as they are."""
        ...

    async def suppress(self, rows: Sequence[Suppression]) -> None:
        """Writes each row that is stronger than what stands, and newer than a removal by a person."""
        ...

    async def remember(self, reports: Sequence[Report]) -> Sequence[Remembered]:
        """Adds what is not known yet, and returns all that is known of each address. No other observer changes it until the
        transaction ends."""
        ...

    async def lift(self, taken_back: Sequence[TakenBack]) -> None:
        """Deletes the suppressions of the class up to that time that not-spam feedback takes back."""
        ...

    async def want_entries(self, hits: Sequence[ListHit]) -> None:
        """Asks control to read SES's entries, each once a day at most."""
        ...

    async def deleted_entries(
        self, addresses: Iterable[tuple[int, bytes]]
    ) -> Mapping[tuple[int, bytes], int]:
        """By tenant and hash, when control deleted the entries that `unlist` names, in milliseconds since 1970."""
        ...

    async def unlist(self, rows: Sequence[Unlist]) -> None:
        """Asks control to take addresses off SES's lists. Of several bounces of an address the newest counts."""
        ...

    async def tell_webhooks(self, rows: Sequence[OutboxRow], documents: Sequence[DocumentRow]) -> None:
        """Writes new events to the outbox of endpoints."""
        ...

    async def quarantine(self, rows: Sequence[Quarantined]) -> Mapping[str, int]:
        """Returns how many documents of each kind were counted and not kept, since their kind has no room (quarantine.py)."""
        ...

    async def record_ungoverned(self, sightings: Sequence[Sighting]) -> None:
        """Mail that did not pass through us, by identity and caller. Each mail counts once, however many of its events come."""
        ...

    async def count(self, counts: Counts, seen: Mapping[str, int], times: Times) -> None:
        """`seen`: configuration set -> time of the latest call whose Send event arrived."""
        ...

    async def count_elsewhere(self, counts: Mapping[tuple[str, Kind], int]) -> None: ...

    async def observed_rules(self) -> tuple[int, Rules]:
        """Returns the database's time in milliseconds since 1970, and the rules for mail that did not pass through us. They are
        cached until control changes something."""
        ...

    async def place_observed(self, mails: Sequence[ObservedMail]) -> Mapping[int, Placed]:
        """Returns the delivery of each by its place in `mails`, made if it was not there. Absent: those that were only looked for
        and are not there."""
        ...

    async def observed_lanes(self, of: Set[tuple[int, int]]) -> Mapping[tuple[int, int], Lane]:
        """Returns the lanes by tenant and type, made if they were not there. Absent: those that no rule names."""
        ...

    async def count_unmapped(self, counts: Mapping[Origin, Unmapped]) -> None: ...

    async def keep_notices(self, notices: Sequence[NoticeRow]) -> int:
        """Returns how many there was no room for (quarantine.py)."""
        ...

    async def unproved(self) -> Mapping[str, int]:
        """Returns the configuration sets whose Send events could prove an absence, with the latest call that they have shown."""
        ...

    async def prove(self, called: Mapping[str, int]) -> None:
        """Records that everything is stored that was in the queue when the Send events of these calls were stored."""
        ...

    async def report_observer(
        self, queue: str, observer: str, live: float, stored: float, *, ended: bool
    ) -> Sequence[tuple[float, float, float, bool]]:
        """Records since how many seconds the observer is live, and before how many all it received is stored.

        Returns the same of the other observers of the queue of the last day: age of the report, `live`, `stored`, `ended`.
        """
        ...

    async def quarantined(self, id: int) -> tuple[str, str] | None:
        """Returns why it is there and the document, and locks its row. None if there is no such entry."""
        ...

    async def resolve(
        self, id: int, resolution: str, actor: str, *, settled: bool, because: str | None
    ) -> None:
        """Records the result of a replay, with its audit row. `settled`: it need not stay in quarantine."""
        ...

    async def audit_replay(self, file: str, actor: str, counts: Mapping[str, int]) -> None:
        """Writes that somebody handed in events from a file."""
        ...


class Store(Protocol):
    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs one transaction, and retries it after a deadlock. Raises Unreachable or BadRow."""
        ...
