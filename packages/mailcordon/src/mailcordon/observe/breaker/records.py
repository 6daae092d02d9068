"""Nouns of the breaker's loop: what it reads of lanes, and what it keeps of its decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailcordon.core.hold import Hold
from mailcordon.core.limit import Mode
from mailcordon.core.provider import parse_provider
from mailcordon.core.target import Target
from mailcordon.guard.account_guard import LaneShare
from mailcordon.guard.arming import Arming, ArmingFacts
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, LaneFacts, Level, Slice, Standing
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import Signal

ACTOR = "breaker"  #: who places and lifts its holds, and their owner
MINUTE_MS = 60_000

Key = tuple[int, str, str]  #: lane, part, signal


def part_of(guilty: Sequence[Slice]) -> str:
    """`list:bought`, `campaign:june+provider:gmail`; of the whole lane nothing."""
    return "+".join(f"{one.dimension}:{one.value}" for one in guilty if one.dimension is not Dimension.LANE)


def slices_of(part: str) -> tuple[Slice, ...]:
    """Of such a text. Names of campaigns and lists may have a `+`, so only a `+` before a dimension divides."""
    found: list[Slice] = []
    for piece in part.split("+") if part else ():
        dimension, colon, value = piece.partition(":")
        if colon and dimension in set(Dimension):
            found.append(Slice(Dimension(dimension), value))
        elif found:
            last = found.pop()
            found.append(Slice(last.dimension, f"{last.value}+{piece}"))
    return tuple(found)


def target_of(tenant: int, lane: int, part: str) -> Target:
    named = {one.dimension: one.value for one in slices_of(part)}
    provider = named.get(Dimension.PROVIDER)
    return Target(
        tenant=tenant,
        lane=lane,
        provider=None if provider is None else parse_provider(provider),
        campaign=named.get(Dimension.CAMPAIGN),
        list=named.get(Dimension.LIST),
    )


def key_of(one: Decision | Standing) -> Key:
    return (one.lane, part_of(one.guilty), str(one.signal))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A lane that the breaker follows."""

    facts: LaneFacts
    slug: str
    policy: Mode = Mode.SHADOW
    arming: Arming | None = None  #: None: not judged yet, so it is in shadow

    @property
    def name(self) -> str:
        return f"{self.slug}/{self.facts.type}"

    @property
    def judged(self) -> LaneFacts:
        """For the engine, which goes by what is done about its decisions."""
        past = self.mode(str(Half.RELATIVE))
        return replace(self.facts, past_in_shadow=past is not Mode.ENFORCE)

    def mode(self, half: str) -> Mode:
        return Mode.SHADOW if self.arming is None else self.arming.mode(half)

    def mode_of(self, kept: "Kept") -> Mode:
        """What may be done about a decision. Volume without learned hours of the week is never slowed."""
        mode = self.mode(kept.half)
        return Mode.SHADOW if mode is Mode.ENFORCE and kept.document.get("shadow") else mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """Somebody who shares a domain or a pool with a lane at fault, and whose mail is not held."""

    tenant: str
    type: str
    shares: str  #: domain or pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A decision as it is stored. Times are milliseconds since 1970."""

    id: int  #: 0: not stored yet
    tenant: int
    lane: int
    part: str
    signal: str  #: of guard.delays.Signal, or volume or account
    half: str
    level: Level
    mode: Mode
    at: int
    since: int
    seen: str
    done: str = ""
    waiting: int = 0
    rate: float | None = None  #: mails a second, if it slows
    document: Mapping[str, object] = field(default_factory=dict[str, object])
    sharers: tuple[Sharer, ...] = ()
    hold: int | None = None

    @property
    def key(self) -> Key:
        return (self.lane, self.part, self.signal)

    @property
    def target(self) -> Target:
        return target_of(self.tenant, self.lane, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    decision: int
    because: str
    by: str = ACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A person said that what a decision saw is normal."""

    decision: int
    by: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A person wants what a decision holds to be tried at once."""

    decision: int
    at: int  #: milliseconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """The hold of an open decision, lifted by somebody else."""

    decision: int
    by: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was folded since."""

    now: int  #: milliseconds since 1970
    fold: int
    continues: bool  #: False: the feed no longer has what followed the fold that was asked for
    deltas: Sequence[tuple[int, Delta]] = ()  #: each with its fold, in their order
    domains: Sequence[DomainDelta] = ()  #: totals, not changes, of the minutes in which bounces changed
    accepted: Sequence[Accepted] = ()
    lifted: Sequence[Lifted] = ()
    tried: Sequence[Tried] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What a process goes on from."""

    fold: int
    standings: Sequence[Standing]
    open: Sequence[Kept]
    delays: Mapping[str, Mapping[str, list[float]]]  #: of guard.breaker.engine.Breaker.delays
    lanes: Sequence[int]  #: whose counts changed since, that are new, or where something is open
    limited: Sequence[int] = ()  #: tenants with limits that whoever led before has written


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Lanes with all their counts up to a fold."""

    fold: int
    lanes: Sequence[Watched]
    history: Sequence[Delta]
    domains: Sequence[DomainDelta] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What arming depends on, of a lane."""

    lane: int
    facts: ArmingFacts
    lost_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the account sent in a day, and what came back of it. Complaints: of mail to providers that report them."""

    mails: Mapping[Signal, int]
    events: Mapping[Signal, int]
    state: str | None = None  #: AWS's word, if it is not HEALTHY
    lanes: Mapping[Signal, Sequence[LaneShare]] = field(default_factory=dict[Signal, Sequence[LaneShare]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Mails of a lane by hour, in hours since 1970."""

    hours: Mapping[int, int]
    largest_day: int  #: of eight weeks without the newest two days
    allowed: int  #: mails a day that the tenant announced, or that a person said are normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An open hold of the breaker."""

    hold: Hold
    decision: int | None  #: that it carries out
    does: str  #: stop, slow, probe or wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What one round writes, in one transaction."""

    fold: int
    new: Sequence[Kept] = ()
    ended: Sequence[End] = ()
    changed: Sequence[Kept] = ()  #: mode, done, rate and hold of open ones
    standings: Sequence[Standing] = ()
    gone: Sequence[Key] = ()  #: standings that are healthy again

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.ended or self.changed or self.standings or self.gone)


def signal_of(text: str) -> Signal | None:
    """None of volume and account."""
    return Signal(text) if text in set(Signal) else None
