"""Turns for requests that read the database: everything but POST /v1/messages.

A few run at once, of each caller fewer. The others wait, bounded, and callers take turns, however many one of them has waiting. A
caller is a tenant; a platform key; or a client address while its key is not known.

Anybody can have many client addresses. So these strangers have half of the places to run at most, and a queue of their own.
Runs in one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from mailcordon.core.errors import TooMuch, Unavailable
from mailcordon.core.principal import Principal
from mailcordon.door.client_address import counted_as
from mailcordon.messages import api


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Of one process."""

    #: Requests that run at once: as many as a pool has connections, so that none waits for a connection behind others.
    at_once: int = 8
    #: Of one caller. Two kept both cores of a small database busy: beside 100 reads of one caller, the slowest hundredth of
    #: another's mails took 60 to 100 ms instead of 9 (./dev bench door).
    at_once_each: int = 1
    #: Of one caller, waiting. Clients with a pool of connections wait in it anyway; beyond it they are told to slow down.
    waiting_each: int = 256
    #: Of all with a known key, waiting; strangers have half as many of their own. One costs about 10 KB. A caller that has
    #: none waiting may add one nevertheless: there are no more callers than connections.
    waiting: int = 2048


class _Group:
    """Keys, or strangers: callers that take turns among themselves."""

    __slots__ = ("most_running", "most_waiting", "next", "running", "waiting")

    def __init__(self, most_running: int, most_waiting: int) -> None:
        self.most_running = most_running
        self.most_waiting = most_waiting
        self.running = 0
        self.waiting = 0
        #: Those that have one waiting and may run one more, in the order of their turns.
        self.next: dict[_Caller, None] = {}


class _Caller:
    __slots__ = ("group", "name", "running", "waiting")

    def __init__(self, name: Hashable, group: _Group) -> None:
        self.name = name
        self.group = group
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Reads:
    """`refused` is told the name of the limit: `reads-per-caller` or `reads`."""

    def __init__(self, limits: ReadLimits, refused: Callable[[str], None]) -> None:
        self.limits = limits
        self._refused = refused
        self._callers: dict[Hashable, _Caller] = {}
        self._keys = _Group(limits.at_once, limits.waiting)
        self._strangers = _Group(max(1, limits.at_once // 2), limits.waiting // 2)
        self._groups = deque([self._keys, self._strangers])  #: in the order of their turns

    @property
    def running(self) -> int:
        return self._keys.running + self._strangers.running

    @property
    def waiting(self) -> int:
        return self._keys.waiting + self._strangers.waiting

    def of(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """A turn for work that a request of this key causes."""
        tenant = principal.tenant_id
        name = ("key", principal.key_id) if tenant is None else ("tenant", tenant)
        return self._turn(name, self._keys)

    def of_client(self, address: str) -> AbstractAsyncContextManager[None]:
        """A turn for a client whose key is not known yet. It is counted as the door counts its connections."""
        return self._turn(("client", counted_as(address)), self._strangers)

    @asynccontextmanager
    async def _turn(self, name: Hashable, group: _Group) -> AsyncGenerator[None]:
        """Waits for a turn of this caller and holds it. Raises TooMuch or Unavailable if too many wait."""
        caller = self._callers.get(name)
        if caller is None:
            caller = self._callers[name] = _Caller(name, group)
        try:
            await self._enter(caller)
        except BaseException:
            self._forget(caller)
            raise
        try:
            yield
        finally:
            self._leave(caller)

    async def _enter(self, caller: _Caller) -> None:
        limits, group = self.limits, caller.group
        if self._has_room(group) and caller.running < limits.at_once_each and not caller.waiting:
            self._run(caller)
            return
        if len(caller.waiting) >= limits.waiting_each:
            self._refused("reads-per-caller")
            raise TooMuch(api.too_many_reads(limits.waiting_each), code="too-many-requests")
        if caller.waiting and group.waiting >= group.most_waiting:
            self._refused("reads")
            raise Unavailable(api.reads_full(), code="busy")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        caller.waiting.append(turn)
        group.waiting += 1
        self._queue(caller)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave(caller)
            elif turn in caller.waiting:
                caller.waiting.remove(turn)
                group.waiting -= 1
                if not caller.waiting:
                    group.next.pop(caller, None)
            raise

    def _has_room(self, group: _Group) -> bool:
        return self.running < self.limits.at_once and group.running < group.most_running

    def _run(self, caller: _Caller) -> None:
        caller.running += 1
        caller.group.running += 1

    def _leave(self, caller: _Caller) -> None:
        caller.running -= 1
        caller.group.running -= 1
        self._queue(caller)
        while (following := self._next()) is not None:
            turn = following.waiting.popleft()
            following.group.waiting -= 1
            if not turn.cancelled():
                turn.set_result(None)
                self._run(following)
            self._queue(following)
        self._forget(caller)

    def _next(self) -> _Caller | None:
        """Takes the caller whose turn it is out of its queue. Keys and strangers take turns."""
        for group in self._groups:
            if group.next and self._has_room(group):
                caller = next(iter(group.next))
                del group.next[caller]
                self._groups.remove(group)
                self._groups.append(group)
                return caller
        return None

    def _queue(self, caller: _Caller) -> None:
        """Behind the others, if it is not queued yet and may run one more."""
        if caller.waiting and caller.running < self.limits.at_once_each:
            caller.group.next.setdefault(caller)

    def _forget(self, caller: _Caller) -> None:
        if not caller.running and not caller.waiting:
            self._callers.pop(caller.name, None)
