"""What the governor needs from the database. Each method is one transaction."""

from collections.abc import Sequence
from typing import Protocol

from mailcordon.control.preview import Preview
from mailcordon.control.stops import StopStore
from mailcordon.core.hold import Hold, NewHold
from mailcordon.core.target import Target


class GovernorStore(Protocol):
    """Each method that changes holds locks the tenant's lanes in id order, derives their state again and bumps the epoch."""

    @property
    def stops(self) -> StopStore: ...

    async def place(self, new: NewHold, *, actor: str, once: bool) -> Hold: ...

    async def lift(self, tenant: int, ids: Sequence[int], *, actor: str, because: str) -> list[Hold]: ...

    async def align(self, tenant: int) -> None: ...

    async def set_rate(
        self, tenant: int, lane: int, rate: float | None, *, actor: str, because: str
    ) -> None: ...

    async def open_holds(self, tenant: int) -> list[Hold]: ...

    async def preview(self, target: Target) -> Preview: ...

    async def announce_cancel(self, target: Target, *, actor: str, because: str) -> list[int]:
        """Writes the audit row and returns the lanes that the target covers."""
        ...

    async def cancel(self, target: Target, lane: int, *, detail: str, most: int) -> int: ...

    async def due_holds(self) -> list[tuple[int, list[int]]]:
        """Expired open holds by tenant, up to a limit."""
        ...

    async def unaligned_tenants(self) -> list[int]: ...
