"""Bounds what is logged of a cause that repeats, such as one answer of SES to every mail: a line a minute, with a count."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

EVERY = 60.0  #: seconds between two lines about one cause
MOST_CAUSES = 1_000  #: that are remembered


@dataclass(slots=True)
class LogLimit:
    clock: Callable[[], float] = time.monotonic
    _causes: dict[Hashable, tuple[float, int]] = field(default_factory=dict[Hashable, tuple[float, int]])

    def count(self, cause: Hashable) -> int | None:
        """Counts one occurrence. Returns how many there were since the last line, this one included; None: log no line now."""
        now = self.clock()
        logged_at, since = self._causes.get(cause, (float("-inf"), 0))
        if now - logged_at < EVERY:
            self._causes[cause] = (logged_at, since + 1)
            return None
        if cause not in self._causes and len(self._causes) >= MOST_CAUSES:
            del self._causes[next(iter(self._causes))]
        self._causes[cause] = (now, 0)
        return since + 1
