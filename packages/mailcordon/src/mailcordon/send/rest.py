"""When a dispatcher rests: its claims until a turn has mail, and what runs beside them until something has to be done.

A hint of the database wakes it at once. A look comes at least once a second, and is the truth behind the hints.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from mailcordon.core.priority import Class
from mailcordon.send.ports import Look

LONGEST = 1.0  #: seconds between two looks
UNCERTAIN = 0.03  #: seconds until the next look while transactions that must be seen have not ended
#: Hints of a loop in a second, from which on claiming at a pace is cheaper than being told. A hint's transaction holds a lock of
#: the whole server while its commit waits for the disk, so many of them wait for each other.
OFTEN = 20
QUIET_AFTER = 2.0  #: seconds without mail after which what runs beside the claims may rest


class Sleep:
    """Of one claiming loop: until a turn of its classes may have mail."""

    def __init__(self, classes: Sequence[Class], clock: Callable[[], float]) -> None:
        self.asked = False  #: whether the database was asked for hints
        self._classes = classes
        self._clock = clock
        self._hints: deque[float] = deque(maxlen=OFTEN)  #: when the last ones came
        self._bits = sum(1 << class_ for class_ in classes)
        self._told = False
        self._ends = asyncio.Event()

    def begin(self) -> None:
        """Before the look: what is told from now on ends the sleep."""
        self._told = False
        self._ends.clear()

    def hint(self, classes: int) -> None:
        """The database says that these classes, a set of bits, have mail."""
        if classes & self._bits:
            self._hints.append(self._clock())
            self.told(classes)

    @property
    def often(self) -> bool:
        """Whether hints come so often that it is better not to be told."""
        return len(self._hints) == OFTEN and self._clock() - self._hints[0] < 1.0

    def told(self, classes: int) -> None:
        """These classes, a set of bits, may have mail."""
        if classes & self._bits:
            self._told = True
            self._ends.set()

    def seconds(self, look: Look, before: int = 0) -> float:
        """How long to sleep for all that `look` saw; 0 or less: there is mail. `before`: looks of this sleep before it. A
        transaction that does not end is looked for less and less often."""
        longest = LONGEST if look.certain else min(LONGEST, UNCERTAIN * 2 ** min(before, 5))
        return min(longest, *(look.due.get(class_, LONGEST) for class_ in self._classes))

    async def told_within(self, seconds: float) -> bool:
        """Whether it was told of mail since `begin`, after `seconds` at most."""
        if not self._told and seconds > 0:
            timer = asyncio.get_running_loop().call_later(seconds, self._ends.set)
            try:
                await self._ends.wait()
            finally:
                timer.cancel()
                if not self._told:
                    self._ends.clear()
        return self._told


class Rest:
    """`occupied`: whether this dispatcher has calls on the wire, or something keeps it from calling."""

    def __init__(self, occupied: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._occupied = occupied
        self._clock = clock
        self._sleeps: list[Sleep] = []
        self._worked_at = clock()
        self._needed = asyncio.Event()
        self._needed.set()

    def sleep(self, classes: Sequence[Class]) -> Sleep:
        """For a loop that claims these classes."""
        made = Sleep(classes, self._clock)
        self._sleeps.append(made)
        return made

    def hint(self, classes: int) -> None:
        """The database says that turns of these classes, a set of bits, have mail."""
        self.worked()
        for one in self._sleeps:
            one.hint(classes)

    def worked(self) -> None:
        """There is or was something to do: what runs beside the claims goes on."""
        self._worked_at = self._clock()
        self._needed.set()

    def seen(self, look: Look, *, thorough: bool) -> None:
        """A loop without mail has looked. `thorough`: also for other work."""
        if due := sum(1 << class_ for class_, seconds in look.due.items() if seconds <= 0):
            self.worked()
            self._tell(due)
        elif look.busy:
            self.worked()
        elif thorough and not self._occupied() and self._clock() - self._worked_at > QUIET_AFTER:
            self._needed.clear()

    def _tell(self, classes: int) -> None:
        for one in self._sleeps:
            one.told(classes)

    def end(self) -> None:
        """Ends every sleep."""
        self.worked()
        self._tell(-1)

    @property
    def resting(self) -> bool:
        """Whether nothing has to be done."""
        return not self._needed.is_set()

    async def pause(self, seconds: float, at_rest: float | None = None) -> None:
        """Until the next round of what runs beside the claims. `at_rest`: the longest pause while nothing has to be done; None:
        as long as that is so."""
        await asyncio.sleep(seconds)
        if not self._needed.is_set():
            try:
                async with asyncio.timeout(None if at_rest is None else max(0.0, at_rest - seconds)):
                    await self._needed.wait()
            except TimeoutError:
                pass
