"""The mail that a hold, its lifting or a cancel covers, and the requests that the governor takes.

The smallest target is one lane's mail to one mailbox provider of one campaign or list; the largest is a tenant. No target covers
several tenants: what stops everybody is the account's rate, not a hold.
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
        """Whether it covers only a part of a lane's mail."""
        return self.provider is not None or self.campaign is not None or self.list is not None

    def is_that_of(self, hold: Hold) -> bool:
        """Whether the hold covers exactly this, neither more nor less."""
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
    """How many deliveries of one lane a target covers."""

    lane: int
    type: str
    class_: Class
    state: str  #: open, throttled or held, as it is now
    ready: int  #: could leave if nothing held it; expired deliveries are not counted
    waiting: int  #: for a retry, a schedule or a narrow hold
    sending: int  #: on the wire or outcome unknown: cannot be recalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    target: Target
    lanes: tuple[LaneCounts, ...]
    untouched: tuple[str, ...]  #: the types of the tenant's lanes that the target does not cover
    holds: tuple[Hold, ...]  #: open holds that cover any of these lanes


def state_of(holds: Iterable[Hold]) -> str:
    """The state of a lane, given all open holds that cover it. It is derived, never stored."""
    state = "open"
    for hold in holds:
        if hold.stops and not hold.narrow:
            return "held"
        state = "throttled"
    return state
