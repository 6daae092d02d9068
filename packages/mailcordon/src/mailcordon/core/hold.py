"""Holds: reasons that stop or slow mail, each with an owner, a target and an end.

A lane is open, throttled or held: that follows from the set of its open holds. Lifting one never lifts another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailcordon.core.target import Target
from mailcordon.messages import holds as hold_messages
from mailcordon.messages import reasons, times

#: Who may place a hold. Old rows may have the owner `ses`: what SES refuses is a stop now (core/stop.py).
OWNERS = ("person", "breaker", "policy", "rollout")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """A request to the governor."""

    target: Target
    owner: str  #: one of OWNERS
    because: str
    stops: bool = True
    rate: float | None = None  #: deliveries per second, if it only slows
    until: int | None = None  #: milliseconds since 1970; None: until somebody lifts it
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    id: int
    target: Target
    stops: bool = True
    rate: float | None = None  #: deliveries per second, if it only slows
    owner: str  #: one of OWNERS
    because: str
    by: str
    since: int  #: milliseconds since 1970
    until: int | None = None

    @property
    def narrow(self) -> bool:
        """Whether it stops only part of a lane. Such mail is deferred; the lane itself keeps sending."""
        return self.target.narrow

    def stops_mail(self, provider: int, campaign: str | None, list: str | None, now: int) -> bool:
        """Whether it stops this mail of a covered lane now (milliseconds since 1970)."""
        return (
            self.stops
            and (self.until is None or self.until > now)
            and self.target.covers_mail(provider, campaign, list)
        )

    @property
    def ends(self) -> str:
        """How it ends while it is open: follows "it ends"."""
        return hold_messages.ends(
            owner=self.owner,
            stops=self.stops,
            is_list=self.target.list is not None or self.target.campaign is not None,
            until=self.until,
        )

    @property
    def sentence(self) -> str:
        return reasons.held(
            owner=self.owner,
            by=self.by,
            since=times.minute(self.since),
            because=self.because,
            hold=str(self.id),
            stops=self.stops,
        )


def state_of(holds: Iterable[Hold]) -> str:
    """The state of a lane, given all open holds that cover it. It is derived, never stored."""
    state = "open"
    for hold in holds:
        if hold.stops and not hold.narrow:
            return "held"
        state = "throttled"
    return state
