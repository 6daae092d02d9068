"""What the breaker's loop needs of others: its store, holds and limits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from mailcordon.core.hold import Hold, NewHold
from mailcordon.core.limit import Limit
from mailcordon.core.target import Target
from mailcordon.guard.arming import Arming
from mailcordon.guard.breaker.delay_curves import DayCounts
from mailcordon.guard.delays import Signal
from mailcordon.observe.breaker.records import (
    Account,
    Begin,
    Carried,
    Changes,
    Judged,
    Loaded,
    Sent,
    Sharer,
    Watched,
    Write,
)


class BreakerStore(Protocol):
    async def leads(self, *, stand_by: bool) -> bool:
        """Whether this process runs the breaker; `stand_by`: only while no control process reports."""
        ...

    async def begin(self) -> Begin: ...

    async def changes(self, fold: int) -> Changes: ...

    async def load(self, lanes: Sequence[int], *, room: Mapping[Signal, float] | None) -> Loaded:
        """Lanes with their history. Those that are retired or only observed are left out."""
        ...

    async def facts(self, lanes: Sequence[int], *, room: Mapping[Signal, float] | None) -> Sequence[Watched]:
        """The same without their history."""
        ...

    async def write(self, change: Write) -> list[int]:
        """One transaction. The numbers of the new decisions. Raises NotLeading."""
        ...

    async def carried(self) -> Sequence[Carried]: ...

    async def flow(self, lane: int) -> float:
        """Mails a second in the busiest ten minutes of the last day."""
        ...

    async def sharers(self, lane: int) -> tuple[Sharer, ...]: ...

    async def findings(self, tenant: int) -> list[tuple[str, str]]:
        """SES's own open findings about a tenant, with their impacts."""
        ...

    async def arming(self, lanes: Collection[int], now: int) -> Sequence[Judged]: ...

    async def set_arming(self, lane: int, arming: Arming, lost_since: int | None) -> None:
        """Raises NotLeading."""
        ...

    async def account(self, since: int, *, by_lane: bool) -> Account: ...

    async def sent(self, lanes: Sequence[int], since: int, *, least: int) -> Mapping[int, Sent]:
        """Mails by hour from an hour (since 1970) on, of those of these lanes that sent more than `least` today and yesterday."""
        ...

    async def spoken(self, since: int) -> Collection[tuple[int, str]]:
        """Lanes and signals about which a person has ended a decision since then (milliseconds since 1970)."""
        ...

    async def keep_delays(self, changed: Sequence[DayCounts]) -> None:
        """Raises NotLeading."""
        ...

    async def purge(self, before: int) -> None: ...

    async def close(self) -> None: ...


class Waiting(Protocol):
    """Mail of a lane that a target covers."""

    @property
    def ready(self) -> int: ...
    @property
    def waiting(self) -> int: ...


class Covered(Protocol):
    @property
    def lanes(self) -> Sequence[Waiting]: ...


class Holds(Protocol):
    """The governor."""

    async def place(self, hold: NewHold, *, actor: str, once: bool = False) -> Hold: ...

    async def lift(
        self, hold_ids: Sequence[int], *, tenant: int, actor: str, because: str
    ) -> Sequence[Hold]: ...

    async def preview(self, target: Target) -> Covered: ...


class Limits(Protocol):
    async def replace(self, tenant: int, owner: str, limits: Sequence[Limit]) -> int:
        """The limits of this owner become these. Returns how many changed."""
        ...
