"""Plays mail through a world without a wire: attempts, retries and reactions, each at its time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final

from seslocal.world import retries
from seslocal.world.envelope import Envelope
from seslocal.world.reaction import Reaction
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

GIVE_UP: Final = 14 * 3600.0  # seconds after which a sender gives up

#: called with the time, what happened (attempt, expired, a deed, reported, returned), the mail, and the verdict or reaction
Told = Callable[[float, str, Envelope, Verdict | Reaction | None], None]


class Play:
    """Not tied to any real time: `run_until` does all that is due."""

    def __init__(self, world: World, told: Told) -> None:
        self.world = world
        self._told = told
        self._due: list[tuple[float, str, str, int, Any]] = []

    def submit(self, envelope: Envelope, at: float, give_up: float = GIVE_UP) -> None:
        heapq.heappush(self._due, (at, envelope.key, envelope.recipient, 1, (envelope, at + give_up)))

    def run_until(self, at: float) -> None:
        """Does everything due before `at`."""
        while self._due and self._due[0][0] < at:
            due, _, _, number, (envelope, until) = heapq.heappop(self._due)
            verdict = self.world.attempt(envelope, number, due)
            self._told(due, "attempt", envelope, verdict)
            if verdict.kind == "defer":
                chance = self.world.draws.four("retry", f"{envelope.key} {envelope.recipient} {number}")[0]
                again = due + retries.pause(number, chance)
                if again > until:
                    self._told(until, "expired", envelope, None)
                else:
                    heapq.heappush(
                        self._due, (again, envelope.key, envelope.recipient, number + 1, (envelope, until))
                    )
