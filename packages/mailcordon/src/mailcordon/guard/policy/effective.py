"""The effective policy of a lane: each value with where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mailcordon.core.limit import LimitScope, Mode, Per

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Valued(Generic[T]):
    """A value of a policy. `origin` names what set it, such as `tier standard` or `lane acme/newsletter`; `because` says why."""

    value: T
    origin: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """So many mails in a window. What is over it is held until the next window, or refused if the policy says so."""

    scope: LimitScope
    per: Per
    mails: int
    mode: Mode
    provider: str | None = None  #: word of a mailbox provider, of scope `provider`
    campaign: str | None = None  #: of scope `campaign`
    refuses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    mode: Mode = Mode.SHADOW
    sensitivity: float = 1.0  #: multiplies the days between two false stops (detection.md, section 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSenderPolicy:
    """What a lane may send in a day until 30 days after its first mail. It always enforces (detection.md, section 8)."""

    first: int = 500  #: mails of the first day
    growth: float = 1.5  #: a day may have so many times the busiest day before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """Paced release (detection.md, section 9)."""

    mode: Mode = Mode.ENFORCE
    first: int = 1500  #: mails of the first step
    wait_seconds: int = 120  #: after the first mail: 98 % of prompt bounces have come
    factor: float = 3.0  #: a step is so many times the one before
    step_seconds: int = 60
    above_mails: int = 5000  #: smaller batches are not paced, unless they are above `above_share`
    above_share: float = 0.2  #: of the lane's busy day
    canary_share: float = 0.0  #: of a fresh list that leaves first; 0: no canary
    canary_hours: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpPolicy:
    """Mails a day from a From domain to one mailbox provider, from its first day on. After the last step there is no limit."""

    mode: Mode = Mode.SHADOW
    steps: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict[str, tuple[int, ...]]
    )  #: by provider's word
    others: tuple[int, ...] = ()  #: providers that `steps` does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectivePolicy:
    """Service level objectives of the lane. Shares are 0 to 1; None: no such objective."""

    delivered: float | None = 0.98  #: of the mail accepted, without recipients that are gone
    delivered_seconds: float | None = None  #: from accept to delivered, of 95 % of the mail
    bounces: float | None = 0.02
    complaints: float | None = 0.001
    days: int = 28  #: of the error budget
    providers: tuple[str, ...] = ()  #: words of mailbox providers whose mail must reach the same by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePolicy:
    """Plain values, as other planes read them (`lane_policy.document`). Where each comes from is `Explained`."""

    version: int  #: of the policy that last changed it; 0: built-in
    tier: str
    caps: tuple[Cap, ...] = ()
    new_sender: NewSenderPolicy = field(default_factory=NewSenderPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    release: ReleasePolicy = field(default_factory=ReleasePolicy)
    warm_up: WarmUpPolicy = field(default_factory=WarmUpPolicy)
    objectives: ObjectivePolicy = field(default_factory=ObjectivePolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A lane's effective policy for people: by the path of each value, such as `breaker.sensitivity`."""

    lane: str
    policy: LanePolicy
    values: Mapping[str, Valued[object]]
