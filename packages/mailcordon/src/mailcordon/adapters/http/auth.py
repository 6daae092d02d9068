"""Who asks: the bearer key of a request, looked up in a small cache that ends with the control epoch.

Keys are remembered by their hash only. `authenticate` reads the epoch (one row) each time, so a revocation acts with its commit;
a hot path that reads the epoch anyway uses `lookup`, and calls `invalidate` when it saw another one.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request

from mailcordon.control import keys
from mailcordon.core.errors import Unauthorised
from mailcordon.core.principal import Principal

_MOST = 10_000  #: remembered keys; beyond, all are forgotten and looked up again

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    expires_at: float | None  #: seconds since 1970


class KeyCache:
    """One a process, for every door that takes keys."""

    def __init__(self, store: keys.KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[bytes, _Remembered] = {}
        self._epoch = -1
        self._generation = 0

    def lookup(self, authorization: str | None) -> Principal | None:
        """Whoever this key belonged to when the epoch was last seen; None: ask `load`. Never waits."""
        text = keys.bearer(authorization)
        if text is None:
            return None
        known = self._known.get(keys.hash_of(text))
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            return None
        return known.principal

    async def load(self, authorization: str | None) -> Principal:
        """Looks the key up in the database. Raises Unauthorised with what to do about it."""
        text = keys.bearer(authorization)
        if text is None:
            raise Unauthorised(
                "This needs a key: send the header `Authorization: Bearer mck_...`."
                if not authorization
                else "This is no key of ours: the header is `Authorization: Bearer mck_...`."
            )
        hash = keys.hash_of(text)
        generation = self._generation
        found = await self._store.find(hash)
        if found.principal is None:
            raise Unauthorised("This key is unknown or was revoked.")
        if found.expires_at is not None and found.expires_at <= self._clock():
            raise Unauthorised(f"The key {found.principal.prefix} has expired.")
        # An answer from before somebody saw a newer epoch may be old: it serves this request and is not remembered.
        fresh = generation == self._generation
        self._see(found.epoch)
        if fresh and found.epoch == self._epoch:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[hash] = _Remembered(found.principal, found.expires_at)
        return found.principal

    async def authenticate(self, authorization: str | None) -> Principal:
        """For ordinary requests: as `load`, but from memory while the epoch stands. Raises Unauthorised."""
        if self.lookup(authorization) is not None:
            self._see(await self._store.epoch())
            if (principal := self.lookup(authorization)) is not None:
                return principal
        return await self.load(authorization)

    def invalidate(self) -> None:
        """Forgets every key: the caller saw that the epoch has moved."""
        self._known.clear()
        self._generation += 1

    def _see(self, epoch: int) -> None:
        if epoch > self._epoch:
            self.invalidate()
            self._epoch = epoch


def before_request(cache: KeyCache) -> Callable[[AnyRequest], Awaitable[None]]:
    """A Litestar hook that puts the principal into `request.state`. Handlers with opt `open=True` need no key."""

    async def authenticate(request: AnyRequest) -> None:
        if not request.route_handler.opt.get("open"):
            request.state.principal = await cache.authenticate(request.headers.get("authorization"))

    return authenticate


def principal_of(request: AnyRequest) -> Principal:
    """The principal that `before_request` found. Raises Unauthorised where the hook is missing, rather than let anybody in."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise Unauthorised("This needs a key.")
    return principal
