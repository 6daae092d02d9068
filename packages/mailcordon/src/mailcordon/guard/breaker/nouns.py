"""What goes into the breaker and what comes out (detection.md is the specification; docs/breaker.md says what is built)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from mailcordon.core.priority import Class
from mailcordon.guard.delays import Signal


class Level(IntEnum):
    """How much is done. A lane's state is the highest of its open actions."""

    WARN = 1  #: the owner is told; no mail waits
    THROTTLE = 2  #: half the rate, and new batches are paced
    CORDON = 3  #: the guilty part, or the lane, is held


class Half(StrEnum):
    """Which comparison fired."""

    ABSOLUTE = "absolute"  #: against the ceiling that no healthy lane passes
    RELATIVE = "relative"  #: against the lane's own past


class Dimension(StrEnum):
    LIST = "list"
    CAMPAIGN = "campaign"
    PROVIDER = "provider"
    LANE = "lane"
    POOL = "pool"  #: lanes that share a label, such as all new tenants of one sign-up source


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a lane's mail. `value` is the name; of a provider its word; of a lane its message type."""

    dimension: Dimension
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A part of the mail with what speaks against it."""

    slices: tuple[Slice, ...]  #: one, or a pair such as a campaign at one provider
    events: int
    mails: int
    expected: float  #: events that healthy mail of this age would have shown
    nats: float  #: log-likelihood ratio
    share: float  #: of the lane's events that are too many, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """What the breaker has to know of a lane besides its counts."""

    lane: int
    tenant: int
    type: str
    class_: Class
    sensitivity: float = 1.0  #: multiplies the days between two false stops: 10 is gentle, 0.1 strict
    since: int | None = None  #: minute of its first mail; None: not known
    labels: frozenset[str] = (
        frozenset()
    )  #: pools that it belongs to while it is new, such as `signup:partner-x`
    #: The account's room for bad events a day at AWS's review line; None: not known (detection.md, section 8)
    room: Mapping[Signal, float] | None = None
    past_in_shadow: bool = False  #: what is decided for being unlike its past is said, and not done


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something the breaker decided about a lane, or a part of it. Minutes are since 1970."""

    minute: int  #: of the decision
    lane: int
    level: Level
    signal: Signal
    half: Half
    guilty: tuple[Slice, ...]  #: what it acts on; () the whole lane
    since: int  #: estimated beginning of the trouble
    nats: float  #: evidence
    threshold: float  #: nats that this level needs
    days: float  #: a healthy lane shows such evidence once in so many days, or less often
    events: int  #: since `since`
    mails: int
    usual: float  #: events that this lane usually has of so much mail
    ceiling: float  #: the rate no healthy lane of the class passes
    suspects: tuple[Suspect, ...] = ()
    over_the_ceiling: bool = (
        False  #: one campaign above the ceiling, the lane itself is healthy: policy, not illness
    )
    over: bool = False  #: True: this ends what was decided before (`why` says how)
    why: str = ""  #: for an end: probed, quiet, expired, accepted
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


class Phase(StrEnum):
    HEALTHY = "healthy"
    WARNED = "warned"
    THROTTLED = "throttled"
    CORDONED = "cordoned"
    PROBING = "probing"
    PROBATION = "probation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a lane, or a part of it, stands. Enough to continue after a restart, with the counts."""

    lane: int
    guilty: tuple[Slice, ...]
    signal: Signal
    phase: Phase
    since: int  #: minute of the last change
    decided: int  #: minute before which no evidence counts again
    failed_probes: int = 0
    probe_from: int | None = None  #: minute from which probes may leave
    probe_mails: int = 0  #: that may leave as a probe, in all
    decision: Decision | None = None
    #: Times of trouble, as signal and minutes, from which nothing is learned ; an end of None lasts. With the whole lane.
    unlearned: tuple[tuple[Signal, int, int | None], ...] = ()
    accepted: int = 0  #: minute before which a person said that all is normal; with the whole lane


Decisions = Sequence[Decision]
