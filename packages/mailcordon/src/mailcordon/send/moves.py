"""The moves of a delivery: the table of the legal ones, and the values that name what becomes of a claimed delivery.

A delivery is in one place at a time, and only the moves of `LEGAL` change it. The SQL functions of 0005-moves.sql carry them out
(docs/decisions/018); a test tries every move from every place.

Objects made once per mail are named tuples, which take a third of the time of a frozen dataclass.
"""

from collections.abc import Mapping
from enum import Enum, IntFlag
from typing import NamedTuple

from mailcordon.core.delivery import State, Why
from mailcordon.core.reason import Reason
from mailcordon.send.decide import RowFacts


class Claimed(NamedTuple):
    """A delivery whose intent to send is committed: state `sending`, its attempt counted."""

    lane: int
    id: int
    tenant: int
    attempt: int
    called_at: int
    provider: int
    campaign: str | None
    list: str | None
    to: str
    content: bytes | None  #: None only after a bug or a restore
    facts: RowFacts
    reserve: str | None = None  #: the cell whose reserve of the day's quota it was counted in, if in any
    path: str = "isolated"
    two_paths: bool = (
        False  #: its lane had two when it was accepted, so its From may have the domain of the other
    )
    large: int = 0  #: bytes of its content, if it is read right before the call; then `content` is empty
    counted: tuple[
        int, ...
    ] = ()  #: rows of limits that it counts in, given back if it is certainly not called
    addresses: tuple[bytes, ...] = ()  #: digests under which limits of its address count it


class Finish(NamedTuple):
    """Moves a claimed delivery from the queue to the ledger."""

    claim: Claimed
    state: State
    reason: Reason
    detail: str
    ses_id: str | None = None
    forget: bool = False  #: its class keeps no content after hand-over


class Defer(NamedTuple):
    """Moves a claimed delivery to `waiting`."""

    claim: Claimed
    why: Why
    code: Reason
    reason: str  #: the sentence
    until: int | None = None  #: milliseconds since 1970; None: until an event ends it
    hold: int | None = None  #: that it waits for; the stop, if it waits for one
    note: str | None = None  #: code of the entry in the delivery's timeline
    configuration_set: str | None = None  #: of the call, if its outcome is unknown


class Requeue(NamedTuple):
    """Puts a claimed delivery back to the head of its lane; the attempt does not count. SES certainly does not have it."""

    claim: Claimed


class Place(IntFlag):
    """Where a delivery is. The values are those of `places` in the SQL functions."""

    READY = 1  #: `ready`, state 0: may leave now
    SENDING = 2  #: `ready`, state 1: on the wire
    WAITING = 4  #: `waiting`: for a retry, a hold, a schedule or a cap
    UNKNOWN = 8  #: `waiting`, why 2: SES was called and gave no clear answer
    LEDGER = 16  #: it left the queue

    @property
    def word(self) -> str:
        return (self.name or "").lower()


class Move(Enum):
    CLAIM = "claim"  #: the intent to call SES is recorded
    PARK = "park"  #: a narrow hold, or a stop of its path, defers it before it is called
    REFUSE = "refuse"  #: its address was suppressed after it was accepted
    RECORD = "record"  #: the answer of its call, or a refusal right before it, ends it
    DEFER = "defer"  #: it is tried again later, or a narrow hold or a stop of its path defers it
    REQUEUE = "requeue"  #: SES certainly does not have it: back to the head of its lane
    LOSE = "lose"  #: no clear answer, or its dispatcher died
    RELEASE = "release"  #: its retry is due, or the hold or stop that deferred it is gone
    PROVE = "prove"  #: the Send event of its attempt arrived
    RESEND = "resend"  #: absence is proved, and its class is sent again
    GIVE_UP = "give up"  #: absence is proved, and its class is not sent again
    EXPIRE = "expire"  #: its time limit has passed
    CANCEL = "cancel"  #: a person wants it not to leave


class Legal(NamedTuple):
    to: Place
    who: str


_DISPATCHER, _SETTLER, _PERSON = "its dispatcher", "the settler", "a person"

#: (from, move) -> where to, and who may do it. Every other pair changes nothing.
LEGAL: Mapping[tuple[Place, Move], Legal] = {
    (Place.READY, Move.CLAIM): Legal(Place.SENDING, "a dispatcher"),
    (Place.READY, Move.PARK): Legal(Place.WAITING, "a dispatcher"),
    (Place.READY, Move.REFUSE): Legal(Place.LEDGER, "a dispatcher"),
    (Place.READY, Move.EXPIRE): Legal(Place.LEDGER, "a dispatcher"),
    (Place.READY, Move.CANCEL): Legal(Place.LEDGER, _PERSON),
    # On the wire only the answer counts: it is neither expired nor cancelled, since SES may have it already. A cancel that meets
    # a claim waits for its row and then leaves it alone.
    (Place.SENDING, Move.RECORD): Legal(Place.LEDGER, _DISPATCHER),
    (Place.SENDING, Move.DEFER): Legal(Place.WAITING, _DISPATCHER),
    (Place.SENDING, Move.REQUEUE): Legal(Place.READY, _DISPATCHER),
    (Place.SENDING, Move.LOSE): Legal(Place.UNKNOWN, "its dispatcher, or any if it is dead"),
    (Place.WAITING, Move.RELEASE): Legal(Place.READY, "the settler, the governor"),
    (Place.WAITING, Move.EXPIRE): Legal(Place.LEDGER, _SETTLER),
    (Place.WAITING, Move.CANCEL): Legal(Place.LEDGER, _PERSON),
    # A dispatcher that was declared dead may be slow instead, and its answer still arrives. A clear one settles what others call
    # unknown; it is fenced by its attempt, so that it speaks of no later one. A late `DEFER` is not taken: that SES does not have
    # the mail is then proved by absence, as for every unknown.
    (Place.UNKNOWN, Move.RECORD): Legal(Place.LEDGER, _DISPATCHER),
    (Place.UNKNOWN, Move.REQUEUE): Legal(Place.READY, _DISPATCHER),
    (Place.UNKNOWN, Move.PROVE): Legal(Place.LEDGER, _SETTLER),
    (Place.UNKNOWN, Move.RESEND): Legal(Place.READY, _SETTLER),
    (Place.UNKNOWN, Move.GIVE_UP): Legal(Place.LEDGER, _SETTLER),
    # It ends as "no outcome reported". It is not cancelled before: SES may have it.
    (Place.UNKNOWN, Move.EXPIRE): Legal(Place.LEDGER, _SETTLER),
    # Nothing leaves the ledger. A completion that is repeated because its confirmation was lost finds no row to move.
}


def table() -> list[str]:
    """The table as it is in docs/send-path.md."""
    return [
        "| from | move | to | who may do it |",
        "| --- | --- | --- | --- |",
        *(
            f"| {place.word} | {move.value} | {legal.to.word} | {legal.who} |"
            for (place, move), legal in LEGAL.items()
        ),
    ]
