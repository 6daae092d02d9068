"""What a hold, its lifting or a cancel is aimed at, and what is asked of the governor.

The smallest thing that can be stopped is one lane's mail to one mailbox provider of one campaign or list; the biggest is a
tenant. Nothing is aimed at several tenants: what stops everybody is the account's rate, not a hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider

OWNERS = ("person", "breaker", "ses", "policy", "rollout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    tenant: int
    class_: Class | None = None  #: None: every class
    lane: int | None = None  #: None: every lane (of the class)
    provider: Provider | None = None
    campaign: str | None = None
    list: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether it means only part of a lane's mail."""
        return self.provider is not None or self.campaign is not None or self.list is not None

    def is_that_of(self, hold: Hold) -> bool:
        """Whether the hold is aimed at exactly this, neither more nor less."""
        return self == target_of(hold)


def target_of(hold: Hold) -> Target:
    return Target(
        tenant=hold.tenant,
        class_=hold.class_,
        lane=hold.lane,
        provider=hold.provider,
        campaign=hold.campaign,
        list=hold.list,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    target: Target
    owner: str  #: one of OWNERS
    because: str
    stops: bool = True
    rate: float | None = None  #: deliveries a second, where it only slows
    until: int | None = None  #: milliseconds since 1970; None: until somebody lifts it
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCounts:
    """What stands in one lane that a target covers, of the mail that the target means."""

    lane: int
    type: str
    class_: Class
    state: str  #: open, throttled or held, as it is now
    ready: int  #: could leave, were it not held; expired mail not counted
    waiting: int  #: a retry, a schedule, a narrow hold
    sending: int  #: on the wire or with unknown outcome: nothing recalls it


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    target: Target
    lanes: tuple[LaneCounts, ...]
    untouched: tuple[str, ...]  #: the tenant's lanes that the target leaves alone, by type
    holds: tuple[Hold, ...]  #: open holds that cover any of these lanes


def state_of(holds: Iterable[Hold]) -> str:
    """The state of a lane that exactly these open holds cover: it is never stored, it follows."""
    state = "open"
    for hold in holds:
        if hold.stops and not hold.narrow:
            return "held"
        state = "throttled"
    return state
