"""Searching deliveries: what may be asked for, and in which order rows are walked to answer.

A search goes from the newest delivery to older ones. It walks one index, the one that fits what is asked for best, and checks
the rest for each delivery that it meets; the state is the one that GET of the message shows, from the same code. Ids are ordered
by time, so a page's cursor is an id, and any walk may go on where another one has stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from mailcordon.core.delivery import State, Why
from mailcordon.core.event import MOVES, Kind
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.send.view import DeliveryView, MessageRecords

#: The kinds of events that the index `event_not_delivered` has (0030-search.sql).
_INDEXED = (
    Kind.DELAY,
    Kind.SOFT_BOUNCE,
    Kind.SUPPRESSED,
    Kind.REJECT,
    Kind.HARD_BOUNCE,
    Kind.COMPLAINT,
    Kind.RENDERING_FAILURE,
)
_NOT_SENT = (
    State.REFUSED,
    State.EXPIRED,
    State.CANCELLED,
    State.GIVEN_UP,
    State.REJECTED_AT_CALL,
    State.NO_OUTCOME,
)
_IN_QUEUE = 0  #: as a recorded state: neither ledger nor outcome has a row
READY, SENDING, WAITING = 0, 1, 10  #: places in the queue; to the last one `Why` is added
_PLACES = {
    State.READY: (READY,),
    State.SENDING: (SENDING,),
    State.WAITING: tuple(WAITING + why for why in Why if why is not Why.UNKNOWN),
    State.HELD: (READY, *(WAITING + why for why in Why if why is not Why.UNKNOWN)),
    State.UNKNOWN: (WAITING + Why.UNKNOWN,),
}
_EVERY_PLACE = (READY, SENDING, *(WAITING + why for why in Why))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Everything that is given must fit. Times are milliseconds since 1970, of the acceptance."""

    tenant: int | None = None
    hash: bytes | None = None  #: of the recipient's address
    id: int | None = None  #: of a message, or of a delivery
    ses_id: str | None = None
    campaign: str | None = None
    list: str | None = None
    tags: str | None = None  #: of the app's own, a JSON object: the mail has all of these
    type: str | None = None
    state: State | None = None
    reason: str | None = None  #: of the state, or that of a bounce
    since: int | None = None
    until: int | None = None
    before: int | None = None  #: only deliveries with a lower id: the cursor
    limit: int = 50

    @property
    def event_reason(self) -> str | None:
        """The reason, if it is SES's or that of a bounce, which may belong to an event before the last one."""
        return None if self.reason is None or self.reason in _OURS else self.reason

    def fits(self, view: DeliveryView) -> bool:
        """Whether the state and the reason are those that are asked for."""
        return (self.state is None or view.state is self.state) and (
            self.reason is None or self.reason not in _OURS or view.reason == self.reason
        )


_OURS = frozenset(map(str, Reason))


class By(Enum):
    """What a walk goes along."""

    RECIPIENT = auto()
    CAMPAIGN = auto()
    LIST = auto()
    EVENTS = auto()
    LEDGER = auto()
    QUEUE = auto()
    LANES = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Walk:
    by: By
    numbers: tuple[int, ...] = ()  #: kinds of events, states of the ledger, or places of the queue
    closed: bool | None = None  #: of the queue: lanes that something closes, or the others
    over: bool = False  #: of the queue: deliveries whose time is over, or the others


#: What nothing has taken out of the queue yet, although its time is over.
_OVER = Walk(By.QUEUE, (READY,), over=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """`walks` are merged. If they meet much that does not fit, the first of `instead` goes on, then the next one."""

    walks: tuple[Walk, ...]
    recorded: (
        tuple[int, ...] | None
    )  #: states of the rows that may be shown as the state asked for; None: any
    instead: tuple[tuple[Walk, ...], ...] = ()


def plan(query: Query) -> Plan:
    recorded = None if query.state is None else _recorded(query.state)
    if query.hash is not None:
        return Plan((Walk(By.RECIPIENT),), recorded)
    walks: list[tuple[Walk, ...]] = []
    if query.campaign is not None or query.list is not None:
        walks.append((Walk(By.LIST if query.campaign is None else By.CAMPAIGN),))
    if rare := _rare(query):
        walks.append(rare)
    if not walks and (query.tenant is not None or query.type is not None):
        walks.append((Walk(By.LANES),))
    if not walks or (query.tenant is None and not rare):
        # Of all tenants, what much mail has is soon met among the newest, and its index would be read for each tenant.
        walks.insert(0, (Walk(By.ALL),))
    return Plan(walks[0], recorded, tuple(walks[1:]))


def _recorded(state: State) -> tuple[int, ...]:
    if state in _PLACES:
        return (_IN_QUEUE,)
    if state is State.EXPIRED:  # also of a delivery whose time is over while it is queued
        return (_IN_QUEUE, State.EXPIRED)
    if state is State.NO_OUTCOME:  # also of one of which SES has been silent for too long
        return (State.SENT, State.DELAYED, State.NO_OUTCOME)
    return (state,)


def _rare(query: Query) -> tuple[Walk, ...]:
    """The walks that meet little else; none if the state or reason is that of most mail."""
    state, reason = query.state, query.reason
    if state is not None and state in _PLACES:
        closed = {State.READY: False, State.HELD: True}.get(state)
        return (Walk(By.QUEUE, _PLACES[state], closed),)
    if state is State.EXPIRED:
        return (Walk(By.LEDGER, (State.EXPIRED,)), _OVER)
    if state is State.NO_OUTCOME:
        return ()
    if state is not None and state in _NOT_SENT:
        return (Walk(By.LEDGER, (state,)),)
    if state is not None:
        kinds = tuple(kind for kind in _INDEXED if MOVES[kind][1] is state)
        if kinds or query.event_reason is None:
            return (Walk(By.EVENTS, kinds),) if kinds else ()
    if reason is None or reason in (Reason.SENT, Reason.NO_OUTCOME):
        return ()
    if query.event_reason is not None:
        return (Walk(By.EVENTS, _INDEXED),)
    left = Walk(By.LEDGER, _NOT_SENT)
    if reason == Reason.EXPIRED:
        return (left, _OVER)
    return (left, Walk(By.QUEUE, _EVERY_PLACE)) if MEANINGS[Reason(reason)].retryable else (left,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one page may cost. Beyond either bound it ends where it is, with a cursor."""

    deliveries: int = 20_000
    seconds: float = 0.15
    similar_seconds: float = 0.1  #: more, to look for addresses with a similar spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    deliveries: Sequence[tuple[int, MessageRecords]]  #: newest first
    next: int | None  #: the cursor of the next page
    looked_at: int  #: deliveries, whether they fit or not
    stopped_early: bool  #: the page is not full, and there may be more


@dataclass(frozen=True, slots=True)
class Mailed:
    """One of the addresses asked for that was mailed."""

    n: int  #: its place among those asked for
    tenant: str
    at: int  #: milliseconds since 1970, of one of the mails


class MessageSearch(Protocol):
    """`as_tenant`: with a tenant's key, whose rows alone are seen."""

    async def tenant_id(self, slug: str) -> int | None: ...
    async def find(self, query: Query, *, as_tenant: bool) -> Page: ...

    async def mailed(
        self, hashes: Sequence[bytes], tenant: int | None, most: int, *, as_tenant: bool
    ) -> tuple[int, Sequence[Mailed]]:
        """When the records begin (milliseconds since 1970), and which of the addresses were mailed since, in their order."""
        ...
