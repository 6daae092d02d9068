"""A dispatch loop's share of the account's rate and quota, taken from the shared row in lots: one visit serves several claims."""

import time

from mailcordon.core.reason import Reason
from mailcordon.send.ports import QueueStore

LOT = 8  #: claims that one visit of the shared row should serve
MAX_AGE = 0.5  #: seconds until unused tokens expire


class Tokens:
    def __init__(self, store: QueueStore, cell: str, *, urgent: bool) -> None:
        self._store, self._cell, self.urgent = store, cell, urgent
        self._have = 0
        self._limited = False
        self.scarce = False  #: whether the last visit of the shared row gave less than it was asked for
        self._lapsed = 0  #: of the quota, but no longer of the rate
        self._until = 0.0
        #: Why the shared row gave the last `take` nothing; None if it gave some or was not asked, or if only the rate limited it.
        self.because: Reason | None = None
        #: What was left of the quota's reserve for urgent mail, if the last `take` was from it.
        self.reserve_left: int | None = None

    async def take(self, want: int) -> int:
        """Returns up to `want` tokens. If there are none, `because` says why."""
        now = time.monotonic()
        if now > self._until or self.reserve_left is not None:
            self.lapse()
        self.because = None
        if self._have < want:
            await self._return_lapsed()
            missing = want - self._have
            most = want * LOT - self._have
            grant, self.because = await self._store.take_tokens(
                self._cell, missing, urgent=self.urgent, most=most
            )
            self._have += grant.calls
            self.scarce = grant.calls < most
            self._limited, self.reserve_left = grant.limited, grant.reserve_left
            self._until = now + MAX_AGE
        taken = min(want, self._have)
        self._have -= taken
        return taken

    def keep(self, n: int) -> None:
        """Keeps tokens that a claim did not need for the next claim."""
        self._have += n

    async def return_unused(self) -> None:
        """Returns unused tokens to the shared row, for other loops and processes. Nothing is wanted, so nothing is missing."""
        self.because = None
        if time.monotonic() > self._until:
            self.lapse()
        left, self._have = self._have, 0
        if left:
            await self._store.return_tokens(self._cell, left)
        await self._return_lapsed()

    async def _return_lapsed(self) -> None:
        lapsed, self._lapsed = self._lapsed, 0
        if lapsed and self._limited:
            await self._store.return_tokens(self._cell, lapsed, of_rate=False)

    def lapse(self) -> None:
        """What is unused counts for the rate as used."""
        self._lapsed += self._have
        self._have = 0
