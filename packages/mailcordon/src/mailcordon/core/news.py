"""What happens elsewhere, for the loops of one process: who hears of it tells it once, and wakes the loops that wait for it.

One statement a beat reads what changed in the database (app/pulse.py), instead of one by each loop. News are hints: a loop that
misses one finds the same at its slow pace. In a process that hears of nothing, all loops keep their quick pace.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from enum import StrEnum

from mailcordon.core.pace import Pace, Rest


class Topic(StrEnum):
    CONTROL = (
        "control"  #: what people, policies and the governor decide; a process fell silent; a hold is over
    )
    COUNTS = "counts"  #: mail and its events were counted
    TROUBLE = "trouble"  #: among them bounces, complaints, blocks or delays
    INCIDENTS = "incidents"  #: an incident opened, changed or closed
    HINTS = "hints"  #: SES told of a change there
    ANYTHING = "anything"  #: a row was written that no topic is about


class News:
    """`is_fed`: somebody tells. `clock`: seconds."""

    def __init__(self, *, is_fed: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_fed = is_fed
        self._clock = clock
        self._loops: list[Loop] = []
        self._ends: dict[asyncio.Event, asyncio.Task[None]] = {}
        self._told_at = dict.fromkeys(Topic, clock())

    def loop(self, pace: Pace, *topics: Topic) -> "Loop":
        """For one loop, which works on facts of these topics. Call its `close` at the end."""
        found = Loop(self, pace if self.is_fed else _at_once(pace), frozenset(topics), self._clock)
        self._loops.append(found)
        return found

    def quiet_seconds(self, *topics: Topic) -> float:
        """Since there was news of one of these topics; 0 where nobody tells."""
        return self._clock() - max(self._told_at[topic] for topic in topics) if self.is_fed else 0.0

    def tell(self, topics: Collection[Topic]) -> None:
        self._told_at.update(dict.fromkeys(topics, self._clock()))
        for each in self._loops:
            each.hear(topics)

    def wake_at(self, stop: asyncio.Event) -> None:
        """Ends all rests once `stop` is set."""
        if stop not in self._ends:
            self._ends[stop] = asyncio.create_task(self._wake_at(stop), name="end of rests")

    async def _wake_at(self, stop: asyncio.Event) -> None:
        try:
            await stop.wait()
            for each in self._loops:
                each.wake()
        finally:
            self._ends.pop(stop, None)

    def forget(self, loop: "Loop") -> None:
        self._loops.remove(loop)


class Loop:
    """The rests of one loop: `begins` and `rest` around each round."""

    def __init__(self, news: News, pace: Pace, topics: frozenset[Topic], clock: Callable[[], float]) -> None:
        self._news = news
        self._topics = topics
        self._clock = clock
        self._rest = Rest(pace, clock())
        self._woken = asyncio.Event()
        self._rests_until = 0.0

    @property
    def quick(self) -> float:
        """Seconds of a rest at the quick pace."""
        return self._rest.pace.quick

    def hear(self, topics: Collection[Topic]) -> None:
        if not self._topics.isdisjoint(topics):
            self._rest.changed(self._clock())
        elif topics:
            self._rest.others_changed()
        if self._rest.over_at < self._rests_until:
            self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    def begins(self) -> None:
        self._rest.begins()

    async def rest(
        self, stop: asyncio.Event | None = None, *, worked: bool = False, least: float = 0.0
    ) -> None:
        """Until the next round is due, or `stop` is set. `worked`: the round found something to do. `least`: seconds."""
        now = self._clock()
        self._rest.ends(now, worked=worked)
        earliest = now + least
        if stop is not None:
            self._news.wake_at(stop)
        while stop is None or not stop.is_set():
            self._rests_until = max(self._rest.over_at, earliest)
            left = self._rests_until - self._clock()
            if left <= 0:
                return
            self._woken.clear()
            try:
                async with asyncio.timeout(left):
                    await self._woken.wait()
            except TimeoutError:
                return

    def close(self) -> None:
        self._news.forget(self)


def _at_once(pace: Pace) -> Pace:
    return Pace(quick=pace.quick, slow=pace.quick)


def no_news() -> News:
    """Of a process in which nobody tells."""
    return News(is_fed=False)
