"""TLS in front of the door's protocol, where a connection is counted before its handshake.

With a server's own TLS a protocol learns of a connection only after the handshake, so those that never finish one would have no
limit. A connection beyond the limits of this stage is closed without an answer: there is nobody to encrypt it for.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.utils import get_remote_addr

from mailcordon.adapters.http.shared_door import Door
from mailcordon.door.admission import Caller, Refusal
from mailcordon.door.client_address import counted_as
from mailcordon.host import tls_start

_Factory = Callable[..., asyncio.Protocol]


def behind_tls(factory: _Factory, door: Door, context: ssl.SSLContext) -> _Factory:
    """The factory of connections that speak TLS, and then the protocol of `factory`."""

    def make(*args: Any, **named: Any) -> asyncio.Protocol:
        return _Gate(factory(*args, **named), door, context)

    return make


class _Gate(asyncio.Protocol):
    """One connection until its handshake is done."""

    def __init__(self, inner: asyncio.Protocol, door: Door, context: ssl.SSLContext) -> None:
        self._inner = inner
        self._door = door
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._is_counted = False
        self._address: Caller | None = None
        self._is_guest = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = plain = cast(asyncio.Transport, transport)
        admission = self._door.admission
        if admission.admit_connection() is not None:
            plain.abort()
            return
        self._is_counted = True
        admission.strangers[self] = None
        found = get_remote_addr(plain)
        peer = found[0] if found else "local"
        if not self._door.proxies.is_trusted(peer):
            admitted = admission.admit_address(counted_as(peer))
            if not isinstance(admitted, Refusal):
                self._address = admitted
            elif admission.admit_guest():
                self._is_guest = True  # may hear why after its handshake
            else:
                self._release()
                plain.abort()
                return
        self._timer = asyncio.get_running_loop().call_later(self._door.limits.head_seconds, plain.abort)

    def data_received(self, data: bytes) -> None:
        """The first bytes of the handshake."""
        transport = cast(asyncio.Transport, self._transport)
        if self._task is None and not transport.is_closing():
            transport.pause_reading()
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._shake_hands(transport))
            # `start_tls` takes what comes from now on. What has come must reach its protocol first: in the first round of the
            # loop the task begins, in the second its protocol gets the connection, and then this.
            loop.call_soon(loop.call_soon, tls_start.hand_over, transport, data)

    async def _shake_hands(self, plain: asyncio.Transport) -> None:
        early = _Early()
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                plain,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._door.limits.head_seconds,
            )
        except (OSError, EOFError):  # SSLError and TimeoutError are OSErrors
            plain.abort()
            return
        finally:
            self._release()
        if encrypted is None or early.is_lost:
            plain.abort()
            return
        encrypted.set_protocol(self._inner)
        self._inner.connection_made(encrypted)
        for data in early.received:
            self._inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()

    def evict(self, refusal: Refusal) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_counted:
            return
        self._is_counted = False
        admission = self._door.admission
        admission.release_connection()
        admission.strangers.pop(self, None)
        if self._address is not None:
            admission.release(self._address)
        if self._is_guest:
            admission.release_guest()


class _Early(asyncio.Protocol):
    """Keeps what is decrypted in the moment between the handshake and the connection's protocol."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
