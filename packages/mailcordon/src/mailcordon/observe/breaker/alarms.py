"""The breaker's alarms: every decision that lasts, and lanes that are armed and went back to shadow.

A decision has the same cause as an alarm about the same rate (observe/rate_watch.py), so both are one incident.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.core.incident import Action, Alarm, Kind, Scope, ScopeKind, Severity
from mailcordon.core.limit import Mode
from mailcordon.guard.arming import Check
from mailcordon.guard.breaker.nouns import Dimension, Level, Slice
from mailcordon.messages import arming as arming_messages
from mailcordon.messages import breaker as messages
from mailcordon.messages import reasons, times
from mailcordon.observe.breaker import words
from mailcordon.observe.breaker.records import ACTOR, Kept, slices_of

_SEVERITIES: dict[Level, Severity] = {Level.WARN: "low", Level.THROTTLE: "medium", Level.CORDON: "high"}
_SCOPES = {
    Dimension.LIST: ScopeKind.LIST,
    Dimension.CAMPAIGN: ScopeKind.CAMPAIGN,
    Dimension.PROVIDER: ScopeKind.PROVIDER,
    Dimension.LANE: ScopeKind.LANE,
    Dimension.POOL: ScopeKind.CELL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDecision:
    kept: Kept
    slug: str
    type: str
    held_since: int | None = None  #: of its hold, if that is open
    held_by: str | None = None
    stops: bool = False
    held: tuple[
        frozenset[Slice], ...
    ] = ()  #: parts of the lane that anybody's holds stop; an empty one: all of it

    @property
    def name(self) -> str:
        return f"{self.slug}/{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostLane:
    lane: int
    tenant: int
    slug: str
    type: str
    since: int
    checks: Sequence[Check]


def severity_of(level: Level) -> Severity:
    """Of the alarm about a decision of this level."""
    return _SEVERITIES[level]


def alarms(decisions: Sequence[OpenDecision], lost: Sequence[LostLane]) -> list[Alarm]:
    return [*(_decided(one) for one in decisions), *(_lost(one) for one in lost)]


def _decided(one: OpenDecision) -> Alarm:
    kept = one.kept
    slices = _at_fault(kept)
    first = slices[0] if slices else None
    # A person's hold contains it as well, also in shadow.
    held = any(part <= frozenset(slices) for part in one.held)
    return Alarm(
        key=f"breaker:{kept.id}",
        kind=Kind.BREAKER,
        cause=_cause(kept),
        severity=severity_of(kept.level),
        scope=Scope(
            kind=ScopeKind.LANE if first is None else _SCOPES[first.dimension],
            name=one.name if first is None else first.value,
        ),
        sentence=kept.seen,
        next=" ".join([kept.done, _blast(kept)]),
        command=_command(one),
        since=kept.since,
        tenant=kept.tenant,
        lane=kept.lane,
        culprit=_culprit(one),
        explained_by=(f"lane:{kept.lane}/rates",) if slices and kept.signal != "account" else (),
        contained=held or "beside" in kept.document,
        evidence={"decision": kept.id, "signal": kept.signal, "half": kept.half, **kept.document},
        actions=_actions(one),
    )


def _command(one: OpenDecision) -> str:
    """What its advice comes to: to drop what waits of a held list or campaign, or to look at the decision or the lane."""
    kept, slices = one.kept, slices_of(one.kept.part)
    if kept.mode is not Mode.ENFORCE or kept.level is Level.WARN:
        return arming_messages.show(tenant=one.slug, type=one.type)
    if (
        kept.level is Level.CORDON
        and len(slices) == 1
        and slices[0].dimension in (Dimension.LIST, Dimension.CAMPAIGN)
    ):
        return messages.drop(tenant=one.slug, type=one.type, kind=slices[0].dimension, name=slices[0].value)
    return messages.accept(decision=kept.id)


def _cause(kept: Kept) -> str:
    if kept.signal == "volume":
        return f"lane:{kept.lane}/volume"
    if kept.signal == "account":
        return "account:review"
    return cause_of(kept.lane, _at_fault(kept))


def cause_of(lane: int, at_fault: Sequence[Slice]) -> str:
    """The cause of an incident about what the breaker saw of a lane's mail."""
    if not at_fault:
        return f"lane:{lane}/rates"
    if at_fault[0].dimension is Dimension.POOL:
        return f"pool:{at_fault[0].value}"
    return f"lane:{lane}/{at_fault[0].dimension}:{at_fault[0].value}"


def _at_fault(kept: Kept) -> tuple[Slice, ...]:
    """What it acts on; of a decision about a whole lane, the part that brings nearly all of what is too much."""
    part = kept.document.get("at_fault", kept.part)
    return slices_of(part if isinstance(part, str) else kept.part)


def _culprit(one: OpenDecision) -> str:
    at_fault = _at_fault(one.kept)
    if at_fault and at_fault[0].dimension is Dimension.POOL:
        return messages.pool_culprit(pool=at_fault[0].value)
    name = messages.named(words.named(at_fault), one.name)
    return name if name == one.name else f"{name} of {one.name}"


def _blast(kept: Kept) -> str:
    return messages.blast(
        others=0,
        domain=sum(one.shares == "domain" for one in kept.sharers),
        pool=sum(one.shares == "pool" for one in kept.sharers),
    )


def _actions(one: OpenDecision) -> tuple[Action, ...]:
    if one.kept.hold is None or one.held_since is None:
        return ()
    text = reasons.held(
        owner=ACTOR,
        by=one.held_by or ACTOR,
        since=times.minute(one.held_since),
        because=one.kept.seen,
        hold=str(one.kept.hold),
        stops=one.stops,
    )
    return (Action(key=f"hold:{one.kept.hold}", at=one.held_since, author=one.held_by or ACTOR, text=text),)


def _lost(one: LostLane) -> Alarm:
    name = f"{one.slug}/{one.type}"
    failed = [check.says for check in one.checks if not check.ok and check.name != "shadow"]
    return Alarm(
        key=f"breaker:shadow:{one.lane}",
        kind=Kind.BREAKER,
        cause=f"lane:{one.lane}/arming",
        severity="medium",
        scope=Scope(kind=ScopeKind.LANE, name=name),
        sentence=arming_messages.disarmed_alarm(lane=name, checks=failed),
        next=arming_messages.disarmed_next(),
        command=arming_messages.prove(tenant=one.slug, type=one.type)
        if any(check.name == "proof" and not check.ok for check in one.checks)
        else arming_messages.show(tenant=one.slug, type=one.type),
        since=one.since,
        tenant=one.tenant,
        lane=one.lane,
        culprit=name,
        evidence={"checks": [str(check.name) for check in one.checks if not check.ok]},
    )
