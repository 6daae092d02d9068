"""One loop's share of the account's rate, taken from the shared row in lots so that it is not visited for every claim."""

import time

from mailcordon.send.ports import QueueStore

LOT = 8  #: claims that one visit of the row is to serve
TOKENS_FOR = 0.5  #: seconds that tokens are kept before they lapse: others may need them


class Tokens:
    def __init__(self, store: QueueStore, cell: str, *, urgent: bool) -> None:
        self._store, self._cell, self._urgent = store, cell, urgent
        self._have = 0
        self._until = 0.0
        self.because: str | None = None  #: why there are none

    async def take(self, want: int) -> int:
        """Up to `want` tokens. A lot is enough for several claims; `because` says why there are none."""
        now = time.monotonic()
        if now > self._until:
            self._have = 0
        if self._have < want:
            granted, self.because = await self._store.take_tokens(
                self._cell, want * LOT - self._have, urgent=self._urgent
            )
            self._have += granted
            self._until = now + TOKENS_FOR
        taken = min(want, self._have)
        self._have -= taken
        return taken

    def keep(self, n: int) -> None:
        """What a claim did not need serves the next one."""
        self._have += n

    async def return_unused(self) -> None:
        """There is no mail: what is left goes back to the row, for the other loops and processes."""
        left, self._have = self._have, 0
        if left and time.monotonic() <= self._until:
            await self._store.return_tokens(self._cell, left)

    def lapse(self) -> None:
        self._have = 0
