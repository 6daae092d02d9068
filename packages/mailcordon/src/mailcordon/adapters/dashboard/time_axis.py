"""The axis of the charts over time: whole minutes, hours or days, where a moment lies on it, and how it is named. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

By = Literal["minute", "hour", "day"]  #: as GET /v1/metrics takes it, and names the time of a line
SECONDS: Mapping[By, int] = {"minute": 60, "hour": 3_600, "day": 86_400}
_LABELS: Mapping[By, str] = {"minute": "%H:%M", "hour": "%-d %b %H:%M", "day": "%-d %b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Seconds since 1970; `end` is not shown any more. Both are whole steps."""

    by: By
    start: int
    end: int

    @classmethod
    def around(cls, since: float, until: float, by: By) -> "Axis":
        """From the whole step in which `since` is, until the one that contains `until` is over; one step at least."""
        step = SECONDS[by]
        start = int(since // step * step)
        return cls(by=by, start=start, end=max(start + step, math.ceil(until / step) * step))

    @property
    def step(self) -> int:
        return SECONDS[self.by]

    @property
    def starts(self) -> range:
        """Where each step begins."""
        return range(self.start, self.end, self.step)

    @property
    def steps(self) -> int:
        return len(self.starts)

    def share(self, at: float) -> float:
        """Where a moment lies: 0 is the left edge, 1 the right one."""
        return (at - self.start) / max(1, self.end - self.start)

    def label(self, at: float) -> str:
        """In UTC, as exact as the steps are."""
        return datetime.fromtimestamp(at, UTC).strftime(_LABELS[self.by])

    def at(self, line: Mapping[str, Any]) -> int:
        """When the step of a line of GET /v1/metrics begins."""
        return int(datetime.fromisoformat(line[self.by]).timestamp())
