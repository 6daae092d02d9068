"""The nouns of rollouts: what was counted of two paths, what must hold, and what was decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

#: Percent of a lane's recipients on the new path, in order.
SHARES = (1, 5, 25, 50, 100)


class Measure(StrEnum):
    """What is counted of both paths: mails of which something is true. Of `opened` fewer are worse, of all others more."""

    UNREPORTED = (
        "unreported"  #: SES reported nothing of it: its events do not reach us, or do not carry our tags
    )
    UNDELIVERED = (
        "undelivered"  #: bounced for another reason than a recipient that is gone, or rejected by SES
    )
    REFUSED = "refused"  #: bounced for spam, reputation, authentication or policy
    SUPPRESSED = "suppressed"  #: SES dropped it for one of its lists
    BOUNCED = "bounced"  #: hard
    DELAYED = "delayed"  #: with a delivery delay
    LATE = "late"  #: of what was delivered: later than the lane's objective of time from accept to delivered
    COMPLAINED = "complained"
    OPENED = "opened"  #: by people


class Side(NamedTuple):
    """Mail of one path in a stratum. Each mail counts once in each column. `first` and `last` are the minutes since 1970 of its
    first and last call to SES; both are 0 if there is none."""

    first: int = 0
    last: int = 0
    sent: int = 0
    reported: int = 0  #: with a Send event
    heard: int = 0  #: to providers that report complaints
    delivered: int = 0
    undelivered: int = 0
    refused: int = 0
    suppressed: int = 0
    bounced: int = 0
    delayed: int = 0
    #: Deliveries whose time is counted, and those of them that were later than their lane allows. Both are counted when the
    #: mail is delivered, so a stratum of them has nothing else.
    timed: int = 0
    late: int = 0
    complained: int = 0
    opened: int = 0


class Stratum(NamedTuple):
    """Mail that differs by its path alone: of one lane, to one provider, of one campaign, or of one hour without one. Recipients
    are on a path by a hash, so what else differs between both sides is luck."""

    lane: int
    provider: int  #: core.provider.Provider
    batch: str | None  #: campaign; None: no campaign, mail of an hour
    new: Side = Side()
    old: Side = Side()

    @property
    def first(self) -> int:
        """Minute of the first mail of the new path; of the old one if the new path has none."""
        return self.new.first or self.old.first


@dataclass(frozen=True, slots=True)
class Margin:
    """The new path is not worse while its rate is at most `ratio` x the old path's + `points`. Of `opened`: at least."""

    ratio: float
    points: float  #: a share, 0.01 is one in a hundred; never below 0

    def of(self, rate: float) -> float:
        return self.ratio * rate + self.points


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  a word of gates, no secret
    WAIT = "wait"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a gate saw: events of mails whose feedback can have come by now."""

    new: int
    new_of: float
    old: int
    old_of: float

    @property
    def new_share(self) -> float:
        return self.new / self.new_of if self.new_of > 0 else 0.0

    @property
    def old_share(self) -> float:
        return self.old / self.old_of if self.old_of > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One comparison of the paths, judged."""

    measure: Measure
    verdict: Verdict
    margin: Margin  #: that a way back goes by, as it is today: widened in the path's first days
    widened: float  #: times the margin of a path that providers know; 1: not widened
    pass_margin: Margin  #: that going on goes by: wider while few recipients are on the new path
    seen: Rates
    #: Nats that the new path is worse by more than the margin, less the cost of watching many things; and those to go back.
    harm: float
    doubt: float  #: nats without that cost, where they are most
    back_at: float
    #: Nats that it is not, and those needed to go on; None: going on does not wait for this measure to be shown.
    sound: float
    pass_at: float | None
    provider: int | None = None  #: that the harm is at; None: over all providers
    lane: int | None = None  #: that the harm is in; None: over all lanes of the rollout
    sentence: str = ""


class Check(StrEnum):
    """What must hold before more mail moves."""

    IDENTITY = "identity"  #: the From domain is verified at SES, and its DKIM keys are found in DNS
    ALIGNED = "aligned"  #: DMARC passes by DKIM
    MAIL_FROM = "mail-from"  #: the custom MAIL FROM works, so that SES does not fall back to its own
    TAKEN = "taken"  #: SES takes mail over the new path: no stop names it that the old one does not have
    DESTINATIONS = "destinations"  #: the configuration set has both event destinations, switched on
    PROVED = "proved"  #: attribution was shown end to end and is fresh
    LIMITS = "limits"  #: limits and breaker watch the lane: shadow up to 5 %, enforced beyond
    SUPPRESSION = (
        "suppression"  #: what the shared list has of the tenant is assigned, and nothing was copied to it
    )
    ALERTS = "alerts"  #: somebody is told of the tenant's incidents
    SIGNALS = "signals"  #: no mailbox provider and no DMARC report says bad things of the new From domain
    WARM_UP = "warm-up"  #: the new path has room in its warm-up for the mail of the next share


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the checklist."""

    check: Check
    of: str  #: the lane, domain or tenant it is about
    holds: bool | None  #: None: not known
    said: str  #: what was found, a sentence
    since: int | None = None  #: ms since 1970; since when it does not hold, if that is known
    command: str | None = None  #: that mends it
    from_share: int = 0  #: smaller shares do not need it

    @property
    def key(self) -> str:
        """By which an override names it."""
        return f"{self.check}:{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person let the rollout go on although a line does not hold. It ends with the share that it was given for."""

    key: str  #: of the item, or `gate:MEASURE`, or `freeze`, `time`, `mails`, `rest`
    share: int  #: that it lets the rollout go on to
    by: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which no share grows. A way back is never frozen."""

    since: int  #: ms since 1970
    until: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a look is decided by."""

    now: int  #: ms since 1970
    #: Mail since the present share began. Mail of before it is left out: it was judged before it.
    strata: tuple[Stratum, ...] = ()
    #: Shares of the old path's mail before the rollout, by measure. They sharpen the tests; no promise rests on them.
    reference: Mapping[Measure, float] = field(default_factory=dict[Measure, float])
    #: The most that the lane's objectives allow. At 100 percent, where no old path is left to compare with, they are the gate.
    ceilings: Mapping[Measure, float] = field(default_factory=dict[Measure, float])
    checklist: tuple[Item, ...] = ()
    overrides: tuple[Override, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    #: Mails that one recipient had at most, of the mail above, and of that of each lane. What the same recipient does again is no
    #: new evidence.
    repeats: float = 1.0
    mailings: Mapping[int, int] = field(default_factory=dict[int, int])


class State(StrEnum):
    RUNNING = "running"  #: shares grow by themselves
    HELD = "held"  #: a person keeps the share as it is; a breach still goes back
    BACK = "back"  #: all new mail takes the old path again
    STANDING = "standing"  #: all mail takes the new path, and the old one stands for a way back
    FINISHING = "finishing"  #: as standing, and the plan that drops the old path was made
    FINISHED = "finished"  #: the old path is gone
    CANCELLED = "cancelled"  #: the rollout was given up, all mail is on the old path


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a rollout stands. Times are ms since 1970."""

    state: State
    share: int  #: percent on the new path; 0 before the first step and after a way back
    since: int  #: the share and state hold since then
    #: The first mail of the new path ever, in minutes since 1970; None: there was none. Margins are widened by its age.
    first_mail: int | None = None
    backs: int = 0  #: ways back so far
    lanes: int = 1  #: of the rollout
    #: Times the hours that a share lasts at least; below 1 the rollout is faster, at 0 only mails count.
    pace: float = 1.0
    shares: tuple[int, ...] = SHARES


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a look came to. `pass`: the share becomes `share`. `back`: it becomes 0. `wait`: nothing changes."""

    verdict: Verdict
    share: int
    sentence: str  #: what, why, and what next
    gates: tuple[Gate, ...] = ()
    blocked_by: tuple[str, ...] = ()  #: keys of what an override could let pass
