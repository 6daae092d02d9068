"""Plays mail through a world without a wire: attempts, retries, returns and reactions, each at its time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Final

from seslocal.world import retries
from seslocal.world.envelope import Envelope
from seslocal.world.reaction import Reaction
from seslocal.world.truth import GIVE_UP, Truth
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

#: called with the time, what happened (attempt, expired, returned, a deed, reported), the mail, and the verdict or reaction
Told = Callable[[float, str, Envelope, Verdict | Reaction | None], None]

_EXPIRES: Final = (
    1_000_000  # steps of a mail that order what is due at the same moment: its attempts come first
)
_RETURNS: Final = 1_000_001
_REACTS: Final = 2_000_000
_REPORTS: Final = 3_000_000

# time, key, recipient, step, a number that keeps equal ones apart, what to do, with what
_Due = tuple[float, str, str, int, int, Callable[[float, int, Any], None], Any]


def next_attempt(world: World, envelope: Envelope, number: int, at: float) -> float:
    """Returns when the sender tries again after attempt `number` was deferred at this time. Behind a wire it is the same."""
    return at + retries.drawn(world.draws, envelope, number)


class Play:
    """Not tied to any real time: `run_until` does all that is due. `told` hears of everything; `truth` counts it."""

    def __init__(self, world: World, told: Told | None = None, truth: Truth | None = None) -> None:
        self.world = world
        self._told = told
        self._truth = truth
        self._minutes: dict[int, list[_Due]] = {}  # what is due in each later minute, in no order
        self._order: list[int] = []  # those minutes, a heap
        self._minute = -1
        self._now: list[_Due] = []  # what is due in the minute that runs, a heap
        self._serial = 0

    def submit(self, envelope: Envelope, at: float, give_up: float = GIVE_UP) -> None:
        """The first attempt is made at this time; the sender gives up after `give_up` seconds."""
        if self._truth is not None:
            self._truth.submitted(envelope.key, envelope, at, give_up)
        self._add(at, envelope, 1, self._attempt, (envelope, at + give_up))

    @property
    def due(self) -> int:
        """The number of things that are still to happen."""
        return len(self._now) + sum(map(len, self._minutes.values()))

    def run_until(self, at: float, most: int = -1) -> bool:
        """Does everything due before `at`, or the first `most` things. Returns whether nothing is left."""
        while True:
            now = self._now
            while now and now[0][0] < at:
                if not most:
                    return False
                most -= 1
                due, _, _, step, _, act, job = heappop(now)
                act(due, step, job)
            if now or not self._order or self._order[0] * 60.0 >= at:
                return True
            self._minute = heappop(self._order)
            self._now = self._minutes.pop(self._minute)
            heapify(self._now)

    def _add(
        self, at: float, envelope: Envelope, step: int, act: Callable[[float, int, Any], None], job: Any
    ) -> None:
        self._serial += 1
        due = (at, envelope.key, envelope.recipient, step, self._serial, act, job)
        minute = int(at // 60)
        if minute <= self._minute:
            heappush(self._now, due)
            return
        later = self._minutes.get(minute)
        if later is None:
            self._minutes[minute] = [due]
            heappush(self._order, minute)
        else:
            later.append(due)

    def _attempt(self, at: float, number: int, job: tuple[Envelope, float]) -> None:
        envelope, until = job
        world = self.world
        verdict = world.attempt(envelope, number, at)
        if self._truth is not None:
            person = world.people.find(envelope.recipient)
            self._truth.attempted(envelope.key, envelope, number, at, verdict, person)
        if self._told is not None:
            self._told(at, "attempt", envelope, verdict)
        if verdict.kind == "defer":
            again = next_attempt(world, envelope, number, at)
            if again > until:
                self._add(until, envelope, _EXPIRES, self._expire, envelope)
            else:
                self._add(again, envelope, number + 1, self._attempt, job)
        elif verdict.kind != "refuse":
            accepted = at + verdict.seconds
            if verdict.returned is not None:
                self._add(accepted + verdict.returned, envelope, _RETURNS, self._return, (envelope, verdict))
            if reactions := world.react(envelope, verdict, accepted):
                known = (envelope, verdict, reactions, accepted)
                self._add(accepted + reactions[0].after, envelope, _REACTS, self._react, known)

    def _expire(self, at: float, step: int, envelope: Envelope) -> None:
        if self._truth is not None:
            self._truth.expired(envelope.key, envelope, at)
        if self._told is not None:
            self._told(at, "expired", envelope, None)

    def _return(self, at: float, step: int, job: tuple[Envelope, Verdict]) -> None:
        envelope, verdict = job
        if self._truth is not None:
            self._truth.returned(envelope.key, envelope, at)
        if self._told is not None:
            self._told(at, "returned", envelope, verdict)

    def _react(
        self, at: float, step: int, job: tuple[Envelope, Verdict, tuple[Reaction, ...], float]
    ) -> None:
        envelope, verdict, reactions, accepted = job
        index = step - _REACTS
        reaction = reactions[index]
        self.world.happened(envelope, verdict, reaction, at)
        if self._truth is not None:
            self._truth.happened(envelope.key, envelope, reaction, at)
        if self._told is not None:
            self._told(at, reaction.deed, envelope, reaction)
        if reaction.reported is not None:
            known = max(at, accepted + reaction.reported)
            self._add(known, envelope, _REPORTS + index, self._report, (envelope, reaction))
        if index + 1 < len(reactions):  # only the next one waits, so that a mail waits once
            self._add(accepted + reactions[index + 1].after, envelope, step + 1, self._react, job)

    def _report(self, at: float, step: int, job: tuple[Envelope, Reaction]) -> None:
        envelope, reaction = job
        if self._truth is not None:
            self._truth.reported(envelope.key, envelope, at)
        if self._told is not None:
            self._told(at, "reported", envelope, reaction)
