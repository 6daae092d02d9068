"""What alerts need of the world: a store, and somebody who delivers a message."""

from collections.abc import Sequence
from typing import Protocol

from mailcordon.observe.alerts.nouns import (
    AlertView,
    Channel,
    Contact,
    ContactForm,
    Due,
    DueNotice,
    LaneState,
    NoticeView,
)


class NotDelivered(Exception):
    """The message did not arrive, in words without secrets. `retry_after`: seconds that the receiver asked to wait. `id_is_used`:
    the receiver knows the message's id by now, and would take a message of that id for a copy. `is_gone`: it wants no message any
    more (410)."""

    def __init__(
        self, why: str, *, retry_after: int | None = None, id_is_used: bool = False, is_gone: bool = False
    ) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.id_is_used = id_is_used
        self.is_gone = is_gone


class AlertStore(Protocol):
    async def plan(self) -> int:
        """Compares all incidents with what channels were told, and puts messages on their way. Returns how many."""
        ...

    async def due(self, most: int, *, of_one: int, busy: Sequence[int]) -> Sequence[Due]:
        """Messages to be sent now, each leased to this process for a minute: `of_one` to a channel at most, none to those that
        are busy."""
        ...

    async def lane_state(self, lane: int) -> LaneState: ...

    async def sent(self, due: Due) -> None: ...

    async def failed(self, due: Due, why: str, *, retry_after: int | None, id_is_used: bool) -> None: ...

    async def skipped(self, due: Due, why: str) -> None:
        """It could not go this way at present."""
        ...


class NoticeStore(Protocol):
    async def plan(self) -> int: ...

    async def due(self, most: int) -> Sequence[DueNotice]: ...

    async def lane_state(self, lane: int) -> LaneState: ...

    async def sent(self, notice: DueNotice) -> None: ...

    async def failed(
        self, notice: DueNotice, why: str, *, retry_after: int | None, id_is_used: bool
    ) -> None: ...

    async def forget_retired(self) -> None:
        """Contacts of retired tenants."""
        ...


class Courier(Protocol):
    async def deliver(self, due: Due, now: int) -> None:
        """Raises NotDelivered."""
        ...

    async def try_out(self, channel: Channel, now: int) -> None:
        """A message that says that the channel works. Raises NotDelivered."""
        ...

    async def tell(self, notice: DueNotice, now: int) -> None:
        """Raises NotDelivered."""
        ...

    async def greet(self, contact: Contact, now: int) -> None:
        """A message that says that the contact works. Raises NotDelivered."""
        ...


class AlertReads(Protocol):
    """For the routes."""

    async def alerts(
        self,
        *,
        incident: int | None = None,
        channel: str | None = None,
        is_open: bool | None = None,
        before: int | None = None,
        limit: int = 100,
        id: int | None = None,
    ) -> list[AlertView]: ...

    async def slugs(self, ids: Sequence[int]) -> dict[int, str]: ...


class ContactReads(Protocol):
    """For the routes. `as_tenant`: read as a tenant's key."""

    async def contacts(self, tenant: int, *, as_tenant: bool) -> list[Contact]: ...

    async def notices(
        self, tenant: int, *, as_tenant: bool, before: int | None, limit: int
    ) -> list[NoticeView]: ...

    async def remove(
        self, tenant: int, slug: str, form: ContactForm, *, actor: str, because: str
    ) -> bool: ...
