"""Paced release: a large batch leaves in steps, and feedback opens the next one (detection.md, section 9).

At 20,000 mails a minute even a perfect detector acts after 20,000 mails. So a batch begins with a small step, waits until its
prompt bounces have come, and goes on three times as fast each minute as long as they are healthy. Silence opens nothing: if the
outcomes of what left do not come back, the batch waits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from mailcordon.core.limit import Mode
from mailcordon.guard import excess
from mailcordon.guard.delays import DEFAULTS, Signal
from mailcordon.guard.policy.effective import ReleasePolicy

#: Without new mail for so long, the size of a batch is known.
SETTLED_MS = 10_000
#: A batch of which nothing waits and nothing came for so long is over. The next mail of its name begins a new one.
QUIET_MS = 30 * 60_000
#: Share of the mail that left whose outcome must have come back. Most outcomes come within seconds; the rest is what providers
#: defer, and a deferral is an outcome too.
HEARD = 0.5
#: So much of a step must have left before the next one opens: feedback about a step that nobody used is none.
USED = 0.5
#: The rates that no healthy campaign passes (detection.md, section 6), and the nats of a warning for marketing mail (section 7).
CEILING = {Signal.BOUNCES: 0.025, Signal.COMPLAINTS: 0.001}
CLOSE_NATS = 5.9
#: Hysteresis: a closed release reopens below a tenth of that evidence.
REOPEN_NATS = CLOSE_NATS - math.log(10)
#: A share of a list that is smaller than this tells nothing.
LEAST_CANARY = 50
#: More than any batch has: nothing waits for it.
ALL = 10**12


class Phase(StrEnum):
    STEPS = "steps"  #: mail beyond the open step waits
    CLOSED = "closed"  #: feedback is bad, so nothing more leaves
    OPEN = "open"  #: nothing waits for this release any more
    OVER = "over"  #: the batch is out


class Why(StrEnum):
    """What the release stands for at present."""

    SIZE = "size"  #: the batch still arrives, or is small enough to leave at once
    NOTHING_LEFT = "nothing-left"  #: none of its mail has left yet
    AGE = "age"  #: the feedback of the step cannot have come yet
    SILENCE = "silence"  #: it could have come, and has not
    UNUSED = "unused"  #: the open step is not used up
    PACE = "pace"  #: the next step is not due yet
    CANARY = "canary"  #: a share of a fresh list leaves first
    WARNED = "warned"  #: the breaker warns of this mail
    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    HEALTHY = "healthy"  #: the steps are as wide as the lane is fast
    SMALL = "small"  #: it is no large batch
    PERSON = "person"  #: somebody opened it
    OVER = "over"


class Minute(NamedTuple):
    """What one minute's mail of the batch came to. `minute` is since 1970, of the call to SES."""

    minute: int
    sent: int
    heard: int  #: with any outcome: delivered, bounced, delayed, rejected
    bounces: int  #: hard ones
    complaints: int
    reporting: int  #: of the mail sent, what went to providers that report complaints


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Where a release stands. Times are milliseconds since 1970."""

    began_at: int
    phase: Phase = Phase.STEPS
    step: int = 0  #: 0 is the first one
    cap: int = 0  #: mails that may have left in all, since it began
    opened_at: int = 0  #: when the step was opened
    base: int = 0  #: mails that were out when the steps began, or began again
    left_at: int | None = None  #: when the first mail after these was seen to have left
    why: Why = Why.SIZE
    next_at: int | None = None  #: the earliest time of the next step; None: time alone opens nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the batch at `now`. Counts are since the release began."""

    now: int  #: milliseconds since 1970
    size: int  #: deliveries that were accepted
    last_accepted: int  #: when
    queued: bool  #: some of its mail may be in the queue
    minutes: Sequence[Minute] = ()  #: of its mail, in order
    busy_day: float = 0.0  #: mails of the lane on a busy day; 0: not known
    rate: float | None = None  #: mails a second that the lane can send; None: not known
    warned: bool = False  #: the breaker warns of this mail, or does more
    fresh_list: bool = False  #: a list that the lane never mailed before

    @property
    def out(self) -> int:
        return sum(one.sent for one in self.minutes)


class Feedback(NamedTuple):
    """What came back, and what it says."""

    out: int  #: mails that left
    heard: int  #: of these, with an outcome
    bounces: int
    usual_bounces: float  #: at the ceiling, of mail of this age
    complaints: int
    usual_complaints: float

    @property
    def nats(self) -> dict[Why, float]:
        return {
            Why.BOUNCES: excess.nats(self.bounces, self.usual_bounces),
            Why.COMPLAINTS: excess.nats(self.complaints, self.usual_complaints),
        }

    @property
    def worst(self) -> tuple[Why, float]:
        return max(self.nats.items(), key=lambda one: one[1])


def begin(policy: ReleasePolicy, now: int) -> Release:
    return Release(began_at=now, cap=policy.first, opened_at=now)


def threshold(policy: ReleasePolicy, busy_day: float) -> int:
    """Deliveries above which a batch is paced. The first step of a smaller one is all of it, so it is at least that."""
    share = policy.above_share * busy_day
    most = policy.above_mails if share <= 0 else min(policy.above_mails, math.ceil(share))
    return max(policy.first, most)


def feedback(minutes: Sequence[Minute], now: int) -> Feedback:
    """Each minute's mail is taken to be sent evenly over its minute. Counts may be negative for a moment while mail moves between
    minutes: they count as 0."""
    out = heard = bounces = complaints = 0
    expected_bounces = expected_complaints = 0.0
    for one in minutes:
        age = round(now / 1000) - 60 * one.minute
        out += one.sent
        heard += max(0, min(one.heard, one.sent))
        bounces += one.bounces
        complaints += one.complaints
        expected_bounces += max(0, one.sent) * CEILING[Signal.BOUNCES] * _seen(Signal.BOUNCES, age)
        expected_complaints += (
            max(0, one.reporting) * CEILING[Signal.COMPLAINTS] * _seen(Signal.COMPLAINTS, age)
        )
    return Feedback(out, heard, bounces, expected_bounces, complaints, expected_complaints)


@lru_cache(maxsize=100_000)
def _seen(signal: Signal, age: int) -> float:
    """The share of feedback that has come for a minute's mail whose first is so many seconds old."""
    return DEFAULTS[signal].mean(age - 60, age)


def steps_mails(policy: ReleasePolicy, step: int) -> int:
    """Mails of one step. Steps beyond any batch are as large as `ALL`."""
    try:
        return max(1, min(ALL, math.floor(policy.first * policy.factor**step)))
    except OverflowError:
        return ALL


def allowed(release: Release, facts: Facts, policy: ReleasePolicy) -> int | None:
    """Mails that may have left in all; None: no limit."""
    if release.phase in (Phase.OPEN, Phase.OVER):
        return None
    if release.phase is Phase.CLOSED:
        return 0
    canary = _canary(facts, policy)
    return release.cap if canary is None else min(release.cap, canary)


def decide(release: Release, facts: Facts, policy: ReleasePolicy) -> Release:
    """Where the release stands after a look at `facts`. The clock may have been set back: times ahead of it count as now."""
    now = facts.now
    if release.phase is Phase.OVER:
        return release
    if release.opened_at > now or release.began_at > now:
        release = replace(release, opened_at=min(release.opened_at, now), began_at=min(release.began_at, now))
    if not facts.queued and now - facts.last_accepted >= QUIET_MS:
        return replace(release, phase=Phase.OVER, why=Why.OVER, next_at=None)
    if policy.mode is Mode.OBSERVE:
        return _open(release, Why.SMALL)
    known = feedback(facts.minutes, now)
    signal, nats = known.worst
    if release.why is Why.PERSON:
        return release
    if facts.warned or nats >= CLOSE_NATS:
        why = signal if nats >= CLOSE_NATS else Why.WARNED
        if release.phase is Phase.CLOSED:
            return replace(release, why=why)
        return replace(release, phase=Phase.CLOSED, cap=facts.out, opened_at=now, why=why, next_at=None)
    if release.phase is Phase.CLOSED:
        return _reopen(release, facts, policy, nats)
    if release.phase is Phase.OPEN:
        return release
    if _settled(facts) and facts.size <= threshold(policy, facts.busy_day):
        cap = max(release.cap, threshold(policy, facts.busy_day))
        # It may still grow past the threshold: then it is a large batch of which this much is out.
        return replace(release, cap=cap, why=Why.SMALL, next_at=None)
    return _next_step(release, facts, policy, known)


def opened_by_hand(release: Release) -> Release:
    """A person takes the pace away: nothing closes it again but a hold."""
    return _open(release, Why.PERSON)


def _open(release: Release, why: Why) -> Release:
    return replace(release, phase=Phase.OPEN, why=why, next_at=None)


def _settled(facts: Facts) -> bool:
    return facts.now - facts.last_accepted >= SETTLED_MS


def _reopen(release: Release, facts: Facts, policy: ReleasePolicy, nats: float) -> Release:
    """After a warning that is over, the steps begin anew behind what is out."""
    calm_at = release.opened_at + 1000 * policy.wait_seconds
    if nats >= REOPEN_NATS or facts.now < calm_at:
        return replace(release, next_at=calm_at if nats < REOPEN_NATS else None)
    return replace(
        release,
        phase=Phase.STEPS,
        step=0,
        cap=facts.out + policy.first,
        opened_at=facts.now,
        base=facts.out,
        left_at=None,
        why=Why.AGE,
        next_at=facts.now + 1000 * policy.wait_seconds,
    )


def _next_step(release: Release, facts: Facts, policy: ReleasePolicy, known: Feedback) -> Release:
    now = facts.now
    if facts.out <= release.base:
        return replace(release, why=Why.NOTHING_LEFT, next_at=None)
    if release.left_at is None or release.left_at > now:
        release = replace(release, left_at=now)
    left_at = now if release.left_at is None else release.left_at
    if release.step == 0:
        due, early = left_at + 1000 * policy.wait_seconds, Why.AGE
    else:
        due, early = release.opened_at + 1000 * policy.step_seconds, Why.PACE
    if now < due:
        return replace(release, why=early, next_at=due)
    if known.heard < HEARD * known.out:
        return replace(release, why=Why.SILENCE, next_at=None)
    canary = _canary(facts, policy)
    if canary is not None and release.cap >= canary:
        return replace(release, why=Why.CANARY, next_at=_canary_end(facts, policy))
    size = steps_mails(policy, release.step)
    if facts.out < release.cap - (1 - USED) * size:
        return replace(release, why=Why.UNUSED, next_at=None)
    if facts.rate is not None and size >= facts.rate * policy.step_seconds * policy.factor:
        return _open(release, Why.HEALTHY)
    step = release.step + 1
    return replace(
        release,
        step=step,
        cap=min(ALL, release.cap + steps_mails(policy, step)),
        opened_at=now,
        why=Why.PACE,
        next_at=now + 1000 * policy.step_seconds,
    )


def _canary_end(facts: Facts, policy: ReleasePolicy) -> int | None:
    """When the rest of the list may follow; None while nothing has left."""
    if not facts.minutes:
        return None
    return facts.minutes[0].minute * 60_000 + round(policy.canary_hours * 3_600_000)


def _canary(facts: Facts, policy: ReleasePolicy) -> int | None:
    """Mails of a fresh list that may leave before its complaints can have come; None: no such bound."""
    if not facts.fresh_list or policy.canary_share <= 0:
        return None
    end = _canary_end(facts, policy)
    if end is not None and facts.now >= end:
        return None
    return max(LEAST_CANARY, math.ceil(policy.canary_share * facts.size))
