"""Stops this cell's calls to SES after five unclear answers in a row, or when SES refuses the whole account.

While the cell is stopped, nothing is claimed and one canary a second goes to SES's simulator. The first clear answer opens the
cell again. So an outage leaves few deliveries with an unknown outcome.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from mailcordon.messages import reasons

UNCLEAR_IN_A_ROW = 5
CANARY_EVERY = 1.0  #: seconds


@dataclass(slots=True)
class Cell:
    name: str
    clock: Callable[[], float]
    because: str | None = None  #: why it is stopped; None: open
    _unclear: int = 0
    _canary_at: float = field(default=float("-inf"))

    @property
    def stopped(self) -> bool:
        return self.because is not None

    def answered(self) -> bool:
        """Records a clear answer. Returns whether it opened the cell."""
        opened = self.stopped
        self._unclear, self.because = 0, None
        return opened

    def unclear(self, detail: str) -> bool:
        """Records an unclear answer. Returns whether it stopped the cell."""
        self._unclear += 1
        if self._unclear < UNCLEAR_IN_A_ROW or self.stopped:
            return False
        self.because = reasons.no_clear_answers(self._unclear, detail)
        return True

    def stop(self, because: str) -> bool:
        """Returns False if the cell was stopped already."""
        was_open = not self.stopped
        self.because = because
        return was_open

    def canary_due(self) -> bool:
        """Returns whether to send a canary now; True starts the next interval."""
        if not self.stopped or self.clock() - self._canary_at < CANARY_EVERY:
            return False
        self._canary_at = self.clock()
        return True
