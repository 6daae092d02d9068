"""Judges whether bounces and complaints come back, by what the past of the same mail lets expect (docs/decisions/033). Pure.

Nobody knows how many bounces must come, as one knows it of Send events. So a road is judged where enough are expected: a
configuration set, a mailbox provider, or all mail. A destination that is known not to publish them needs no expectation.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailcordon.core.feedback import Cause, Signal
from mailcordon.guard import delays
from mailcordon.messages import feedback as messages
from mailcordon.observe.feedback_watch import (
    MINUTE,
    Change,
    Difference,
    Evidence,
    Fault,
    Looked,
    Loss,
    NewLoss,
    Tallies,
)

#: detection.md 5: of so many expected, less than this share came.
EXPECTED_ENOUGH = 50.0
SEEN_SHARE = 0.2
#: None at all of so many: by chance once in 500 million cases.
EXPECTED_FOR_NONE = 20.0

_DELAYS: Mapping[Signal, delays.Delay] = {
    "bounce": delays.DEFAULTS[delays.Signal.BOUNCES],
    "complaint": delays.DEFAULTS[delays.Signal.COMPLAINTS],
}

Scope = tuple[str | None, int | None]  #: configuration set and provider; None: every one


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """Mail of one set and provider in one stretch of time, with what came back and what its own past lets expect by now."""

    configuration_set: str
    provider: int
    since: int
    until: int
    sent: int
    expected: float
    seen: int


@dataclass(frozen=True, slots=True)
class Past:
    """What became of earlier mail of a set and provider."""

    sent: int
    events: int

    @property
    def rate(self) -> float:
        """The lower end of what it lets expect: two standard deviations below, so that a few events prove nothing."""
        if self.sent <= 0:
            return 0.0
        return max(0.0, self.events - 2 * math.sqrt(self.events)) / self.sent


def expected(signal: Signal, past: Past | None, sent: int, *, since: int, until: int, now: int) -> float:
    """How many events have come by now of mail that was sent evenly in this time. Times are milliseconds since 1970."""
    if past is None:
        return 0.0
    return sent * past.rate * _DELAYS[signal].mean((now - until) / 1000, (now - since) / 1000)


def is_stalled(road: Road) -> bool:
    """Whether a kind of event has stopped to come."""
    if road.expected >= EXPECTED_ENOUGH:
        return road.seen < SEEN_SHARE * road.expected
    return road.expected >= EXPECTED_FOR_NONE and road.seen == 0


def stalled(roads: Iterable[Road]) -> dict[Scope, Road]:
    """Where a kind of event has stopped to come, with the sums: everywhere, or of some sets, or of some providers."""
    sums: dict[Scope, Road] = {}
    for road in roads:
        for scope in ((road.configuration_set, None), (None, road.provider), (None, None)):
            so_far = sums.get(scope)
            sums[scope] = road if so_far is None else _sum(so_far, road)
    bad = [scope for scope, road in sums.items() if is_stalled(road)]
    sets = [scope for scope in bad if scope[0] is not None]
    judged = [name for (name, _), road in sums.items() if name and road.expected >= EXPECTED_FOR_NONE]
    if sets and (len(sets) < len(judged) or len(judged) == 1):
        return {scope: sums[scope] for scope in sorted(sets, key=str)}
    if (None, None) in bad:
        return {(None, None): sums[None, None]}
    return {scope: sums[scope] for scope in bad}


def _sum(one: Road, other: Road) -> Road:
    return replace(
        one,
        since=min(one.since, other.since),
        until=max(one.until, other.until),
        sent=one.sent + other.sent,
        expected=one.expected + other.expected,
        seen=one.seen + other.seen,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadFacts:
    now: int
    signal: Signal
    roads: Sequence[Road]  #: of one stretch of time
    tallies: Tallies
    differences: Sequence[Difference]
    looked: Mapping[str, Looked]  #: sets whose destination was read
    losses: Sequence[Loss]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadVerdict:
    new: tuple[NewLoss, ...] = ()
    changes: tuple[Change, ...] = ()
    look: tuple[str, ...] = ()


def judge(facts: RoadFacts) -> RoadVerdict:
    of_signal = [loss for loss in facts.losses if loss.signal == facts.signal]
    # While no event at all comes of a set's mail, its bounces do not come either: that is one loss, of another kind.
    silent = {loss.configuration_set for loss in facts.losses if loss.signal == "send" and loss.until is None}
    bad = stalled(road for road in facts.roads if None not in silent and road.configuration_set not in silent)
    new = _known(facts, of_signal)
    look: list[str] = []
    taken = {(loss.configuration_set, loss.provider) for loss in of_signal if loss.until is None}
    taken |= {(one.configuration_set, one.provider) for one in new if one.until is None}
    for (name, provider), road in bad.items():
        if (name, provider) in taken or (None, None) in taken or _recorded(name, provider, road, of_signal):
            continue
        if name is not None and name not in facts.looked:
            look.append(name)
            continue
        fault = facts.looked[name].fault if name is not None else None
        cause = Cause.PROVIDER_SILENT if provider is not None else Cause.UNKNOWN
        new.append(
            NewLoss(
                signal=facts.signal,
                configuration_set=name,
                provider=provider,
                since=road.since,
                until=None,
                fault=fault or Fault(cause, messages.stalled(facts.signal, provider)),
                evidence=_evidence(road),
            )
        )
    return RoadVerdict(new=tuple(new), changes=tuple(_follow(facts, of_signal, bad)), look=tuple(look))


def _known(facts: RoadFacts, of_signal: Sequence[Loss]) -> list[NewLoss]:
    """Mail of sets whose destination did not publish these events, however little of it."""
    new: list[NewLoss] = []
    for one in facts.differences:
        if facts.signal not in one.signals or "send" in one.signals:
            continue
        until = one.ended if one.ended is not None else facts.now
        sent = {
            minute: tally.sent
            for minute, tally in facts.tallies.get(one.configuration_set, {}).items()
            if tally.sent > 0
            and one.since // MINUTE <= minute <= until // MINUTE
            and not any(loss.covers(one.configuration_set, minute) for loss in of_signal)
        }
        if not sent:
            continue
        last = (max(sent) + 1) * MINUTE
        new.append(
            NewLoss(
                signal=facts.signal,
                configuration_set=one.configuration_set,
                since=min(sent) * MINUTE,
                until=None if one.ended is None else last,
                fault=one.fault,
                evidence=Evidence(sent=sum(sent.values()), seen=0, others=0, sets=1, last=last, expected=1),
            )
        )
    return new


def _recorded(name: str | None, provider: int | None, road: Road, of_signal: Sequence[Loss]) -> bool:
    """Whether a loss that is over covers this time: its bounces never come, and the stretch still shows it."""
    return any(
        (loss.configuration_set, loss.provider) in ((name, provider), (None, None))
        and loss.until is not None
        and loss.until > road.since
        for loss in of_signal
    )


def _follow(facts: RoadFacts, of_signal: Sequence[Loss], bad: Mapping[Scope, Road]) -> list[Change]:
    changes: list[Change] = []
    for loss in of_signal:
        if loss.until is not None:
            continue
        known = [
            one
            for one in facts.differences
            if one.configuration_set == loss.configuration_set and facts.signal in one.signals
        ]
        if known:
            if all(one.ended is not None for one in known):
                changes.append(Change(id=loss.id, fault=None, evidence=None, until=_end_of(known)))
            continue
        road = bad.get((loss.configuration_set, loss.provider))
        if road is not None:
            changes.append(Change(id=loss.id, fault=None, evidence=_evidence(road)))
        elif any(
            road.seen > 0
            for road in facts.roads
            if loss.configuration_set in (None, road.configuration_set)
            and loss.provider in (None, road.provider)
        ):
            changes.append(Change(id=loss.id, fault=None, evidence=None, until=facts.now))
    return changes


def _end_of(known: Sequence[Difference]) -> int:
    """The end of the minute of the repair."""
    return (max(one.ended or 0 for one in known) // MINUTE + 1) * MINUTE


def _evidence(road: Road) -> Evidence:
    return Evidence(
        sent=road.sent, seen=road.seen, others=0, sets=1, last=road.until, expected=round(road.expected)
    )
