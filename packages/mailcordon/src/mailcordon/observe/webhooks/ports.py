"""What webhooks need of the world: a store, and somebody who delivers a message."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mailcordon.observe.webhooks.nouns import Endpoint, LogView, Message, Result
from mailcordon.observe.webhooks.plan import After


class Line(Protocol):
    """Connections to one endpoint, kept between messages."""

    async def send(self, message: Message, now: int) -> None:
        """Raises NotDelivered."""
        ...


class Courier(Protocol):
    def line(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Line]:
        """Raises NotDelivered if its address is not known or not allowed."""
        ...


class WebhookStore(Protocol):
    async def now(self) -> int: ...

    async def lease(self, most: int) -> Sequence[Endpoint]:
        """Endpoints for which something is due, with their secrets, each leased to this process for a minute. First those that
        were served longest ago."""
        ...

    async def due(self, endpoint: Endpoint, most: int) -> Sequence[Message]:
        """What is due for it. What has no rows any more is given up here."""
        ...

    async def record(self, endpoint: Endpoint, results: Sequence[Result], after: After) -> Endpoint | None:
        """Also renews the lease. Returns the endpoint as it is now; None: it is paused or removed."""
        ...

    async def release(self, endpoint: Endpoint) -> None: ...

    async def tidy(self) -> bool:
        """Deletes some of what is no longer kept. Returns whether there may be more."""
        ...


class WebhookReads(Protocol):
    """For the routes. `tenant`: read as a key of this tenant; None: as a platform key."""

    async def endpoints(self, *, tenant: int | None, name: str | None = None) -> list[Endpoint]: ...

    async def log(
        self,
        endpoint: Endpoint,
        *,
        tenant: int | None,
        state: str | None,
        delivery: int | None,
        before: int | None,
        limit: int,
    ) -> list[LogView]: ...
