"""Turns for requests that read the database: everything but POST /v1/messages.

A few run at once, of each caller fewer. The others wait, bounded, and callers take turns, however many one of them has waiting. A
caller is a tenant; a platform key; or a client address while its key is not known. Runs in one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from mailcordon.core.errors import TooMuch, Unavailable
from mailcordon.core.principal import Principal
from mailcordon.messages import api


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Of one process."""

    #: Requests that run at once: as many as a pool has connections, so that none waits for a connection behind others.
    at_once: int = 8
    #: Of one caller. Two keep both cores of a small database busy, and leave the others of `at_once` to others.
    at_once_each: int = 2
    #: Of one caller, waiting. Clients with a pool of connections wait in it anyway; beyond it they are told to slow down.
    waiting_each: int = 256
    #: Of all, waiting. One costs about 10 KB.
    waiting: int = 2048


class _Caller:
    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Reads:
    """`refused` is told the name of the limit: `reads-per-caller` or `reads`."""

    def __init__(self, limits: ReadLimits, refused: Callable[[str], None]) -> None:
        self.limits = limits
        self.running = 0
        self.waiting = 0
        self._refused = refused
        self._callers: dict[Hashable, _Caller] = {}
        self._next: dict[
            Hashable, _Caller
        ] = {}  #: those that have one waiting and may run one more, in the order of their turns

    def of(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """A turn for work that a request of this key causes."""
        tenant = principal.tenant_id
        return self.turn(("key", principal.key_id) if tenant is None else ("tenant", tenant))

    def of_client(self, address: str) -> AbstractAsyncContextManager[None]:
        """A turn to look up a key that is not known yet."""
        return self.turn(("client", address))

    @asynccontextmanager
    async def turn(self, name: Hashable) -> AsyncGenerator[None]:
        """Waits for a turn of this caller and holds it. Raises TooMuch or Unavailable if too many wait."""
        caller = self._callers.get(name)
        if caller is None:
            caller = self._callers[name] = _Caller()
        try:
            await self._enter(name, caller)
        except BaseException:
            self._forget(name, caller)
            raise
        try:
            yield
        finally:
            self._leave(name, caller)

    async def _enter(self, name: Hashable, caller: _Caller) -> None:
        limits = self.limits
        if self.running < limits.at_once and caller.running < limits.at_once_each and not caller.waiting:
            caller.running += 1
            self.running += 1
            return
        if len(caller.waiting) >= limits.waiting_each:
            self._refused("reads-per-caller")
            raise TooMuch(api.too_many_reads(limits.waiting_each), code="too-many-requests")
        if self.waiting >= limits.waiting:
            self._refused("reads")
            raise Unavailable(api.reads_full(), code="busy")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        caller.waiting.append(turn)
        self.waiting += 1
        self._queue(name, caller)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave(name, caller)
            elif turn in caller.waiting:
                caller.waiting.remove(turn)
                self.waiting -= 1
                if not caller.waiting:
                    self._next.pop(name, None)
            raise

    def _leave(self, name: Hashable, caller: _Caller) -> None:
        caller.running -= 1
        self.running -= 1
        self._queue(name, caller)
        while self.running < self.limits.at_once and self._next:
            following = next(iter(self._next))
            other = self._next.pop(following)
            turn = other.waiting.popleft()
            self.waiting -= 1
            if not turn.cancelled():
                turn.set_result(None)
                other.running += 1
                self.running += 1
            self._queue(following, other)
        self._forget(name, caller)

    def _queue(self, name: Hashable, caller: _Caller) -> None:
        """Behind the others, if it is not queued yet and may run one more."""
        if caller.waiting and caller.running < self.limits.at_once_each:
            self._next.setdefault(name, caller)

    def _forget(self, name: Hashable, caller: _Caller) -> None:
        if not caller.running and not caller.waiting:
            self._callers.pop(name, None)
