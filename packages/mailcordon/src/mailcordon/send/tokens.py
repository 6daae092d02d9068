"""A dispatch loop's share of the account's rate, taken from the shared row in lots: one visit serves several claims."""

import time

from mailcordon.core.reason import Reason
from mailcordon.send.ports import QueueStore

LOT = 8  #: claims that one visit of the shared row should serve
MAX_AGE = 0.5  #: seconds until unused tokens expire


class Tokens:
    def __init__(self, store: QueueStore, cell: str, *, urgent: bool) -> None:
        self._store, self._cell, self._urgent = store, cell, urgent
        self._have = 0
        self._until = 0.0
        #: Why the last `take` got none; None if it got some, or if only the rate limited it.
        self.because: Reason | None = None

    async def take(self, want: int) -> int:
        """Returns up to `want` tokens. If there are none, `because` says why."""
        now = time.monotonic()
        if now > self._until:
            self._have = 0
        if self._have < want:
            granted, self.because = await self._store.take_tokens(
                self._cell, want * LOT - self._have, urgent=self._urgent
            )
            self._have += granted
            self._until = now + MAX_AGE
        taken = min(want, self._have)
        self._have -= taken
        return taken

    def keep(self, n: int) -> None:
        """Keeps tokens that a claim did not need for the next claim."""
        self._have += n

    async def return_unused(self) -> None:
        """Returns unused tokens to the shared row, for other loops and processes."""
        left, self._have = self._have, 0
        if left and time.monotonic() <= self._until:
            await self._store.return_tokens(self._cell, left)

    def lapse(self) -> None:
        self._have = 0
