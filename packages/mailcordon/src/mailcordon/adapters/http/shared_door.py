"""What all connections of a process share: the limits and what counts them, the deadlines, and what refused bodies may cost."""

import asyncio
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mailcordon.adapters.http import message_endpoint
from mailcordon.door.admission import Admission
from mailcordon.door.client_address import TrustedProxies
from mailcordon.door.facts import DoorFacts
from mailcordon.door.limits import Limits
from mailcordon.host import memory

_SLOWEST_SWEEP = 1.0  #: seconds between two looks at the deadlines
#: Bytes a second of refused bodies that are read, of all connections together, and seconds by which they may be ahead. A caller
#: that ignores its refusals would keep the process busy with them.
_DISCARD_RATE = 16 * 1024 * 1024
_DISCARD_AHEAD = 0.25
_LONGEST_PAUSE = 1.0  #: seconds: while a connection is not read, its end is not seen


class Timed(Protocol):
    """A connection with deadlines."""

    def check_deadline(self, now: float) -> bool:
        """Refuses what is late. Returns False if there is nothing more to wait for."""
        ...


class Door:
    """What all connections of a process share."""

    def __init__(
        self,
        limits: Limits | None = None,
        facts: DoorFacts | None = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.admission = Admission(self.limits, facts or DoorFacts())
        self.proxies = proxies or TrustedProxies(())
        self._timed: dict[Timed, None] = {}
        self._server_headers: list[tuple[bytes, bytes]] | None = None
        self._accepted_head = b""
        memory.GivesBack(self.admission)
        self._sweeping = False
        self._discarded_until = 0.0
        shortest = min(self.limits.head_seconds, self.limits.body_seconds, self.limits.response_seconds)
        self._interval = min(_SLOWEST_SWEEP, shortest / 4)

    def accepted_head(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Status line and headers of the answer to an accepted message, with the server's own `headers`, which are a new list
        each second."""
        if headers is not self._server_headers:
            head = [STATUS_LINE[202], *(b"%b: %b\r\n" % one for one in headers)]
            head += [
                f"{name}: {value}\r\n".encode("latin-1") for name, value in message_endpoint.JSON.items()
            ]
            self._server_headers, self._accepted_head = headers, b"".join(head)
        return self._accepted_head

    def watch(self, connection: Timed, loop: asyncio.AbstractEventLoop) -> None:
        """Looks at the deadline of this connection until it has none."""
        self._timed[connection] = None
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(self._interval, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        # One look at all of them costs less than a timer for each request.
        now = loop.time()
        for connection in list(self._timed):
            if not connection.check_deadline(now):
                del self._timed[connection]
        if self._timed:
            loop.call_later(self._interval, self._sweep, loop)
        else:
            self._sweeping = False

    def discard(self, size: int, now: float) -> float:
        """Bytes of a refused body were read. Returns the seconds for which its connection is not to be read."""
        self._discarded_until = max(self._discarded_until, now) + size / _DISCARD_RATE
        ahead = self._discarded_until - now
        return min(ahead, _LONGEST_PAUSE) if ahead > _DISCARD_AHEAD else 0.0
