"""The course of a rollout: what a look decides, and what becomes of its standing.

A share grows when its hours and mails are over, every line of the checklist holds and every gate passes. A breach goes back
at once, whoever holds the rollout and whatever is frozen. After a way back it rests: a day, twice as long after each
further one. What led back has to be mended and a person begins again, at the first share and with new evidence.
"""

from collections.abc import Iterable
from dataclasses import replace

from mailcordon.guard.rollouts import checklist, gates
from mailcordon.guard.rollouts.nouns import (
    Decision,
    Facts,
    Freeze,
    Gate,
    Measure,
    Override,
    Standing,
    State,
    Verdict,
)
from mailcordon.messages import rollouts as words

#: By the share reached: hours that it lasts at least, and mails of the new path whose bounces have come. Choices: the hours give
#: complaints time (median 6 h, detection.md 5), the mails are what the gates need to show that nothing is lost.
HOURS = ((1, 6.0), (5, 24.0), (25, 24.0), (50, 48.0))
MAILS = ((1, 50), (5, 200), (25, 500), (50, 1000))

#: Rest after a way back, in hours: so many after the first, twice as many after each further one, a week at most.
REST_HOURS = 24.0
MOST_REST_HOURS = 7 * 24.0

#: A rollout that is being finished is watched too: the old path stands until the plan is applied.
WATCHED = (State.RUNNING, State.HELD, State.STANDING, State.FINISHING)

HOUR_MS = 3_600_000


def hours(share: int, pace: float = 1.0) -> float:
    """How long a share lasts at least."""
    return pace * next((least for until, least in HOURS if share <= until), HOURS[-1][1])


def mails(share: int) -> int:
    """How many mails the new path has at least before the share grows."""
    return next((least for until, least in MAILS if share <= until), MAILS[-1][1])


def next_share(standing: Standing) -> int | None:
    """The share after the present one; None after the last."""
    return next((share for share in standing.shares if share > standing.share), None)


def rests_until(standing: Standing) -> int | None:
    """Until when a rollout that went back may not begin again; ms since 1970."""
    if standing.state is not State.BACK or standing.backs < 1:
        return None
    rest = min(MOST_REST_HOURS, REST_HOURS * 2 ** (standing.backs - 1))
    return standing.since + round(rest * HOUR_MS)


def look(standing: Standing, facts: Facts) -> Decision:
    """What to do now. The same standing and facts give the same decision, before a kill and after it."""
    if standing.state not in WATCHED:
        return Decision(
            verdict=Verdict.WAIT, share=standing.share, sentence=words.nothing_to_decide(standing.state.value)
        )
    judged = gates.judge(standing, facts)
    breach = _breach(standing, facts, judged)
    if breach is not None:
        return Decision(
            verdict=Verdict.BACK, share=0, sentence=words.back(standing.share, breach), gates=judged
        )
    target = next_share(standing)
    if target is None:
        return Decision(verdict=Verdict.WAIT, share=standing.share, sentence=words.stands(), gates=judged)
    blocked = _unless_overridden(_blocks(standing, facts, judged, target), target, facts.overrides)
    sentences = [sentence for _, sentence in blocked]
    if standing.state is State.HELD:
        sentences.insert(0, words.held())
    if sentences:
        return Decision(
            verdict=Verdict.WAIT,
            share=standing.share,
            sentence=words.waits(standing.share, target, sentences),
            gates=judged,
            blocked_by=tuple(key for key, _ in blocked),
        )
    return Decision(
        verdict=Verdict.PASS, share=target, sentence=words.grows(standing.share, target), gates=judged
    )


def may_advance(standing: Standing, facts: Facts) -> Decision:
    """What stands in the way if a person asks for the next share now: `pass` or `wait`. A rollout that went back begins again at
    its first share, after its rest."""
    again = standing.state is State.BACK
    at = replace(standing, state=State.RUNNING, share=0) if again else standing
    target = next_share(at)
    if target is None:
        return Decision(verdict=Verdict.WAIT, share=standing.share, sentence=words.stands())
    judged = gates.judge(at, facts)
    blocked = _unless_overridden(_blocks(at, facts, judged, target), target, facts.overrides)
    until = rests_until(standing)
    if until is not None and facts.now < until and not _overridden("rest", target, facts.overrides):
        blocked.insert(0, ("rest", words.rests(until)))
    if not blocked:
        return Decision(
            verdict=Verdict.PASS, share=target, sentence=words.grows(standing.share, target), gates=judged
        )
    return Decision(
        verdict=Verdict.WAIT,
        share=standing.share,
        sentence=words.waits(standing.share, target, [sentence for _, sentence in blocked]),
        gates=judged,
        blocked_by=tuple(key for key, _ in blocked),
    )


def override(key: str, standing: Standing, *, by: str, because: str) -> Override:
    """Lets one thing pass, for the share that comes next. A breach is let pass at the share that it is at."""
    again = standing.state is State.BACK
    target = next_share(replace(standing, share=0) if again else standing)
    return Override(key=key, share=target or standing.share, by=by, because=because)


def keys(facts: Facts) -> frozenset[str]:
    """All that an override can name."""
    return frozenset(
        {
            *("freeze", "time", "mails", "rest"),
            *(f"gate:{measure}" for measure in Measure),
            *(item.key for item in facts.checklist),
        }
    )


def after(standing: Standing, decision: Decision, now: int) -> Standing:
    """The standing once the decision is carried out, at `now` (ms since 1970)."""
    match decision.verdict:
        case Verdict.WAIT:
            return standing
        case Verdict.PASS:
            state = State.STANDING if decision.share >= 100 else State.RUNNING
            return replace(standing, state=state, share=decision.share, since=now)
        case Verdict.BACK:
            return replace(standing, state=State.BACK, share=0, since=now, backs=standing.backs + 1)


def _breach(standing: Standing, facts: Facts, judged: tuple[Gate, ...]) -> str | None:
    """Why the rollout goes back now. A gate that a person let pass at this share is no breach."""
    for gate in judged:
        if gate.verdict is Verdict.BACK and not _overridden(
            f"gate:{gate.measure}", standing.share, facts.overrides
        ):
            return gate.sentence
    for item in facts.checklist:
        if checklist.breaks(item, facts.now) and not _overridden(item.key, standing.share, facts.overrides):
            return item.said
    return None


def _blocks(
    standing: Standing, facts: Facts, judged: tuple[Gate, ...], target: int
) -> Iterable[tuple[str, str]]:
    """What keeps the share from growing to `target`, with the key that an override names it by."""
    freeze = frozen(facts.freezes, facts.now)
    if freeze is not None:
        yield "freeze", words.frozen(freeze.until, freeze.because)
    if standing.share > 0:
        least = hours(standing.share, standing.pace)
        over = standing.since + round(least * HOUR_MS)
        if facts.now < over:
            yield "time", words.too_early(standing.share, least, over)
        mature = gates.mature_mails(facts)
        if mature < mails(standing.share):
            yield "mails", words.too_few(round(mature), mails(standing.share))
    for item in facts.checklist:
        if checklist.blocks(item, target):
            yield item.key, item.said
    for gate in judged:
        if gate.verdict is not Verdict.PASS:
            yield f"gate:{gate.measure}", gate.sentence


def _unless_overridden(
    blocks: Iterable[tuple[str, str]], target: int, overrides: tuple[Override, ...]
) -> list[tuple[str, str]]:
    return [(key, sentence) for key, sentence in blocks if not _overridden(key, target, overrides)]


def _overridden(key: str, share: int, overrides: tuple[Override, ...]) -> bool:
    return any(override.key == key and override.share == share for override in overrides)


def frozen(freezes: tuple[Freeze, ...], now: int) -> Freeze | None:
    """The freeze that holds now; the one that ends last, if there are several."""
    there = [freeze for freeze in freezes if freeze.since <= now < freeze.until]
    return max(there, key=lambda freeze: freeze.until, default=None)
