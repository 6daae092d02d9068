"""What the data plane needs from outside: stores of queue rows, SES's send, and the governor's hold for SES.

Rows travel in batches: one call of a store is one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.proof import What
from mailcordon.core.reason import Reason
from mailcordon.core.reserved_domains import Undeliverable
from mailcordon.core.route import Route
from mailcordon.core.stop import NewStop, Stop
from mailcordon.core.suppression import Suppression
from mailcordon.send import limits
from mailcordon.send.decide import Kept
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue
from mailcordon.send.refusals import Answer
from mailcordon.send.resolve import Lanes

# ACCEPT --------------------------------------------------------------------------------------------------------------------


class NewDelivery(NamedTuple):  # made for every mail, and faster to make than a frozen dataclass
    id: int
    address: str
    hash: bytes
    provider: int
    undeliverable: Undeliverable | None = None  #: it is stored as refused


class NewMessage(NamedTuple):
    """A checked and resolved message, ready to be stored."""

    id: int
    tenant_slug: str
    route: Route
    from_address: str
    deliveries: tuple[NewDelivery, ...]
    campaign: str | None
    list: str | None
    content: bytes
    api_key: int
    key: bytes | None  #: digest of the idempotency key
    body: bytes  #: digest of the parsed body, compared when a key is repeated
    tags: str | None = None  #: the app's own, as a JSON object
    send_at: int | None = None  #: milliseconds since 1970; its deliveries wait until then
    scheduled: str | None = None  #: with `send_at`, its sentence
    alike: int = 0  #: what mail of one kind has in common (core/subject_shape.py)
    others: int | None = None  #: who takes the lane's other path (core/path_choice.py); None: it has one


class BatchName(NamedTuple):
    """What a large batch of marketing mail goes by. `kind` is campaign, list or lane; `name` is '' for a lane."""

    tenant: int
    lane: int
    kind: str
    name: str


class Arrived(NamedTuple):
    batch: BatchName
    deliveries: int  #: since the store was last told


@dataclass(frozen=True, slots=True)
class Replay:
    """An idempotency key that was used before."""

    message: int
    same_body: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The result of storing a batch."""

    replays: Mapping[int, Replay]  #: by position in the batch
    suppressed: Mapping[int, Suppression]  #: by delivery id
    held: Mapping[int, Kept]  #: lane -> the first hold or stop that keeps it from sending
    now: int


class StaleRoutes(Exception):
    """The control epoch has moved since the batch was resolved. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Backlog:
    deliveries: int
    bytes: int
    oldest_id: int | None  #: of the ready rows
    now: int  #: milliseconds since 1970, the database's clock


class Moment(NamedTuple):
    now: int  #: milliseconds since 1970, the database's clock
    epoch: int


class AcceptStore(Protocol):
    async def node(self) -> int: ...
    async def places(self, number: int) -> Sequence[int]:
        """Numbers that no process has had, for the ids of mail that is scheduled."""
        ...

    async def lanes(self, slugs: Sequence[str]) -> Mapping[str, Lanes]:
        """Those of the tenants that exist, by slug."""
        ...

    async def moment(self) -> Moment:
        """With the control epoch."""
        ...

    async def store(self, batch: Sequence[NewMessage], epoch: int) -> Stored: ...
    async def backlogs(self, lanes: Sequence[int]) -> Mapping[int, Backlog]: ...
    async def arrived(self, batches: Sequence[Arrived]) -> None:
        """Makes these large batches releases that leave in steps, before their mail is stored, and counts them."""
        ...

    async def replays(self, keys: Sequence[tuple[int, bytes, bytes]]) -> Mapping[int, Replay]:
        """By position, what is stored under keys: tenant, digest of the key, digest of the body."""
        ...


# DISPATCH ------------------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """The result of one claim, with the control epoch it saw: routes cached under an older epoch are stale."""

    claimed: Sequence[Claimed]
    epoch: int
    more: bool = (
        False  #: mail may be left that this claim did not take because of its size or of its tenants' bounds
    )


class Bounds(NamedTuple):
    """What bounds the calls that one tenant may start."""

    most: int  #: calls of a tenant on the wire after the claim
    in_flight: Mapping[int, int]  #: calls on the wire now, by tenant
    cell: str = ""
    reserve_left: int | None = None  #: of the reserve of the cell's daily quota, if the claim uses it
    reserve_used: Mapping[int, int] = {}  #: by tenant

    def may_start(self, tenant: int) -> int:
        may = self.most - self.in_flight.get(tenant, 0)
        if self.reserve_left is None:
            return may
        return min(may, limits.of_reserve(self.reserve_left, self.reserve_used.get(tenant, 0)))


NO_BOUNDS = Bounds(1_000_000, {})

#: By tenant, the open holds on campaigns, lists and mailbox providers.
Narrow: TypeAlias = Mapping[int, Sequence[Hold]]
NO_HOLDS: Narrow = {}


class Look(NamedTuple):
    """What a dispatcher sees that has nothing to claim."""

    due: Mapping[
        Class, float
    ]  #: by class with a turn that has mail: in how many seconds it is due; 0 or less: now
    certain: (
        bool  #: whether every transaction that may have to be seen has ended; else a look must follow soon
    )
    busy: bool  #: whether other work is queued; False if it was not looked at


class QueueStore(Protocol):
    async def begin_work(self) -> int: ...
    async def end_work(self) -> None: ...
    async def reap(self, silent_ms: int) -> int: ...
    async def hold_epoch(self) -> Moment: ...
    async def holds(self) -> tuple[frozenset[int], tuple[Hold, ...]]: ...
    async def lane_routes(self, lanes: Sequence[int]) -> Mapping[int, Route]: ...
    async def stops(self) -> Sequence[Stop]: ...
    async def take_tokens(
        self, cell: str, want: int, *, urgent: bool, most: int = 0
    ) -> tuple[limits.Grant, Reason | None]: ...
    async def return_tokens(self, cell: str, n: int, *, of_rate: bool = True) -> None: ...
    async def cut_rate(self, cell: str) -> None: ...
    async def look(self, classes: Sequence[Class], *, thorough: bool) -> Look:
        """For a loop that has nothing to claim. It is told of turns of its classes that are woken later, until `awake`. Sees all
        classes. `thorough`: whether to look for other work too."""
        ...

    async def awake(self, classes: Sequence[Class]) -> None:
        """It is not told of these any more: it claims without being told."""
        ...

    def tell(self, hint: Callable[[int], None]) -> None:
        """`hint` gets the classes that have mail, as a set of bits."""
        ...

    async def claim(
        self, classes: Sequence[Class], slots: int, bounds: Bounds = NO_BOUNDS, narrow: Narrow = NO_HOLDS
    ) -> Batch: ...
    async def large_content(self, message: int) -> Sequence[bytes]:
        """In parts; none if the message has no content."""
        ...

    async def recheck(self, every: float) -> int: ...
    async def sweep(self) -> int: ...
    async def complete(
        self,
        finished: Sequence[Finish],
        deferred: Sequence[Defer],
        requeued: Sequence[Requeue],
    ) -> None: ...


class ClearingStore(Protocol):
    async def expire(self) -> int:
        """Ends expired mail that is ready, wherever it is. Returns how many; there may be more."""
        ...

    async def park(self, narrow: Narrow) -> int:
        """Defers ready mail that these holds stop. Returns how many; there may be more."""
        ...

    async def give_back(self) -> int:
        """Makes ready what ended holds and stops had deferred, as far as the ramp of each has come. Returns how many."""
        ...

    async def open_limits(self) -> int:
        """Makes ready what waited for limits that have room again. Returns how many."""
        ...

    async def correct_clocks(self) -> int:
        """Sets stamps from the future to now. Returns how many there were."""
        ...


class Sender(Protocol):
    @property
    def ready(self) -> bool:
        """Whether it is worth trying to `start` a call."""
        ...

    def start(
        self, body: bytes, permitted: Callable[[], bool], done: Callable[[Answer | Exception], None], /
    ) -> bool:
        """`send_email` without a task: the request is written now, and `done` gets the answer, once and later; it must not raise.
        Whoever calls has just asked what `permitted` asks. False: that is not possible now; nothing was sent, and `done` is not
        called."""
        ...

    async def send_email(self, body: bytes, permitted: Callable[[], bool] | None = None) -> Answer:
        """`permitted` is asked again if time passes before the request is written. If it says no, the code is WITHDRAWN."""
        ...


class StopAsker(Protocol):
    """The part of the governor that the data plane may use (control/stops.py)."""

    async def place(self, new: NewStop, *, actor: str, hits: int = 1) -> Stop: ...
    async def end(self, ids: Sequence[int], *, actor: str, because: str) -> Sequence[Stop]: ...
    async def take_probes(self, worker: int, first_ms: int) -> Sequence[Stop]: ...
    async def probe_lane(self, stop: Stop) -> int | None: ...
    async def probe_failed(self, stop: Stop, found: str, lane: int | None = None) -> None: ...
    async def account_agrees(self, stop: Stop, cell: str) -> bool: ...


# PROVE ---------------------------------------------------------------------------------------------------------------------


class ProofMail(NamedTuple):
    """A mail of a proof that is to be sent (docs/proofs.md)."""

    id: int
    lane: int
    what: What


class ProvingStore(Protocol):
    async def asked(self, most: int) -> Sequence[ProofMail]: ...

    async def begin(self, mail: ProofMail, route: Route) -> int | None:
        """Commits the intent to call SES for it. Returns the time, for its tags; None if another dispatcher was first, or its
        proof has ended."""
        ...

    async def put_back(self, mail: ProofMail, said: str | None) -> None:
        """SES has certainly not got it, and it may be tried again. `said`: why, if SES was called."""
        ...

    async def answered(self, mail: ProofMail, state: str, *, ses_id: str | None, said: str | None) -> None:
        """`state`: accepted, refused or unknown."""
        ...


# SETTLE --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A delivery with an unknown outcome."""

    lane: int
    id: int
    tenant: int
    attempt: int
    called_at: int


@dataclass(frozen=True, slots=True)
class CanaryNeed:
    """An unknown outcome whose grace is over, but whose configuration set has shown no later Send event."""

    unknown: Unknown
    configuration_set: str
    seen: int  #: the latest call whose Send event the set has shown; 0: none
    #: What the lane's route had with the set, if it has changed since: SES takes the set from its own tenant and domain only.
    ses_tenant: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one round of settling did, in numbers of deliveries."""

    proved_sent: int
    resent: int
    given_up: int
    expired: int
    no_outcome: int
    released: int  #: retries that were due
    rejected: int  #: moves that the database rejects
    canaries: Sequence[CanaryNeed]
    now: int  #: milliseconds since 1970, the database's clock
    epoch: int  #: the control epoch


class SettleStore(Protocol):
    async def settle(self) -> Settled | None: ...
