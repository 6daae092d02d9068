"""Mailcordon as the operator of a fleet: the policy, limits, releases and breaker that its roles run, in one process.

It is asked once a minute and hears at the end of a minute what came back, so it knows less than the roles, which hear within a
second. Nothing is decided here: this module counts, asks `mailcordon.guard`, and holds back what that holds back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from bench.week.caps import Caps
from bench.week.feedback import Feedback
from bench.week.lanes import Lane, Lanes, campaign_of, list_of, provider_of, slices
from bench.week.releases import Releases
from mailcordon.core.limit import Mode
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Level, Slice
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy import layers
from mailcordon.guard.policy.document import PolicyDocument
from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.tenants import Sender

#: Held mail is asked about again after so long: what a probe or an end lets go waits up to this much longer than it would live.
ASK_AGAIN: Final = 6 * 3600.0
MINUTE: Final = 60.0
#: Held by the breaker, by a release, by a limit.
BREAKER, RELEASE, LIMIT = "breaker", "release", "limit"


@dataclass(frozen=True, slots=True)
class Decided:
    at: float  #: seconds since the start of the week
    lane: Lane
    decision: Decision
    deed: str  #: what it does, in words

    @property
    def stops(self) -> bool:
        """Whether mail waits because of it."""
        return not self.decision.over and self.decision.level > Level.WARN


class Guard:
    """An operator (seslocal.fleets.operator). `start`: seconds since 1970 at which the week begins. `counted`: where the
    changes of counts are kept, in the order in which they became known; None: nowhere."""

    def __init__(
        self, senders: list[Sender], start: float, policy: PolicyDocument, counted: list[Delta] | None = None
    ) -> None:
        self._counted = counted
        self._start = int(start // MINUTE)
        self._lanes = Lanes(senders, self._start)
        self._feedback = Feedback(self._lanes, self._start)
        self._breaker = Breaker()
        explained = {
            lane.id: layers.effective(policy, 1, lane.tenant, lane.type, lane.class_)
            for lane in self._lanes.every
        }
        self._policies = {lane: one.policy for lane, one in explained.items()}
        for lane in self._lanes.every:
            self._breaker.lane(self._lanes.facts(lane, self._policies[lane.id].breaker.sensitivity))
        self._releases = Releases(self._policies)
        self._caps = Caps(self._lanes, explained, self._start)
        self._now = -1  #: minute since the start
        self._credit: dict[tuple[int, tuple[Slice, ...]], float] = {}
        self.decided: list[Decided] = []
        self._waited: dict[tuple[int, str], set[str]] = {}

    # As an operator

    def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
        self._turn(at)
        minute = self._start + self._now
        shares: dict[tuple[int, tuple[Slice, ...]], float] = {}
        found: list[float] = []
        for mail in mails:
            lane = self._lanes.of(mail)
            if at - mail.due >= CLASS_DEFAULTS[lane.class_].expiry_ms / 1000 and mail.due < at - MINUTE:
                found.append(inf)
                continue
            parts = slices(campaign_of(mail), list_of(mail), provider_of(mail))
            key = lane.id, parts
            share = shares.get(key)
            if share is None:
                share = shares[key] = self._breaker.permit(lane.id, minute, parts)
            when = self._when(mail, lane, key, share, at, minute)
            if when < at + MINUTE:
                self._feedback.sent(mail, minute)
                self._releases.sent(lane, mail, minute)
                self._caps.sent(lane, mail, minute)
            found.append(when)
        return found

    def see(self, seen: Seen) -> None:
        self._turn(seen.at)
        self._feedback.see(seen)

    def actions(self) -> Sequence[tuple[float, str, str, str]]:
        return [(one.at, one.deed, one.lane.tenant, one.deed) for one in self.decided]

    def counts_of_waiting(self) -> list[tuple[Lane, str, int]]:
        """Mails that waited, by lane and by what held them back."""
        return [(self._lanes.by_id(lane), why, len(keys)) for (lane, why), keys in self._waited.items()]

    # What it decides

    def _turn(self, at: float) -> None:
        """At the first question or event of a minute: tells the rules what came of the minutes before."""
        now = int(at // MINUTE)
        if now <= self._now:
            return
        self._now = now
        minute = self._start + now
        deltas, domains = self._feedback.take()
        if self._counted is not None:
            self._counted += deltas
        decisions = [*self._breaker.observe(minute, deltas, domains), *self._breaker.tick(minute)]
        for decision in decisions:
            lane = self._lanes.by_id(decision.lane)
            self.decided.append(Decided(now * MINUTE, lane, decision, deed(lane, decision)))
        self._caps.turn(minute, deltas)
        self._releases.turn(minute, deltas, self._warned)

    def _warned(self, lane: int, campaign: str | None) -> bool:
        """Whether the breaker warns of a campaign's mail, or does more."""
        return any(
            standing.decision is not None
            and all(one.value == campaign for one in standing.guilty if one.dimension.value == "campaign")
            for standing in self._breaker.standing(lane)
        )

    def _when(
        self,
        mail: Waiting,
        lane: Lane,
        key: tuple[int, tuple[Slice, ...]],
        share: float,
        at: float,
        minute: int,
    ) -> float:
        if share < 1 and self._policies[lane.id].breaker.mode is Mode.ENFORCE:
            if share <= 0:
                self._wait(lane, BREAKER, mail)
                return at + ASK_AGAIN
            credit = min(1.0, self._credit.get(key, 0.0)) + share
            self._credit[key] = credit
            if credit < 1:
                self._wait(lane, BREAKER, mail)
                return at + MINUTE
            self._credit[key] = credit - 1
        until = self._caps.until(lane, mail, minute)
        if until is not None:
            self._wait(lane, LIMIT, mail)
            return (until - self._start) * MINUTE
        until = self._releases.until(lane, mail, minute, fresh=mail.due >= at)
        if until is not None:
            self._wait(lane, RELEASE, mail)
            return (until - self._start) * MINUTE
        return at

    def _wait(self, lane: Lane, why: str, mail: Waiting) -> None:
        self._waited.setdefault((lane.id, why), set()).add(mail.key)


def deed(lane: Lane, decision: Decision) -> str:
    """What a decision does, in a few words."""
    what = " at ".join(f"{one.dimension} {one.value}" for one in decision.guilty)
    whose = f"{what} of {lane.name}" if what else lane.name
    if decision.over:
        return f"{whose} may send again: {decision.why}"
    return {
        Level.WARN: f"warned of {whose}",
        Level.THROTTLE: f"slowed down {whose}",
        Level.CORDON: f"held {whose}",
    }[decision.level]
