"""What this plane needs of the world: queues to read, a decoder of their bodies, and a store with short transactions.

The nouns that pass between them are here too. Nothing in this plane knows SQS, JSON or SQL. Those that are made for every
event are not frozen, which would make them three times as dear; still nobody changes one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mailcordon.core.delivery import State
from mailcordon.core.event import Event, Kind
from mailcordon.core.priority import Class

T = TypeVar("T")


# What a queue's message turns out to be ---------------------------------------------------------------------------------


@dataclass(slots=True)
class DecodedEvent:
    """SES tells of one mail."""

    event: Event
    document: str | bytes  #: SES's own JSON, without its envelope


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that speaks of no mail: a topic's test message, a tenant's status on the event bus."""

    what: str  #: a few words, e.g. EventBridge's detail-type
    subject: str | None  #: whom or what it is about, e.g. the tenant's ARN
    keep: bool  #: whether it may matter later; a topic's test message does not
    document: str | bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    why: str
    document: str | bytes


Decoded = DecodedEvent | Notice | Malformed
Decode = Callable[[str | bytes], Decoded]


@dataclass(slots=True)
class Received:
    body: str
    receipt: str  #: what deletes it


class Unreachable(Exception):
    """The queue or the database does not answer. Nothing is lost: try again soon."""


class BadRow(Exception):
    """The database refuses something in this batch for good; trying again cannot help."""


class Queue(Protocol):
    name: str

    async def receive(self, *, wait: bool = True) -> list[Received]:
        """Waits for messages, at most for some seconds, unless told not to. Raises Unreachable."""
        ...

    async def delete(self, receipts: Sequence[str]) -> None:
        """Raises Unreachable; what is not deleted comes again and changes nothing."""
        ...


# What is known -----------------------------------------------------------------------------------------------------------


LaneName = tuple[str, str]  #: tenant key and type


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRef:
    lane: int
    tenant: int
    tenant_key: str
    type: str
    class_: Class


@dataclass(frozen=True, slots=True)
class SetRef:
    """A configuration set of ours and whose mail it may carry."""

    kind: str  #: shared, dedicated or ungoverned
    class_: Class | None
    tenant: int | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The lanes and configuration sets that a batch speaks of, as control has them now. Absent: there is none."""

    now: int  #: milliseconds since 1970, by the database's clock
    lanes: Mapping[LaneName, LaneRef]
    sets: Mapping[str, SetRef]


@dataclass(slots=True, kw_only=True)
class Facts:
    """What our rows know of one delivery."""

    tenant: int | None = None  #: of the message; None: we have no such message
    lane: int | None = None
    recipient: str | None = None
    provider: int | None = None
    newest_attempt: int | None = None  #: the highest that the queue or the ledger knows
    ses_ids: Mapping[int, str] = field(
        default_factory=dict[int, str]
    )  #: by attempt: the ledger's, or an earlier event's


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery found by SES's id, for the old notifications that carry no tags."""

    tenant_key: str
    type: str
    delivery: int
    attempt: int
    called_at: int


# What is written ---------------------------------------------------------------------------------------------------------


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
    """What SES reported of one delivery, all in all."""

    id: int
    tenant: int
    lane: int
    provider: int  #: under which it is counted
    left_at: int  #: milliseconds since 1970: the earliest call that SES spoke of; its minute is where all is counted
    state: State
    at: int
    kinds: int  #: a bit per kind seen
    attempt: int
    ses_id: str
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    tenant: int
    hash: bytes
    scope: int  #: 0 tenant, 1 class, 2 lane
    target: int
    address: str
    cause: str
    evidence: Mapping[str, str]
    since: int
    until: int | None
    by: str = "ses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    why: str
    detail: str
    document: str
    digest: bytes
    source: str
    tenant: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    what: str
    subject: str | None
    document: str
    digest: bytes


@dataclass(slots=True)
class Send:
    """SES has this attempt: it settles "outcome unknown"."""

    delivery: int
    attempt: int
    ses_id: str
    at: int


#: (lane, provider, minute, tenant) -> counts in the order of metrics.COLUMNS
Counts = Mapping[tuple[int, int, int, int], Sequence[int]]


class Transaction(Protocol):
    """The statements of one transaction. Each takes a whole batch, and locks rows in the order of their keys."""

    async def known(
        self, deliveries: Mapping[int, LaneName], lanes: Set[LaneName], sets: Set[str]
    ) -> tuple[Directory, Mapping[int, Facts]]:
        """Lanes and sets, remembered between batches and forgotten when control changes something; and what is known of each
        delivery whose lane there is."""
        ...

    async def by_ses_id(self, ses_id: str, from_domain: str, address_hash: bytes) -> Candidate | None:
        """Looks only at the newest deliveries to that address by the tenant whose domain it is."""
        ...

    async def record(
        self, events: Sequence[EventRow], outcomes: Sequence[Outcome]
    ) -> tuple[Set[tuple[int, bytes]], Set[int]]:
        """Adds those that are not there yet, and answers which these are; what is there stays as it is."""
        ...

    async def lock_outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]: ...

    async def update_outcomes(self, rows: Sequence[Outcome]) -> None: ...

    async def record_sends(self, rows: Sequence[Send]) -> None: ...

    async def suppress(self, rows: Sequence[Suppression]) -> None: ...

    async def quarantine(self, rows: Sequence[Quarantined]) -> None: ...

    async def count(self, counts: Counts, seen: Mapping[str, int]) -> None:
        """`seen`: configuration set -> the latest call whose Send event came."""
        ...

    async def count_elsewhere(self, counts: Mapping[tuple[str, Kind], int]) -> None: ...

    async def keep_notices(self, notices: Sequence[NoticeRow]) -> None: ...

    async def quarantined(self, id: int) -> str | None:
        """The document, its row locked."""
        ...

    async def resolve(self, id: int, resolution: str, actor: str) -> None:
        """What a replay came to, with its line in the audit trail."""
        ...


class Store(Protocol):
    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """One transaction, tried again when it met another one's locks. Raises Unreachable, or BadRow."""
        ...
