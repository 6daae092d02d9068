"""For whom one connection and its requests count: a client address, and a key once a known one is shown (door/admission.py)."""

import time
from collections.abc import Callable, Sequence
from typing import cast

from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.shared_door import Door
from mailcordon.control.key_cache import Known
from mailcordon.core.errors import TooMuch
from mailcordon.core.principal import Principal
from mailcordon.door.admission import Caller, Evictable, Refusal, Ticket
from mailcordon.door.client_address import counted_as


class ConnectionCallers:
    """`claimed` says for which key a request with an AWS signature counts, which nobody has checked yet."""

    def __init__(
        self, door: Door, endpoint: MessageEndpoint, claimed: Callable[[str], Known | None] | None = None
    ) -> None:
        self._claimed = claimed
        self._proxies = door.proxies
        self._admission = door.admission
        self._endpoint = endpoint
        self._peer = "local"
        self._connection: Evictable | None = None  #: while it is counted
        self.is_proxied = False
        #: of the current request: the peer's, or the one that a trusted proxy forwarded
        self.client_address = ""
        self.guest: Refusal | None = None  #: why it may only ask for the health of the process
        self._address: Caller | None = None
        self._key: Caller | None = None
        self._key_id: int | None = None
        self.shown: bytes | None = None  #: the last Authorization that named a known key
        self.shown_text = ""
        self.known: Known | None = None  #: that key

    def connect(self, peer: str | None, connection: Evictable) -> Refusal | None:
        """Counts the connection. `peer` is the client's address; None: it has none."""
        admission = self._admission
        refusal = admission.admit_connection()
        if refusal is not None:
            return refusal
        self._connection = connection
        self._peer = peer or ""
        peer = self.client_address = peer or "local"
        if self._proxies.is_trusted(peer):
            self.is_proxied = True
            self._address = admission.unlimited
            return None
        admitted = admission.admit_address(counted_as(peer))
        if isinstance(admitted, Refusal):
            if not admission.admit_guest():
                return admitted
            self.guest = admitted
            self._address = admission.unlimited
        else:
            self._address = admitted
        admission.strangers[connection] = None
        return None

    def disconnect(self) -> None:
        """Gives back what the connection has taken."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        admission = self._admission
        admission.release_connection()
        admission.strangers.pop(connection, None)
        if self.guest is not None:
            admission.release_guest()
        elif self._address is not None and not self.is_proxied:
            admission.release(self._address)
        if self._key is not None:
            admission.release(self._key)

    def look_up(self, shown: bytes | None, *, signed: bool = False) -> tuple[str | None, Principal | None]:
        """The text of a header Authorization, and the key it names if that is known. Remembers both.

        `signed`: it may be an AWS signature, which is another one for each request and is not remembered."""
        self.shown = self.known = None
        if shown is None:
            return None, None
        authorization = shown.decode("latin-1")
        if signed:
            claimed = self._claimed(authorization) if self._claimed is not None else None
            return authorization, None if claimed is None else claimed.principal
        known = self._endpoint.keys.find(authorization)
        if known is None:
            return authorization, None
        self.shown, self.shown_text, self.known = shown, authorization, known
        return authorization, known.principal

    def admit(
        self, principal: Principal | None, length: int, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[Caller, tuple[Caller, ...]] | Refusal:
        """One more request. Returns who is charged for it, and for whom its connection counts behind a proxy."""
        if self.is_proxied:
            return self._admit_proxied(principal, length, headers)
        admission = self._admission
        if principal is None:
            caller = self._address or admission.unlimited
            refusal = admission.admit(caller, 0)
        else:
            if principal.key_id != self._key_id and (refusal := self._use_key(principal.key_id)):
                return refusal
            assert self._key is not None
            caller = self._key
            refusal = admission.admit(caller, length)
        return (caller, ()) if refusal is None else refusal

    def without_room(self, principal: Principal) -> Refusal | None:
        """A large message that would be refused for the rate when it has been read is not read."""
        slug = principal.tenant_slug
        try:
            self._endpoint.buckets.require_room(
                principal.key_id,
                principal.prefix,
                principal.limits,
                slug,
                time.monotonic(),
                platform=slug is None,
            )
        except TooMuch as problem:
            return Refusal(None, 429, problem.code, str(problem), problem.retry_after)
        return None

    def _admit_proxied(
        self, principal: Principal | None, length: int, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[Caller, tuple[Caller, ...]] | Refusal:
        """A proxy keeps connections open for whoever comes next, so only requests count for a client and a key."""
        admission = self._admission
        forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        client = self._proxies.client_address(self._peer, forwarded)
        self.client_address = client or self._peer
        caller, used_by = admission.unlimited, list[Caller]()
        admitted: Caller | Refusal | None = None
        if client is not None:
            admitted = admission.admit_address(counted_as(client))
            if isinstance(admitted, Refusal):
                return admitted
            caller = admitted
            used_by.append(admitted)
        if principal is not None:
            admitted = admission.admit_key(principal.key_id)
            if isinstance(admitted, Caller):
                caller = admitted
                used_by.append(admitted)
        if not isinstance(admitted, Refusal):
            admitted = admission.admit(caller, length if principal is not None else 0)
        if admitted is not None:
            for one in used_by:
                admission.release(one)
            return admitted
        return caller, tuple(used_by)

    def _use_key(self, key_id: int) -> Refusal | None:
        admitted = self._admission.admit_key(key_id)
        if isinstance(admitted, Refusal):
            return admitted
        if self._key is not None:
            self._admission.release(self._key)
        self._key, self._key_id = admitted, key_id
        if self._connection is not None:
            self._admission.strangers.pop(self._connection, None)
        return None

    def charge(self, ticket: Ticket, authorization: str | None) -> Refusal | None:
        """Charges the key for a request whose body is read on because its key has turned out to be good."""
        principal = self._endpoint.keys.lookup(authorization)
        if principal is None and authorization is not None and self._claimed is not None:
            claimed = self._claimed(authorization)
            principal = None if claimed is None else claimed.principal
        return None if principal is None else self._charge(ticket, principal.key_id)

    def _charge(self, ticket: Ticket, key_id: int) -> Refusal | None:
        if self.is_proxied:
            key = self._admission.admit_key(key_id)
            if isinstance(key, Refusal):
                return key
            ticket.use(key)
        else:
            if key_id != self._key_id and (refusal := self._use_key(key_id)):
                return refusal
            key = cast(Caller, self._key)
        return ticket.charge(key)
