"""What each provider thinks of a sender: counters of what it saw, decaying, for the signing domain, the IP pool and the two
together. Counts of the running minute are kept apart and added at its end."""

from __future__ import annotations

from typing import Final

from seslocal.world.envelope import Envelope

#: what is counted; all are whole numbers
COUNTED: Final = (
    "attempts",
    "accepted",
    "unknown",
    "trapped",
    "opens",
    "complaints",
    "not_spam",
    "deletes",
    "deferred",
    "refused",
)


class Opinions:
    def __init__(self) -> None:
        self.minute = 0
        self._pending: dict[tuple[str, str, str], int] = {}

    def move(self, minute: int) -> None:
        """Ends the minutes before this one."""
        self.minute = max(self.minute, minute)
        self._pending.clear()

    def count(self, provider: str, envelope: Envelope, what: str) -> None:
        """Counts for the domain, the pool and the two together. It shows from the next minute on."""
        for entity in ("d:" + envelope.domain, "p:" + envelope.pool, f"c:{envelope.domain} {envelope.pool}"):
            key = (provider, entity, what)
            self._pending[key] = self._pending.get(key, 0) + 1
