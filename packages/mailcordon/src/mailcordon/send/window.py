"""How many calls to SES may be on the wire, and when calls stop because SES gives no clear answers.

An unclear answer (5xx, reset, time-out) leaves a delivery with an unknown outcome, so an outage must meet few calls:

- **Open**: the call slots are the limit.
- **Stopped**: when at least UNCLEAR of the last RECENT answers were unclear, and at least half of them. A rate, not a run: at
  80 % errors a clear answer comes between. With 1 % errors two answers in 10^8 stop it, with 5 % one in 15,000. Nothing is
  called but one canary a second.
- **Narrow**: a canary's clear answer allows one call on the wire, and each time as many answers as are allowed were clear, twice
  as many are allowed, until it is open. An unclear answer allows one again; if only one was allowed, the window stops.

A window begins with FIRST calls allowed, and does so again after IDLE seconds without a call: what was true then may not be true
now, and a dispatcher that starts or a backlog that is released must not find that out with all its slots. Unclear answers make
such a window narrow, but stop it by their rate only.

Answers to calls that began before the window stopped say nothing about now; they are not counted.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mailcordon.messages import reasons

RECENT = 10  #: answers
WITHIN = 10.0  #: seconds in which answers are recent; but the last UNCLEAR are, however old
UNCLEAR = 5
CANARY_EVERY = 1.0  #: seconds
FIRST = 8  #: calls that a window begins with
OPEN_AT = 32  #: so many calls or more are not counted
IDLE = 1.0  #: seconds
CALM = 5.0  #: seconds without an unclear answer, after which an outage is over


@dataclass(slots=True)
class Window:
    name: str  #: of the cell
    clock: Callable[[], float]
    because: str | None = None  #: why it is stopped; None: it is not
    _allowed: int | None = FIRST  #: None: open
    _cleared: int = 0  #: clear answers since `_allowed` changed
    _testing: bool = False  #: it was stopped, and has not been open since
    _answers: deque[tuple[float, bool]] = field(
        default_factory=lambda: deque[tuple[float, bool]](maxlen=RECENT)
    )
    _answered_at: float = float("-inf")
    _stopped_at: float = float("-inf")
    _unclear_at: float = float("-inf")
    _outage: str | None = None
    _canary_at: float = float("-inf")

    @property
    def stopped(self) -> bool:
        return self.because is not None

    @property
    def outage(self) -> str | None:
        """Why it is or was stopped, until it has been calm for a while: under errors it stops and opens every second."""
        self._forget_outage()
        return self._outage

    @property
    def narrow(self) -> int | None:
        """How many calls a narrow window allows on the wire; None: it is open."""
        return self._allowed

    def allowed(self, in_flight: int) -> int:
        """How many more calls may start while `in_flight` are on the wire. The call slots limit them too."""
        if self.because is not None:
            return 0
        if not in_flight and self.clock() - self._answered_at > IDLE and (self._allowed or FIRST) >= FIRST:
            self._narrow(FIRST)
        return OPEN if self._allowed is None else max(0, self._allowed - in_flight)

    def answered(self, began: float | None = None) -> None:
        """SES gave a clear answer to a call that began then."""
        if not self._counts(began):
            return
        self._add(unclear=False)
        if self._allowed is not None:
            self._cleared += 1
            if self._cleared >= self._allowed:
                self._narrow(self._allowed * 2)

    def unclear(self, detail: str, began: float | None = None) -> bool:
        """SES gave no clear answer to a call that began then. Returns whether that stopped the window."""
        if not self._counts(began):
            return False
        self._forget_outage()
        self._add(unclear=True)
        self._unclear_at = self._answered_at
        recent = [unclear for at, unclear in self._answers if self._answered_at - at <= WITHIN]
        if len(recent) < UNCLEAR:
            recent = [unclear for _, unclear in self._answers][-UNCLEAR:]
        bad = sum(recent)
        if (self._testing and self._allowed == 1) or (bad >= UNCLEAR and 2 * bad >= len(recent)):
            return self.stop(reasons.no_clear_answers(bad, len(recent), detail))
        if self._allowed is not None:
            self._narrow(1)
        return False

    def stop(self, because: str) -> bool:
        """Returns False if it was stopped already."""
        was_open = self.because is None
        # One outage keeps its sentence: it is shown as one stop.
        self.because = self._outage = self._outage or because
        self._stopped_at = self.clock()
        self._answers.clear()
        return was_open

    def probed(self) -> bool:
        """A canary of the stopped window had a clear answer: one call may start. Returns False if it was not stopped."""
        if self.because is None:
            return False
        self.because = None
        self.restart()
        return True

    def restart(self) -> None:
        """Something else kept all mail from leaving until now: one call may start."""
        self._testing = True
        self._answered_at = self.clock()
        self._narrow(1)

    def canary_due(self) -> bool:
        """Returns whether to send a canary now; True starts the next interval."""
        now = self.clock()
        if self.because is None or now - max(self._canary_at, self._stopped_at) < CANARY_EVERY:
            return False
        self._canary_at = now
        return True

    def _forget_outage(self) -> None:
        if self.because is None and self.clock() - max(self._unclear_at, self._stopped_at) > CALM:
            self._outage = None

    def _counts(self, began: float | None) -> bool:
        return self.because is None and (began is None or began >= self._stopped_at)

    def _add(self, *, unclear: bool) -> None:
        self._answered_at = self.clock()
        self._answers.append((self._answered_at, unclear))

    def _narrow(self, allowed: int) -> None:
        self._allowed = allowed
        if allowed >= OPEN_AT:
            self._allowed, self._testing = None, False
        self._cleared = 0


OPEN = 1 << 30  #: `allowed` of an open window
