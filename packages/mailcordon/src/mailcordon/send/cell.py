"""Whether this cell's SES is worth calling: five unclear answers in a row, or a refusal of the whole account, stop everything.

While stopped nothing is claimed; one canary a second asks SES's simulator, and the first clear answer opens the cell again. So
an outage leaves a handful of unknown outcomes behind, not a queue full of them.
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
        """SES gave a clear answer; whether that opened the cell."""
        opened = self.stopped
        self._unclear, self.because = 0, None
        return opened

    def unclear(self, detail: str) -> bool:
        """SES gave no clear answer; whether that stopped the cell."""
        self._unclear += 1
        if self._unclear < UNCLEAR_IN_A_ROW or self.stopped:
            return False
        self.because = reasons.no_clear_answers(self._unclear, detail)
        return True

    def stop(self, because: str) -> bool:
        """Whether this was news."""
        news = not self.stopped
        self.because = because
        return news

    def canary_due(self) -> bool:
        """Whether to ask now; saying yes starts the next wait."""
        if not self.stopped or self.clock() - self._canary_at < CANARY_EVERY:
            return False
        self._canary_at = self.clock()
        return True
