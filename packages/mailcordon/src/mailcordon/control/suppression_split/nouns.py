"""What a split of the account's suppression list consists of: the run, its entries and their states. Times are milliseconds since
1970. The values of the enums are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

ACCOUNT = ""  #: the name of the account's list


class Phase(StrEnum):
    LISTING = "listing"  #: the account's list is read for the first time, 1,000 entries a call
    READING = "reading"  #: entries are read one by one, and given to their tenants
    COMPARING = "comparing"  #: the account's list and the tenants' lists are listed again, and compared with what we have
    WATCHING = "watching"  #: all agrees; what SES adds meanwhile is taken apart as it comes


class State(StrEnum):
    LISTED = "listed"
    OWNED = "owned"
    FREEING = "freeing"
    ASSIGNED = "assigned"
    KEPT = "kept"
    UNOWNED = "unowned"
    PLATFORM = "platform"
    FREED = "freed"
    GONE = "gone"
    ODD = "odd"


#: What calls to SES remain for.
OPEN = (State.LISTED, State.OWNED, State.FREEING)
#: What a person may decide.
UNDECIDED = (State.UNOWNED, State.PLATFORM, State.ODD)


class By(StrEnum):
    """What says whose an entry is, the strongest first."""

    MESSAGE = "message"  #: we sent the mail that SES entered it for
    ARCHIVE = "archive"  #: an imported event names that mail, or mail of that time
    HISTORY = "history"  #: a bounce or complaint of ours
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    id: int
    now: int  #: of the database, when it was read
    started_at: int
    started_by: str
    because: str
    owner: str  #: who decides on entries that are nobody's
    releases: bool  #: whether an entry leaves the account's list once it is assigned
    phase: Phase
    round: int
    list: str
    token: str | None
    listed_since: int | None
    next_at: int | None
    problem: str | None
    calls: int
    pace: float | None  #: calls a second
    compared_at: int | None
    ended_at: int | None
    ended_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry as a page of a list shows it."""

    spelling: str
    hash: bytes | None
    reason: str
    listed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitEntry:
    """An entry whose turn it is."""

    spelling: str
    hash: bytes | None
    reason: str
    listed_at: int
    message_id: str | None
    feedback_id: str | None
    state: State
    must_read: bool
    tenant: int | None
    lists: Sequence[str]  #: the tenant's lists at SES that do not have it yet
    past_us: bool  #: the tenant has mail that does not pass through us, or nothing at SES
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tenant that something of our history names for an address."""

    tenant: int
    slug: str
    class_: int  #: of the lane whose mail it is about
    at: int
    complaint: bool
    ses_id: str | None
    archive: bool  #: from an event of mail that did not pass through us


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    tenant: int
    by: By
    class_: int  #: that a complaint covers
    others: Sequence[str] = ()  #: slugs of other tenants that have evidence of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Entries by state, and what assigned them."""

    states: Mapping[State, int] = field(default_factory=dict[State, int])
    by: Mapping[By, int] = field(default_factory=dict[By, int])
    problems: int = 0

    @property
    def open(self) -> int:
        return sum(self.states.get(state, 0) for state in OPEN)

    @property
    def total(self) -> int:
        return sum(self.states.values())
