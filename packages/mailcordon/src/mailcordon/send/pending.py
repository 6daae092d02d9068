"""What may wait for its commit.

A tenant that has nothing waiting may always add one message: the door bounds the requests and the bytes of bodies in flight, so
that is bounded too, and other tenants cannot keep it out.
"""

from dataclasses import dataclass

from mailcordon.core.turns import Bounds

MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Messages and bytes of content that one API process keeps. Large messages are counted apart."""

    #: Of one tenant. As many as one tenant's rate gives in a second: who waits longer is better told to slow down.
    messages_per_tenant: int = 1000
    #: Of all tenants: some seconds of work.
    messages: int = 10_000
    #: Of one tenant: several large messages. It may always add one if nothing of it waits.
    bytes_per_tenant: int = 32 * MB
    #: Of all tenants. Memory, since a process that is killed for it confirms nothing.
    bytes: int = 128 * MB

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            items_each=self.messages_per_tenant,
            items=self.messages,
            bytes_each=self.bytes_per_tenant,
            bytes=self.bytes,
        )
