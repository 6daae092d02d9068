"""How long a loop rests between two rounds: short while something happens, longer and longer while nothing does.

Each loop has a `Pace`. After a change of the facts that it works on it goes at its quick pace, as long as what follows a change
usually takes, since that comes in steps. After that each rest is three times as long as the one before, up to the slow pace,
which is what time alone may need to be noticed. docs/operations.md lists the paces of all loops.

Pure: times are passed in, in seconds of a clock that never goes back.
"""

from dataclasses import dataclass

LASTING = 6.0  #: seconds at the quick pace after a change
LONGER = 3  #: times the rest before, afterwards


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between the end of a round and the begin of the next one."""

    quick: float  #: after a change
    slow: float  #: at most
    other: float | None = (
        None  #: while only facts of other loops change; None: these say nothing to this loop
    )
    lasting: float = LASTING  #: seconds at the quick pace after a change

    def __post_init__(self) -> None:
        if not 0 < self.quick <= (self.slow if self.other is None else self.other) <= self.slow:
            raise ValueError(f"a loop cannot rest {self.quick}, {self.other} and {self.slow} s")


def steady(seconds: float) -> Pace:
    """For a loop that nothing hastens."""
    return Pace(quick=seconds, slow=seconds)


class Rest:
    """The rests of one loop."""

    def __init__(self, pace: Pace, now: float) -> None:
        self.pace = pace
        self._ended = now
        self._wait = pace.quick
        self._quick_until = now + pace.lasting
        self._others_changed = False

    def changed(self, now: float) -> None:
        """The facts of this loop have changed, perhaps while a round was under way."""
        self._wait = self.pace.quick
        self._quick_until = now + self.pace.lasting

    def others_changed(self) -> None:
        """Something else has changed, since the last round began."""
        self._others_changed = True

    def begins(self) -> None:
        """A round begins, and sees all changes until now."""
        self._others_changed = False

    def ends(self, now: float, *, worked: bool) -> None:
        """`worked`: the round found something to do, so there may be more."""
        if worked:
            self.changed(now)
        elif now >= self._quick_until:
            self._wait = min(LONGER * self._wait, self.pace.slow)
        self._ended = now

    @property
    def over_at(self) -> float:
        """When the next round is due, as far as is known."""
        wait = self._wait
        if self._others_changed and self.pace.other is not None:
            wait = min(wait, self.pace.other)
        return self._ended + wait
