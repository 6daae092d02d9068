"""A decision as sentences: what was seen, who caused it, what was done, what still flows, what next (detection.md 16.8)."""

from collections.abc import Sequence

from mailcordon.core.limit import Mode
from mailcordon.guard.breaker.cases import IDLE_MINUTES, Case
from mailcordon.guard.breaker.measures import MEASURES
from mailcordon.guard.breaker.nouns import Decision, Dimension, Level, Phase, Slice, Standing
from mailcordon.guard.delays import Signal
from mailcordon.messages import arming as arming_messages
from mailcordon.messages import breaker as messages
from mailcordon.messages import breaker_probes as probes
from mailcordon.observe.breaker.records import MINUTE_MS, Kept, Watched, part_of, slices_of

MOST_SHARES = 3
NEARLY_ALL = 0.8


def named(slices: Sequence[Slice]) -> list[messages.Named]:
    return [(str(one.dimension), one.value) for one in slices]


def seen(decision: Decision, lane: Watched, findings: Sequence[tuple[str, str]] = ()) -> str:
    """`findings`: SES's own open ones about the tenant, with their impacts."""
    signal = str(decision.signal)
    pool = next((one for one in decision.guilty if one.dimension is Dimension.POOL), None)
    if pool is not None:
        first = messages.pool_seen(
            pool=pool.value,
            lanes=members(decision),
            events=decision.events,
            mails=decision.mails,
            ceiling=decision.ceiling,
            signal=signal,
        )
        return " ".join([first, *_opinions(findings)])
    first = messages.seen(
        of=lane.name,
        signal=signal,
        events=decision.events,
        mails=decision.mails,
        since=decision.since * MINUTE_MS,
        usual=decision.usual,
        ceiling=decision.ceiling,
        half=str(decision.half),
        days=decision.days,
        above=decision.over_the_ceiling,
    )
    return " ".join([first, messages.cause(signal=signal, shares=_shares(decision)), *_opinions(findings)])


def _shares(decision: Decision) -> list[messages.Share]:
    """The parts that bring what is too much. If the first brings nearly all of it, the others hold the same mail."""
    parts: list[messages.Share] = [
        (named(one.slices), one.share, one.events, one.mails)
        for one in decision.suspects[:MOST_SHARES]
        if all(each.dimension is not Dimension.LANE for each in one.slices)
    ]
    return parts[:1] if parts and parts[0][1] >= NEARLY_ALL else parts


def members(decision: Decision) -> int:
    """Lanes of a pool."""
    found = decision.evidence.get("members")
    return found if isinstance(found, int) else 1


def _opinions(findings: Sequence[tuple[str, str]]) -> list[str]:
    return [messages.second_opinion(found=found, impact=impact) for found, impact in findings[:2]]


def at_fault(decision: Decision) -> tuple[Slice, ...]:
    """What it acts on; of a decision about a whole lane, the part that brings nearly all of what is too much."""
    if decision.guilty:
        return decision.guilty
    for one in decision.suspects:
        if all(each.dimension is not Dimension.LANE for each in one.slices):
            return one.slices if len(one.slices) == 1 and one.share >= NEARLY_ALL else ()
    return ()


def done(kept: Kept, lane: Watched, standing: Standing | None, *, out: int = 0) -> str:
    """What was done about it, what still flows, and what comes next. `out`: mails of the probe that have left."""
    part = named(slices_of(kept.part))
    return " ".join(
        [
            _did(kept, lane, part),
            messages.flows(of=lane.name, tenant=lane.slug, part=part),
            _next(kept, lane, standing, out),
        ]
    )


def _did(kept: Kept, lane: Watched, part: Sequence[messages.Named]) -> str:
    if kept.level is Level.WARN:
        return messages.warned(of=lane.name)
    if kept.document.get("shadow"):
        return messages.volume_told(of=lane.name)
    if kept.mode is not Mode.ENFORCE:
        return messages.would(
            of=lane.name,
            part=part,
            level=int(kept.level),
            waiting=kept.waiting,
            why=arming_messages.shadow_because(reasons=reasons(lane, kept.half)),
        )
    if kept.signal == "volume":
        return messages.volume_slowed(of=lane.name, rate=kept.rate or 0.0)
    if kept.level is Level.CORDON:
        return messages.held(of=lane.name, part=part, waiting=kept.waiting)
    if any(kind == Dimension.POOL for kind, _ in part):
        return messages.capped(of=lane.name, cap=int(kept.rate or 0))
    return messages.slowed(of=lane.name, part=part, rate=kept.rate or 0.0)


def reasons(lane: Watched, half: str) -> list[str]:
    """Why a half does not enforce, in a few words each."""
    if lane.arming is None:
        return [arming_messages.why_unjudged()]
    failed = [check for check in lane.arming.checks if not check.ok]
    blocking = [
        arming_messages.why_not(check=str(check.name))
        for check in failed
        if half != "absolute" or check.name in _ABSOLUTE
    ]
    return blocking[:2]


_ABSOLUTE = ("proof", "feedback", "attribution")


def _next(kept: Kept, lane: Watched, standing: Standing | None, out: int) -> str:
    part = named(slices_of(kept.part))
    if kept.level is Level.WARN:
        return messages.warn_next(tenant=lane.slug)
    if kept.signal == "volume":
        return messages.volume_next(tenant=lane.slug)
    if kept.mode is not Mode.ENFORCE:
        return messages.arm_next(tenant=lane.slug, type=lane.facts.type)
    if kept.signal == "account":
        return messages.account_next()
    if kept.level is Level.THROTTLE:
        return messages.quiet_next()
    if standing is not None and standing.phase is Phase.PROBING and standing.probe_mails:
        return messages.probing(mails=standing.probe_mails, out=min(out, standing.probe_mails))
    ask = (
        messages.refused_next(tenant=lane.slug, type=lane.facts.type)
        if kept.signal == Signal.BLOCKS
        else messages.ask_next(tenant=lane.slug, part=part)
    )
    if standing is None:
        return ask
    probe = Case.of(standing)
    if probe.is_part:
        return f"{ask} {messages.part_next(until=(standing.since + IDLE_MINUTES) * MINUTE_MS)}"
    return " ".join(
        [
            ask,
            *([probes.probe_failed()] if probe.failed_probes else []),
            messages.probe_next(
                at=(standing.since + probe.cool_minutes) * MINUTE_MS,
                mails=MEASURES[standing.signal].probe_mails,
            ),
        ]
    )


def ended(decision: Decision, standing: Standing | None) -> str:
    """Why a decision is over. `standing`: as it was before."""
    match decision.why:
        case "probed":
            return messages.probed(mails=standing.probe_mails if standing is not None else 0)
        case "expired":
            return messages.expired()
        case "accepted":
            return messages.accepted_end()
        case _:
            return messages.quiet()


def numbers(decision: Decision, findings: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The numbers below the sentence."""
    return {
        **decision.evidence,
        "at_fault": part_of(at_fault(decision)),
        "nats": round(decision.nats, 2),
        "threshold": round(decision.threshold, 2),
        "days": round(decision.days),
        "events": decision.events,
        "mails": decision.mails,
        "usual": round(decision.usual, 2),
        "ceiling": decision.ceiling,
        "over_the_ceiling": decision.over_the_ceiling,
        "suspects": [
            {
                "part": [{"kind": str(one.dimension), "name": one.value} for one in suspect.slices],
                "events": suspect.events,
                "mails": suspect.mails,
                "expected": round(suspect.expected, 2),
                "nats": round(suspect.nats, 2),
                "share": round(suspect.share, 3),
            }
            for suspect in decision.suspects[:MOST_SHARES]
        ],
        "ses_findings": [{"type": type, "impact": impact} for type, impact in findings],
    }
