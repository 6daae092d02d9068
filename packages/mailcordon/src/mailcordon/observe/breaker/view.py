"""What people read of the breaker: its decisions, and what it may do to each lane. Times are milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.limit import Mode
from mailcordon.guard.arming import Check, Wish
from mailcordon.guard.breaker.cases import Case
from mailcordon.guard.breaker.measures import MEASURES
from mailcordon.guard.breaker.nouns import Level, Phase, Standing
from mailcordon.messages import arming as arming_messages
from mailcordon.messages import breaker as messages
from mailcordon.messages import breaker_probes as probes
from mailcordon.observe.breaker.carrying import PROBE_SECONDS
from mailcordon.observe.breaker.records import Sharer, slices_of
from mailcordon.observe.view import ReadScope


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """As a tenant sees it, the last six are empty."""

    id: int
    tenant: str
    type: str
    part: str
    signal: str
    half: str
    level: Level
    mode: Mode
    at: int
    since: int
    seen: str
    done: str
    waiting: int
    rate: float | None
    hold: int | None
    accepted_at: int | None
    ended_at: int | None
    ended_because: str | None
    accepted_by: str | None = None
    ended_by: str | None = None
    document: Mapping[str, object] = field(default_factory=dict[str, object])
    sharers: Sequence[Sharer] = ()
    incident: int | None = None

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.type}"

    @property
    def sentence(self) -> str:
        if self.ended_at is not None:
            return f"{self.seen} {messages.over(because=self.ended_because or '')}"
        return f"{self.seen} {self.done}"

    @property
    def blast(self) -> str:
        """Who else is touched."""
        return messages.blast(
            others=0,
            domain=sum(one.shares == "domain" for one in self.sharers),
            pool=sum(one.shares == "pool" for one in self.sharers),
        )

    @property
    def command(self) -> str | None:
        """Undoes it."""
        return None if self.ended_at is not None else messages.accept(decision=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    lane: int
    tenant: str
    type: str
    policy: Mode
    absolute: Mode
    relative: Mode
    proposed: bool
    lost_since: int | None
    judged_at: int | None  #: None: not judged yet
    wish: Wish | None
    wish_at: int | None
    wish_by: str | None
    wish_because: str | None
    checks: Sequence[Check]
    open: int  #: decisions
    one_cause: int = (
        0  #: hard bounces of today (UTC) that it leaves out: many at one recipient domain have one cause
    )

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.type}"

    @property
    def sentence(self) -> str:
        state = arming_messages.state(
            wish=None if self.wish is None else str(self.wish),
            policy=str(self.policy),
            absolute=str(self.absolute),
            relative=str(self.relative),
            proposed=self.proposed,
        )
        return f"{state}; {arming_messages.one_cause(bounces=self.one_cause)}" if self.one_cause else state


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    """What trying the mail of a decision at once would do."""

    possible: bool
    mails: int  #: that may leave
    sentence: str  #: what it would do, or why nothing can be tried


def probe(found: DecisionView, standing: Standing | None) -> ProbeView:
    """`standing`: what the breaker knows of the decision's part; None: nothing yet."""
    part = slices_of(found.part)
    named = [(str(one.dimension), one.value) for one in part]

    def refused(sentence: str) -> ProbeView:
        return ProbeView(possible=False, mails=0, sentence=sentence)

    if found.ended_at is not None:
        return refused(messages.is_over(id=found.id, because=found.ended_because or ""))
    if found.mode is not Mode.ENFORCE or found.level is not Level.CORDON or standing is None:
        return refused(probes.holds_nothing(id=found.id))
    case = Case.of(standing)
    if case.is_part:
        return refused(probes.not_tried(id=found.id, part=named))
    if standing.phase is Phase.PROBING:
        return refused(probes.is_tried(id=found.id))
    if standing.phase is not Phase.CORDONED:
        return refused(probes.holds_nothing(id=found.id))
    mails = MEASURES[standing.signal].probe_mails
    case.failed_probes += 1
    said = probes.would_probe(
        of=messages.named(named, found.name),
        mails=mails,
        waiting=found.waiting,
        minutes=PROBE_SECONDS // 60,
        again=case.cool_minutes,
    )
    return ProbeView(possible=True, mails=mails, sentence=f"{said} {probes.probe_touches()}")


class BreakerReads(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...

    async def decisions(
        self,
        scope: ReadScope | None,
        *,
        id: int | None = None,
        type: str | None = None,
        incident: int | None = None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> Sequence[DecisionView]:
        """The newest first. `scope`: None reads all tenants. `incident`: only those that it is about, and none for a tenant."""
        ...

    async def lanes(
        self, scope: ReadScope | None, *, type: str | None, after: int, limit: int
    ) -> Sequence[LaneView]: ...

    async def probe(self, decision: DecisionView) -> ProbeView: ...


class BreakerChanges(Protocol):
    async def accept(self, id: int, *, actor: str, because: str) -> None:
        """Raises NotFound, and Conflict if it is over."""
        ...

    async def try_now(self, id: int, *, actor: str, because: str) -> None:
        """Raises NotFound, and Conflict if nothing of it can be tried."""
        ...

    async def wish(self, tenant: int, slug: str, type: str, wish: Wish, *, actor: str, because: str) -> None:
        """Raises NotFound, and Conflict with what is missing if the lane cannot be armed yet."""
        ...
