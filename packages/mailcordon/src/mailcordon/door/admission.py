"""Who may take what: connections, requests in flight and bytes of bodies, counted for each caller and in all.

A caller is a key, or a client address as long as no known key was shown. Every `admit_*` either counts, or counts a refusal and
returns it; what was admitted is given back by the matching `release_*`. Runs in one event loop and never waits.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mailcordon.door.facts import DoorFacts
from mailcordon.door.limits import Limit, Limits
from mailcordon.messages import api, door

#: Bodies up to this many bytes may use all of the memory for bodies, larger ones three quarters: ordinary mail is still accepted
#: while large mail has filled its part.
SMALL_BODY = 256 * 1024
#: Connections beyond a limit that may still send one head: it is answered with the reason, or with the health of the process.
GUESTS = 32


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not admitted, and what the caller is told."""

    limit: Limit | None  #: None: a rate, which is counted under the name of its bucket (buckets.py)
    status: int
    code: str
    sentence: str
    retry_after: int | None = None  #: seconds


class Caller:
    """What one key or one client address uses now, and the most it may use."""

    __slots__ = (
        "body_bytes",
        "connections",
        "is_key",
        "most_body_bytes",
        "most_connections",
        "most_requests",
        "name",
        "requests",
    )

    def __init__(
        self, name: str | int, *, is_key: bool, connections: int, requests: int, body_bytes: int
    ) -> None:
        self.name = name  #: the id of the key, or the address
        self.is_key = is_key
        self.most_connections = connections
        self.most_requests = requests
        self.most_body_bytes = body_bytes
        self.connections = 0
        self.requests = 0
        self.body_bytes = 0


class Ticket:
    """What one admitted request has taken, until it is answered. Released once, however often it is asked to."""

    __slots__ = ("_admission", "_caller", "_size", "_used_by")

    def __init__(
        self, admission: "Admission", caller: Caller, size: int, used_by: tuple[Caller, ...] = ()
    ) -> None:
        self._admission = admission
        self._caller: Caller | None = caller
        self._size = size
        #: A proxy's connections are not one caller's: these have one as long as they have a request.
        self._used_by = used_by

    @property
    def is_keyed(self) -> bool:
        return self._caller is not None and self._caller.is_key

    def grow(self, size: int, whole: int) -> Refusal | None:
        """`size` more bytes of a body without a length have arrived, which make it `whole` bytes long."""
        if self._caller is None:
            return None
        refusal = self._admission.admit_body(self._caller, size, whole)
        if refusal is None:
            self._size += size
        return refusal

    def charge(self, caller: Caller) -> Refusal | None:
        """The key turned out to be known: the request is that caller's from now on."""
        if self._caller is None or self._caller is caller:
            return None
        refusal = self._admission.admit(caller, self._size)
        if refusal is None:
            self._admission.release_request(self._caller, self._size)
            self._caller = caller
        return refusal

    def use(self, caller: Caller) -> None:
        """A connection of this caller, which was admitted, is given back with the rest."""
        if self._caller is None:
            self._admission.release(caller)
        else:
            self._used_by = (*self._used_by, caller)

    def release(self) -> None:
        caller = self._caller
        if caller is not None:
            self._caller = None
            self._admission.release_request(caller, self._size)
            for one in self._used_by:
                self._admission.release(one)


class Evictable(Protocol):
    def evict(self, refusal: Refusal) -> None:
        """Closes the connection soon."""
        ...


class Admission:
    """One per process, shared by all its doors."""

    def __init__(self, limits: Limits, facts: DoorFacts) -> None:
        self.limits = limits
        self.facts = facts
        self.guests = 0
        self.freed = 0  #: bytes of large bodies that were released since somebody set this to 0
        self.on_freed: Callable[[], None] = lambda: None  #: called with each of them
        #: Connections that have not shown a known key, the oldest first: these make room when all are taken.
        self.strangers: dict[Evictable, None] = {}
        #: Trusted proxies themselves, and guests: only what all callers share limits them.
        self.unlimited = Caller(
            "", is_key=False, connections=sys.maxsize, requests=sys.maxsize, body_bytes=sys.maxsize
        )
        self._addresses: dict[str | int, Caller] = {}
        self._keys: dict[str | int, Caller] = {}
        self._refusals = {limit: _refusal(limit, limits) for limit in Limit if limit is not Limit.BODY_BYTES}

    def refuse(self, limit: Limit) -> Refusal:
        """Counts a refusal."""
        self.facts.refuse(limit.value)
        return self._refusals[limit]

    def refuse_body(self, most: int) -> Refusal:
        """Counts a body that is larger than the `most` bytes its request may have."""
        self.facts.refuse(Limit.BODY_BYTES.value)
        return Refusal(Limit.BODY_BYTES, 413, "too-large", api.body_too_large(most))

    # Connections ----------------------------------------------------------------------------------------------------------

    def admit_connection(self) -> Refusal | None:
        """One more connection of anybody. If there is no room, the oldest stranger has to go."""
        if self.facts.connections >= self.limits.connections:
            oldest = next(iter(self.strangers), None)
            if oldest is None:
                return self.refuse(Limit.CONNECTIONS)
            del self.strangers[oldest]
            oldest.evict(self.refuse(Limit.CONNECTIONS))
        self.facts.connections += 1
        return None

    def release_connection(self) -> None:
        self.facts.connections -= 1

    def admit_address(self, address: str) -> Caller | Refusal:
        """One more connection of this client address."""
        caller = self._addresses.get(address)
        if caller is None:
            caller = self._addresses[address] = Caller(
                address,
                is_key=False,
                connections=self.limits.connections_per_address,
                requests=self.limits.requests_per_address,
                # The body of a request whose key is not known is not read on until it is.
                body_bytes=self.limits.body_memory // 8,
            )
        if caller.connections >= caller.most_connections:
            return self.refuse(Limit.ADDRESS_CONNECTIONS)
        caller.connections += 1
        return caller

    def admit_key(self, key_id: int) -> Caller | Refusal:
        """One more connection that uses this key."""
        caller = self._keys.get(key_id)
        if caller is None:
            caller = self._keys[key_id] = Caller(
                key_id,
                is_key=True,
                connections=self.limits.connections_per_key,
                requests=self.limits.requests_per_key,
                body_bytes=self.limits.body_memory // 2,
            )
        if caller.connections >= caller.most_connections:
            return self.refuse(Limit.KEY_CONNECTIONS)
        caller.connections += 1
        return caller

    def release(self, caller: Caller) -> None:
        """One connection of this caller less."""
        caller.connections -= 1
        if not caller.connections:
            self._forget(caller)

    def admit_guest(self) -> bool:
        """Whether a connection beyond the limit of its address may send one head."""
        if self.guests >= GUESTS:
            return False
        self.guests += 1
        return True

    def release_guest(self) -> None:
        self.guests -= 1

    # Requests -------------------------------------------------------------------------------------------------------------

    def admit(self, caller: Caller, size: int) -> Refusal | None:
        """One more request that is read and answered, with a body of `size` bytes; 0 if its length is not known yet."""
        if caller.requests >= caller.most_requests:
            return self.refuse(Limit.KEY_REQUESTS if caller.is_key else Limit.ADDRESS_REQUESTS)
        if size and (refusal := self.admit_body(caller, size, size)) is not None:
            return refusal
        caller.requests += 1
        return None

    def admit_body(self, caller: Caller, size: int, whole: int) -> Refusal | None:
        """`size` more bytes of a body, which has `whole` bytes with these."""
        facts = self.facts
        most = self.limits.body_memory
        if whole > SMALL_BODY:
            most -= most // 4
        if facts.body_bytes + size > most or caller.body_bytes + size > caller.most_body_bytes:
            return self.refuse(Limit.BODY_MEMORY)
        facts.body_bytes += size
        caller.body_bytes += size
        return None

    def release_request(self, caller: Caller, size: int) -> None:
        """The request is answered, and its body is not in memory any more."""
        if size > SMALL_BODY:
            self.freed += size
            self.on_freed()
        self.facts.body_bytes -= size
        caller.body_bytes -= size
        caller.requests -= 1
        if not caller.connections:
            self._forget(caller)

    def _forget(self, caller: Caller) -> None:
        if not (caller.connections or caller.requests):
            (self._keys if caller.is_key else self._addresses).pop(caller.name, None)


def _refusal(limit: Limit, limits: Limits) -> Refusal:
    match limit:
        case Limit.HEAD_BYTES:
            return Refusal(limit, 431, "head-too-large", door.head_too_large(limits.head_bytes))
        case Limit.HEAD_FIELDS:
            return Refusal(limit, 431, "head-too-large", door.too_many_header_fields(limits.head_fields))
        case Limit.HEAD_TIME:
            return Refusal(limit, 408, "request-timeout", door.head_too_slow(limits.head_seconds))
        case Limit.BODY_TIME:
            sentence = door.body_too_slow(limits.body_seconds, limits.body_bytes_per_second)
            return Refusal(limit, 408, "request-timeout", sentence)
        case Limit.BODY_MEMORY:
            return Refusal(limit, 503, "busy", door.body_memory_full(), 2)
        case Limit.RESPONSE_TIME:
            return Refusal(limit, 408, "request-timeout", door.response_not_read(limits.response_seconds))
        case Limit.PIPELINE:
            return Refusal(limit, 429, "too-many-requests", door.too_many_pipelined(limits.pipelined), 1)
        case Limit.CONNECTIONS:
            return Refusal(limit, 503, "busy", door.connections_full(limits.connections), 2)
        case Limit.ADDRESS_CONNECTIONS:
            sentence = door.too_many_connections_of_address(limits.connections_per_address)
            return Refusal(limit, 429, "too-many-connections", sentence, 2)
        case Limit.KEY_CONNECTIONS:
            sentence = door.too_many_connections_of_key(limits.connections_per_key)
            return Refusal(limit, 429, "too-many-connections", sentence, 2)
        case Limit.ADDRESS_REQUESTS:
            sentence = door.too_many_requests_of_address(limits.requests_per_address)
            return Refusal(limit, 429, "too-many-requests", sentence, 1)
        case Limit.KEY_REQUESTS:
            sentence = door.too_many_requests_of_key(limits.requests_per_key)
            return Refusal(limit, 429, "too-many-requests", sentence, 1)
        case Limit.MALFORMED:
            return Refusal(limit, 400, "malformed-request", door.not_http())
        case Limit.FAILED_LOGINS:
            return Refusal(limit, 429, "too-many-failed-logins", door.too_many_failed_logins(), 60)
        case Limit.BODY_BYTES:
            raise AssertionError("its sentence names the size that this request may have")
