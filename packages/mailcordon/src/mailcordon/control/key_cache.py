"""Looks up API keys, with a small cache that is dropped when the control epoch moves.

It also notes which keys were used, for a background task to write down (app/key_uses.py): a request never waits for that.

The cache holds hashes of keys, never the keys. `authenticate` reads the epoch (one row) each time, so a revocation takes effect
with its commit. The hot path reads the epoch with each batch anyway: it uses `lookup`, and calls `invalidate` if the epoch moved.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailcordon.control import keys
from mailcordon.core.errors import Unauthorised
from mailcordon.core.principal import Principal
from mailcordon.messages import api

_MOST = 10_000  #: cached keys; when there are more, the cache is emptied


@dataclass(frozen=True, slots=True)
class _Cached:
    principal: Principal
    expires_at: float | None  #: seconds since 1970
    key_id: int  #: the principal's, one attribute nearer: `lookup` reads it for each message


class KeyCache:
    """One per process, shared by everything that takes keys."""

    def __init__(self, store: keys.KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._cached: dict[bytes, _Cached] = {}
        self._epoch = -1
        self._generation = 0
        self._used: set[int] = set()

    def lookup(self, authorization: str | None) -> Principal | None:
        """Returns the key's principal as of the last epoch seen, or None if it is not cached: then call `load`. Never waits."""
        text = keys.bearer(authorization)
        if text is None:
            return None
        cached = self._cached.get(keys.hash_of(text))
        if cached is None or (cached.expires_at is not None and cached.expires_at <= self._clock()):
            return None
        self._used.add(cached.key_id)
        return cached.principal

    async def load(self, authorization: str | None) -> Principal:
        """Reads the key from the database. Raises Unauthorised."""
        text = keys.bearer(authorization)
        if text is None:
            raise Unauthorised(api.key_malformed() if authorization else api.key_missing())
        hash = keys.hash_of(text)
        generation = self._generation
        found = await self._store.find(hash)
        if found.principal is None:
            raise Unauthorised(api.key_unknown())
        if found.expires_at is not None and found.expires_at <= self._clock():
            raise Unauthorised(api.key_expired(found.principal.prefix))
        # If a newer epoch was seen while this waited, the result may be old: it serves this request and is not cached.
        fresh = generation == self._generation
        self._see(found.epoch)
        if fresh and found.epoch == self._epoch:
            if len(self._cached) >= _MOST:
                self._cached.clear()
            self._cached[hash] = _Cached(found.principal, found.expires_at, found.principal.key_id)
        self._used.add(found.principal.key_id)
        return found.principal

    async def authenticate(self, authorization: str | None) -> Principal:
        """As `load`, but from the cache while the epoch stands. Raises Unauthorised."""
        if self.lookup(authorization) is not None:
            self._see(await self._store.epoch())
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

    def _see(self, epoch: int) -> None:
        if epoch > self._epoch:
            self.invalidate()
            self._epoch = epoch
