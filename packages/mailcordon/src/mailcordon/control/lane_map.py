"""All lanes at a glance: the state of each, and how much mail it sent lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mailcordon.core.priority import Class

State = Literal["open", "throttled", "stopped", "held"]
#: `attention`: lanes that are not open first, then by volume.
Sort = Literal["attention", "volume", "bounces", "complaints", "name"]
MOST = 1_000  #: lanes that are listed at once


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedLane:
    tenant: str
    type: str
    class_: Class
    state: State
    sent: int
    hard_bounced: int
    complained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMap:
    """Counts are of mail sent from `since` on (milliseconds since 1970)."""

    since: int
    states: dict[State, int]  #: how many lanes are in each state, of those that may be listed
    lanes: Sequence[MappedLane]


class Reader(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_map(
        self, *, tenant: int | None, class_: Class | None, state: State | None, sort: Sort, limit: int
    ) -> LaneMap:
        """Without retired lanes, and without those that are known from observed mail alone."""
        ...
