"""Time, as everything in the local SES sees it. One object says what time it is and runs what is due, so
that a clock that is set, frozen or sped up can take its place without another line changing. Callbacks run
in the order of their due time, and those due at one moment in the order they were asked for."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger("seslocal")

Callback = Callable[[], None]


class Clock:
    """The real clock. Seconds since the epoch, as floats."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callback]] = []
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = float("inf")

    def now(self) -> float:
        return time.time()

    def call_later(self, seconds: float, callback: Callback) -> None:
        self.call_at(self.now() + seconds, callback)

    def call_at(self, due: float, callback: Callback) -> None:
        self._asked += 1
        heapq.heappush(self._due, (due, self._asked, callback))
        if due < self._timer_due:
            self._wind()

    async def sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: None if done.done() else done.set_result(None))
        await done

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._due[0][0]
        wait = max(0.0, self._timer_due - self.now())
        self._timer = asyncio.get_running_loop().call_later(wait, self._run_due)

    def _run_due(self) -> None:
        self._timer, self._timer_due = None, float("inf")
        # What a callback asks for now waits for the next turn, so that a busy server still reads its sockets.
        until, last = self.now(), self._asked
        later: list[tuple[float, int, Callback]] = []
        while self._due and self._due[0][0] <= until:
            entry = heapq.heappop(self._due)
            if entry[1] > last:
                later.append(entry)
                continue
            try:
                entry[2]()
            except Exception:
                log.exception("a callback of the clock failed")
        for entry in later:
            heapq.heappush(self._due, entry)
        if self._due:
            self._wind()


def iso(at: float) -> str:
    """ISO 8601 in UTC with milliseconds, as events carry it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
