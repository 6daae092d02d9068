"""Counts and rates for people: what is asked, and what is answered.

The store reads counts with their exposure (rates.py); the rates of a line, and how they compare with the line's own past and
with the fleet, are computed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from mailcordon.core.feedback import Mark
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.delays import Signal
from mailcordon.observe import rates
from mailcordon.observe.rates import Rate
from mailcordon.observe.windows import DAY, HOUR, MINUTE, MINUTE_MS, Window

By = Literal[
    "lane",
    "tenant",
    "type",
    "class",
    "campaign",
    "list",
    "provider",
    "domain",
    "pool",
    "day",
    "hour",
    "minute",
]
Per = Literal["lane", "tenant", "type", "domain", "pool"]  #: what `top` ranks
Ranking = Literal["bounces", "complaints", "blocks", "volume"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricScope:
    """Whose mail is read. `as_tenant`: the caller has a tenant's key, and the database enforces the limit too."""

    tenant: int | None  #: None: every tenant's
    as_tenant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """Mail sent in a window, in lines by something."""

    by: By
    window: Window
    tenants: Sequence[str] | None = None  #: slugs; None: all of the scope
    type: str | None = None
    class_: Class | None = None
    provider: Provider | None = None
    campaign: str | None = None
    list: str | None = None
    after: str | None = None  #: the key of the last line of the page before
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TopQuery:
    per: Per
    ranking: Ranking
    window: Window
    movers: bool = False  #: by what each adds to the change of the whole rate, not by its own
    class_: Class | None = None
    provider: Provider | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The mail that feedback can have come of by now, for each signal. `complaints`: at providers that report them."""

    bounces: float
    complaints: float
    blocks: float
    delays: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLine:
    key: str  #: also the cursor of the page after it
    by: By | Literal["all"]
    counts: Mapping[str, int]  #: by core.cohort.COLUMNS
    silent_sent: int  #: of them, mail to providers that report no complaints
    silent_complained: int
    exposure: Exposure
    tenant: str | None = None
    type: str | None = None
    class_: Class | None = None
    provider: Provider | None = None
    campaign: str | None = None
    list: str | None = None
    domain: str | None = None
    pool: str | None = None
    at: int | None = None  #: minutes since 1970: where the minute, hour or day begins
    lane: int | None = None  #: the lane that it is about, if it is one
    tenant_id: int | None = None
    marks: Sequence[Mark] = ()  #: lost feedback that makes its rates unreliable
    moved: bool = False  #: a lane's domain or IP pool changed in the window; all of its mail is counted under those of now


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What became of a lane's mail in a window, in deliveries: `queued_before + accepted` is the sum of all that follow."""

    tenant: str
    type: str
    class_: Class
    since: int | None  #: where the window begins; None: with the lane
    queued_before: int
    accepted: int
    sent: int
    refused: int
    expired: int
    cancelled: int
    given_up: int
    rejected: int
    no_outcome: int
    queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """A hold or stop that kept mail of the lanes shown from leaving, in a part of the window."""

    what: Literal["hold", "stop"]
    id: int
    sentence: str  #: as the lanes and deliveries that it covers say it
    since: int
    until: int | None  #: None: it still does


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All mail of the window and of the time before it. None: there was none."""

    now: MetricLine | None
    before: MetricLine | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    lines: Sequence[MetricLine]
    #: Of the same keys, in the time before the window, with the counts that rates are made of; not of times and campaigns.
    past: Mapping[str, MetricLine]
    window: Window  #: as it was read: it may begin a little earlier than was asked
    past_window: Window
    marks: Sequence[Mark] = ()  #: lost feedback that covers a part of the window
    fleet: Mapping[Class, MetricLine] = field(default_factory=dict[Class, MetricLine])  #: for platform keys
    flows: Mapping[str, Flow] = field(default_factory=dict[str, Flow])  #: of lanes, by key
    kept: Sequence[Keeping] = ()  #: the newest holds and stops of the window, at most 20 of each
    next: str | None = None  #: the key after which the next page begins; None: there is none
    shares: Mapping[str, float] = field(
        default_factory=dict[str, float]
    )  #: by key, of movers: what each adds to the change
    total: Total | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a lane belongs."""

    tenant: int
    type: str
    class_: Class


class MetricsReader(Protocol):
    async def now(self) -> int:
        """Minutes since 1970, by the database's clock."""
        ...

    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_id(self, tenant: int, type: str) -> int | None: ...

    async def has_type(self, type: str) -> bool: ...

    async def metrics(self, scope: MetricScope, query: MetricQuery) -> Page: ...

    async def top(self, query: TopQuery) -> Page:
        """The worst first; without lines in which nothing happened."""
        ...


def rates_of(line: MetricLine) -> dict[Signal, Rate]:
    """The rates of a line that has counts of all kinds."""
    sent = line.counts["sent"]
    return {
        Signal.BOUNCES: rates.aged(line.counts["hard_bounced"], sent, line.exposure.bounces),
        Signal.COMPLAINTS: rates.complaints(
            line.counts["complained"],
            sent,
            line.exposure.complaints,
            silent_complained=line.silent_complained,
            silent_sent=line.silent_sent,
        ),
        Signal.BLOCKS: rates.aged(blocked(line.counts), sent, line.exposure.blocks),
        Signal.DELAYS: rates.aged(line.counts["delayed"], sent, line.exposure.delays),
    }


def ranked(
    lines: Sequence[MetricLine], before: Sequence[MetricLine], query: TopQuery
) -> list[tuple[str, float]]:
    """The keys of the lines, the first first, with their ranks: by evidence, by volume, or by what each adds to the change since
    `before`. The database ranks what has many lines by the same rules."""
    if query.ranking == "volume":
        found = [(line.key, float(line.counts["sent"])) for line in lines if line.counts["sent"] > 0]
    elif query.movers:
        signal = Signal(query.ranking)
        now, then = ({line.key: _mail(line, signal) for line in each} for each in (lines, before))
        keys = sorted({*now, *then})
        shares = rates.movement((*now.get(k, _NONE), *then.get(k, _NONE)) for k in keys)
        way = -1 if sum(shares) < 0 else 1
        found = [(key, share) for key, share in zip(keys, shares, strict=True) if share * way >= LEAST_SHARE]
    else:
        signal = Signal(query.ranking)
        found = [
            (line.key, rates.evidence(events, mail, rates.HEALTHY[signal]))
            for line in lines
            for events, mail in [_mail(line, signal)]
            if events > 0
        ]
    return sorted(found, key=lambda one: (-abs(one[1]) if query.movers else -one[1], one[0]))


_NONE = (0, 0.0)
#: Less than this moves nothing that anybody could read: 0.0005 percentage points.
LEAST_SHARE = 0.000005


def _mail(line: MetricLine, signal: Signal) -> tuple[int, float]:
    """Events and the mail that they are of."""
    return rates_of(line)[signal].events, getattr(line.exposure, signal.value)


def blocked(counts: Mapping[str, int]) -> int:
    """Bounces that a receiver gave for spam, reputation or policy. A message too large for it counts with content."""
    return counts["sender_reputation"] + counts["content"] + counts["policy"]


def marked(
    lines: Sequence[MetricLine], marks: Sequence[Mark], places: Mapping[int, Place]
) -> list[MetricLine]:
    """The lines with the losses of feedback that concern them, each loss once. `places`: of the lanes of the marks."""
    made: list[MetricLine] = []
    for line in lines:
        found = {
            (mark.signal, mark.since, mark.until, mark.late): mark
            for mark in marks
            if _concerns(mark, line, places.get(mark.lane))
        }
        made.append(replace(line, marks=tuple(found.values())) if found else line)
    return made


def _concerns(mark: Mark, line: MetricLine, place: Place | None) -> bool:
    """A line by domain, pool, campaign or list may count mail of any of the lanes."""
    if line.by == "lane":
        return mark.lane == line.lane
    if line.by == "provider":
        return mark.provider is None or mark.provider == line.provider
    if line.at is not None:
        start, end = line.at * MINUTE_MS, (line.at + _SPANS[line.by]) * MINUTE_MS
        return mark.since < end and (mark.until is None or mark.until > start)
    if place is None or line.by not in ("tenant", "type", "class"):
        return True
    own = {
        "tenant": line.tenant_id == place.tenant,
        "type": line.type == place.type,
        "class": line.class_ is place.class_,
    }
    return own[line.by]


_SPANS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
