"""Holds: reasons that stop or slow mail, each with an owner, a target and an end.

A lane is open, throttled or held: that follows from the set of its open holds. Lifting one never lifts another.
"""

from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.messages import reasons, times


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    id: int
    tenant: int
    class_: Class | None = None  #: None: every class
    lane: int | None = None  #: None: every lane (of the class)
    provider: Provider | None = None
    campaign: str | None = None
    list: str | None = None
    stops: bool = True
    rate: float | None = None  #: deliveries per second, if it only slows
    owner: str  #: person, breaker, ses, policy or rollout
    because: str
    by: str
    since: int  #: milliseconds since 1970
    until: int | None = None

    @property
    def narrow(self) -> bool:
        """Whether it stops only part of a lane. Such mail is deferred after its claim; the lane itself keeps sending."""
        return self.provider is not None or self.campaign is not None or self.list is not None

    def covers_lane(self, tenant: int, class_: Class, lane: int) -> bool:
        return (
            self.tenant == tenant
            and (self.class_ is None or self.class_ == class_)
            and (self.lane is None or self.lane == lane)
        )

    def stops_mail(self, provider: int, campaign: str | None, list: str | None, now: int) -> bool:
        """Whether it stops this mail of a covered lane now (milliseconds since 1970)."""
        return (
            self.stops
            and (self.until is None or self.until > now)
            and (self.provider is None or self.provider == provider)
            and (self.campaign is None or self.campaign == campaign)
            and (self.list is None or self.list == list)
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
