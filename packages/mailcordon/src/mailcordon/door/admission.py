"""Who may take what: connections, requests in flight and bytes of bodies, counted for each caller and in all.

A caller is a key, or a client address as long as no known key was shown. Every `admit_*` either counts, or counts a refusal and
returns it; what was admitted is given back by the matching `release_*`. Runs in one event loop and never waits.
"""

from dataclasses import dataclass
from typing import Protocol

from mailcordon.door.facts import DoorFacts
from mailcordon.door.limits import Limit, Limits
from mailcordon.messages import api

#: Bodies up to this many bytes may use all of the memory for bodies, larger ones three quarters: ordinary mail is still accepted
#: while large mail has filled its part.
SMALL_BODY = 256 * 1024
#: Connections beyond a limit that may still send one head: it is answered with the reason, or with the health of the process.
GUESTS = 32


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not admitted, and what the caller is told."""

    limit: Limit
    status: int
    code: str
    sentence: str
    retry_after: int | None = None  #: seconds


class Caller:
    """What one key or one client address uses now."""

    __slots__ = ("body_bytes", "connections", "key", "name", "requests")

    def __init__(self, name: str | int, *, key: bool) -> None:
        self.name = name  #: the id of the key, or the address
        self.key = key
        self.connections = 0
        self.requests = 0
        self.body_bytes = 0


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
        #: Connections that have not shown a known key, the oldest first: these make room when all are taken.
        self.strangers: dict[Evictable, None] = {}
        self._addresses: dict[str | int, Caller] = {}
        self._keys: dict[str | int, Caller] = {}
        self._refusals = {limit: _refusal(limit, limits) for limit in Limit}

    def refuse(self, limit: Limit) -> Refusal:
        """Counts a refusal."""
        self.facts.refused[limit.value] += 1
        return self._refusals[limit]

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
            caller = self._addresses[address] = Caller(address, key=False)
        if caller.connections >= self.limits.connections_per_address:
            return self.refuse(Limit.ADDRESS_CONNECTIONS)
        caller.connections += 1
        return caller

    def admit_key(self, key_id: int) -> Caller | Refusal:
        """One more connection that uses this key."""
        caller = self._keys.get(key_id)
        if caller is None:
            caller = self._keys[key_id] = Caller(key_id, key=True)
        if caller.connections >= self.limits.connections_per_key:
            return self.refuse(Limit.KEY_CONNECTIONS)
        caller.connections += 1
        return caller

    def release(self, caller: Caller) -> None:
        """One connection of this caller less."""
        caller.connections -= 1
        self._forget(caller)

    # Requests -------------------------------------------------------------------------------------------------------------

    def admit_request(self, caller: Caller) -> Refusal | None:
        """One more request that is being read or answered."""
        if caller.key:
            if caller.requests >= self.limits.requests_per_key:
                return self.refuse(Limit.KEY_REQUESTS)
        elif caller.requests >= self.limits.requests_per_address:
            return self.refuse(Limit.ADDRESS_REQUESTS)
        caller.requests += 1
        return None

    def release_request(self, caller: Caller) -> None:
        caller.requests -= 1
        if not caller.connections:
            self._forget(caller)

    # Bodies ---------------------------------------------------------------------------------------------------------------

    def admit_body(self, caller: Caller, size: int, whole: int) -> Refusal | None:
        """`size` more bytes of a body, which has `whole` bytes with these."""
        most = self.limits.body_memory
        if whole > SMALL_BODY:
            most -= most // 4
        if self.facts.body_bytes + size > most or caller.body_bytes + size > self.limits.body_memory // 2:
            return self.refuse(Limit.BODY_MEMORY)
        self.facts.body_bytes += size
        caller.body_bytes += size
        return None

    def release_body(self, caller: Caller, size: int) -> None:
        self.facts.body_bytes -= size
        caller.body_bytes -= size

    def _forget(self, caller: Caller) -> None:
        if not (caller.connections or caller.requests or caller.body_bytes):
            (self._keys if caller.key else self._addresses).pop(caller.name, None)


def _refusal(limit: Limit, limits: Limits) -> Refusal:
    match limit:
        case Limit.HEAD_BYTES:
            return Refusal(limit, 431, "head-too-large", api.head_too_large(limits.head_bytes))
        case Limit.HEAD_FIELDS:
            return Refusal(limit, 431, "head-too-large", api.too_many_header_fields(limits.head_fields))
        case Limit.HEAD_TIME:
            return Refusal(limit, 408, "request-timeout", api.head_too_slow(limits.head_seconds))
        case Limit.BODY_BYTES:
            return Refusal(limit, 413, "too-large", api.body_too_large(limits.body_bytes))
        case Limit.BODY_TIME:
            sentence = api.body_too_slow(limits.body_seconds, limits.body_bytes_per_second)
            return Refusal(limit, 408, "request-timeout", sentence)
        case Limit.BODY_MEMORY:
            return Refusal(limit, 503, "busy", api.body_memory_full(), 2)
        case Limit.RESPONSE_TIME:
            return Refusal(limit, 408, "request-timeout", api.response_not_read(limits.response_seconds))
        case Limit.PIPELINE:
            return Refusal(limit, 429, "too-many-requests", api.too_many_pipelined(limits.pipelined), 1)
        case Limit.CONNECTIONS:
            return Refusal(limit, 503, "busy", api.connections_full(limits.connections), 2)
        case Limit.ADDRESS_CONNECTIONS:
            sentence = api.too_many_connections_of_address(limits.connections_per_address)
            return Refusal(limit, 429, "too-many-connections", sentence, 2)
        case Limit.KEY_CONNECTIONS:
            sentence = api.too_many_connections_of_key(limits.connections_per_key)
            return Refusal(limit, 429, "too-many-connections", sentence, 2)
        case Limit.ADDRESS_REQUESTS:
            sentence = api.too_many_requests_of_address(limits.requests_per_address)
            return Refusal(limit, 429, "too-many-requests", sentence, 1)
        case Limit.KEY_REQUESTS:
            sentence = api.too_many_requests_of_key(limits.requests_per_key)
            return Refusal(limit, 429, "too-many-requests", sentence, 1)
