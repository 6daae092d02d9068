"""Looks up API keys, with a small cache that is dropped when the control epoch moves.

It also notes which keys were used, for a background task to write down (app/key_uses.py): a request never waits for that.

The cache holds hashes of keys, never the keys. (A connection remembers the key that it was shown last.) `authenticate` reads the
epoch (one row) each time, so a revocation takes effect with its commit. The hot path reads the epoch with each batch anyway: it
uses `lookup` or `find`, and calls `invalidate` if the epoch moved.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailcordon.control import keys
from mailcordon.core.errors import Unauthorised
from mailcordon.core.principal import Principal
from mailcordon.messages import keys as key_messages

_MOST = 10_000  #: cached keys; when there are more, the cache is emptied


@dataclass(frozen=True, slots=True)
class Known:
    """A key in the cache."""

    principal: Principal
    expires_at: float | None  #: seconds since 1970
    key_id: int  #: the principal's, one attribute nearer: `find` reads it for each message
    generation: int  #: of the cache, in which it was read


class KeyCache:
    """One per process, shared by everything that takes keys."""

    def __init__(self, store: keys.KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._cached: dict[bytes, Known] = {}
        self._epoch = -1
        self._generation = 0
        self._used: set[int] = set()

    def lookup(self, authorization: str | None) -> Principal | None:
        """Returns the key's principal as of the last epoch seen, or None if it is not cached: then call `load`. Never waits."""
        known = self.find(authorization)
        return None if known is None else known.principal

    def find(self, authorization: str | None) -> Known | None:
        """As `lookup`. The result is good for the same text as long as `is_current` says so."""
        text = keys.bearer(authorization)
        if text is None:
            return None
        known = self._cached.get(keys.hash_of(text))
        return known if known is not None and self.is_current(known) else None

    def is_current(self, known: Known) -> bool:
        """Whether `find` would still return it: no newer epoch was seen, and the key has not expired. It counts as used then."""
        if known.generation != self._generation or (
            known.expires_at is not None and known.expires_at <= self._clock()
        ):
            return False
        self._used.add(known.key_id)
        return True

    async def load(self, authorization: str | None) -> Principal:
        """Reads the key from the database. Raises Unauthorised."""
        text = keys.bearer(authorization)
        if text is None:
            raise Unauthorised(key_messages.key_malformed() if authorization else key_messages.key_missing())
        hash = keys.hash_of(text)
        generation = self._generation
        found = await self._store.find(hash)
        if found.principal is None:
            raise Unauthorised(key_messages.key_unknown())
        if found.expires_at is not None and found.expires_at <= self._clock():
            raise Unauthorised(key_messages.key_expired(found.principal.prefix))
        if self.see(found.epoch, generation):
            if len(self._cached) >= _MOST:
                self._cached.clear()
            self._cached[hash] = Known(
                found.principal, found.expires_at, found.principal.key_id, self._generation
            )
        self._used.add(found.principal.key_id)
        return found.principal

    async def authenticate(self, authorization: str | None) -> Principal:
        """As `load`, but from the cache while the epoch stands. Raises Unauthorised."""
        if self.lookup(authorization) is not None:
            await self.look()
            if (principal := self.lookup(authorization)) is not None:
                return principal
        return await self.load(authorization)

    def take_used(self) -> list[int]:
        """Ids of the keys that were used since the last call. No more than there are valid keys."""
        used, self._used = self._used, set()
        return sorted(used)

    def put_back_used(self, ids: Iterable[int]) -> None:
        """After a failed write: the next `take_used` returns these again."""
        self._used.update(ids)

    def invalidate(self) -> None:
        """Empties the cache: the caller saw that the epoch has moved."""
        self._cached.clear()
        self._generation += 1

    @property
    def generation(self) -> int:
        """Moves whenever what was read before may be old."""
        return self._generation

    def now(self) -> float:
        """Seconds since 1970, by which keys expire."""
        return self._clock()

    def note_use(self, key_id: int) -> None:
        """The key was used."""
        self._used.add(key_id)

    async def look(self) -> None:
        """Reads whether the epoch has moved."""
        self._see(await self._store.epoch())

    def see(self, epoch: int, generation: int) -> bool:
        """Something was read as of an epoch, in that generation. Returns whether it may be kept.

        If a newer epoch was seen meanwhile, it may be old: it serves its request and is not cached."""
        fresh = generation == self._generation
        self._see(epoch)
        return fresh and epoch == self._epoch

    def _see(self, epoch: int) -> None:
        if epoch > self._epoch:
            self.invalidate()
            self._epoch = epoch
