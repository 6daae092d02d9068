"""What all connections of a process share: the limits and what counts them, the keys, the certificate, the end of the process."""

import asyncio
import contextlib
import ssl
from typing import Protocol

from mailcordon.adapters.smtp.login import Keys
from mailcordon.adapters.smtp.submit import Submitter
from mailcordon.door.admission import Admission
from mailcordon.door.buckets import Buckets
from mailcordon.door.facts import DoorFacts
from mailcordon.door.failed_logins import FailedLogins
from mailcordon.door.limits import Limits
from mailcordon.host import memory


class Open(Protocol):
    """A connection, as the end of the process sees it."""

    def drain(self) -> None:
        """Closes it when the mail is answered that is being stored, or at once."""
        ...

    def abort(self) -> None: ...


class SmtpDoor:
    def __init__(
        self,
        submitter: Submitter,
        keys: Keys,
        buckets: Buckets,
        *,
        most_bytes: int,
        limits: Limits | None = None,
        facts: DoorFacts | None = None,
        tls: ssl.SSLContext | None = None,
        failure_seconds: float = 1.0,
    ) -> None:
        """`most_bytes`: of a mail. `failure_seconds`: by which the answer to a failed login is delayed."""
        self.submitter = submitter
        self.keys = keys
        self.buckets = buckets
        self.most_bytes = most_bytes
        self.limits = limits or Limits()
        self.facts = facts or DoorFacts()
        self.admission = Admission(self.limits, self.facts)
        self.failed_logins = FailedLogins()
        self.failure_seconds = failure_seconds
        self.tls = tls
        self.connections: set[Open] = set()
        self._is_empty = asyncio.Event()  #: set when the last connection ends while the process stops
        self.is_stopping = False
        memory.GivesBack(self.admission)

    def closed(self, connection: Open) -> None:
        self.connections.discard(connection)
        if self.is_stopping and not self.connections:
            self._is_empty.set()

    async def drain(self, seconds: float) -> None:
        """Ends all connections: those that are storing a mail when it is answered, after this time all."""
        self.is_stopping = True
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_empty.wait(), seconds)
        for connection in list(self.connections):
            connection.abort()
