"""Keeps dead and held mail out of the claims' way, and lets go of what holds gave back and limits have room for.

Dead mail costs the lanes nothing: a claim does not look at expired mail, and here it leaves in bulk, whatever stops its lane.
What a hold on a campaign, a list or a mailbox provider stops is parked in bulk; when the hold has ended, it becomes ready along
the same ramp as the mail of a released lane.
"""

import time
from typing import Any

import structlog

from mailcordon.send.facts import DispatchFacts
from mailcordon.send.holds import Holds
from mailcordon.send.ports import ClearingStore

log: Any = structlog.get_logger()

GIVE_BACK_EVERY = 1.0  #: seconds while no hold gives mail back
OPEN_LIMITS_EVERY = 0.5  #: seconds while no limit gives mail back
EXPIRE_EVERY = 1.0  #: seconds; or twenty times as long as the last look took
CORRECT_EVERY = 5.0  #: seconds


class Clearing:
    def __init__(self, store: ClearingStore, *, holds: Holds, facts: DispatchFacts) -> None:
        self._store = store
        self._holds = holds
        self._facts = facts
        self._give_back_at = 0.0
        self._open_at = 0.0
        self._expire_at = 0.0
        self._correct_at = 0.0

    async def once(self) -> None:
        """One round. What another dispatcher is doing already is left to it."""
        await self._store.park(self._holds.narrow)
        now = time.monotonic()
        if now >= self._give_back_at:
            self._give_back_at = 0.0 if await self._store.give_back() else now + GIVE_BACK_EVERY
        if now >= self._open_at:
            self._open_at = 0.0 if await self._store.open_limits() else now + OPEN_LIMITS_EVERY
        if now >= self._expire_at:
            if expired := await self._store.expire():
                log.info("expired mail left the queue", deliveries=expired)
            took = time.monotonic() - now
            self._expire_at = now + (0 if expired else max(EXPIRE_EVERY, 20 * took))
        await self.correct()

    async def correct(self) -> None:
        """Stamps from the future, every few seconds."""
        now = time.monotonic()
        if now >= self._correct_at:
            self._correct_at = now + CORRECT_EVERY
            if corrected := await self._store.correct_clocks():
                self._facts.clock_corrected()
                log.error(
                    "stamps from the future were set to now: the database's clock was set back",
                    rows=corrected,
                )
