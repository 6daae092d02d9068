"""One loop's share of the account's rate, taken from the shared row in lots so that it is not visited for every claim."""

import time

from mailcordon.send.ports import QueueStore

TOKENS_FOR = 0.5  #: seconds that tokens are kept before they lapse: others may need them


class Tokens:
    def __init__(self, store: QueueStore, cell: str, *, urgent: bool) -> None:
        self._store, self._cell, self._urgent = store, cell, urgent
        self._have = 0
        self._until = 0.0
        self.because: str | None = None  #: why there are none

    async def take(self, want: int) -> int:
        now = time.monotonic()
        if now > self._until:
            self._have = 0
        if self._have < want:
            granted, self.because = await self._store.take_tokens(
                self._cell, want * 2 - self._have, urgent=self._urgent
            )
            self._have += granted
            self._until = now + TOKENS_FOR
        taken = min(want, self._have)
        self._have -= taken
        return taken

    async def give_back(self, n: int) -> None:
        """There was less mail than tokens: what is left goes back to the row, for the other loops and processes."""
        left, self._have = self._have + n, 0
        await self._store.return_tokens(self._cell, left)

    def lapse(self) -> None:
        self._have = 0
