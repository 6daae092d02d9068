"""The account's clock: it returns the time and runs scheduled callbacks. It follows real time until it is set, frozen, sped up
or moved. Callbacks run in the order of their due time, those due at the same time in the order of their scheduling. Moving the
clock forward runs everything due on the way, each at its own time, so fourteen hours pass as fast as their work is done. What a
client waits for (a response, a long poll) is measured in real time instead."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

log = logging.getLogger("seslocal")

Callback = Callable[[], None]


class Clock:
    """Seconds since the epoch, as floats. `at` is the start (None: now), `speed` how many of its seconds pass in one real
    second; 0: frozen."""

    def __init__(self, at: float | None = None, speed: float = 1.0) -> None:
        self._start = (at, speed)
        self._due: list[tuple[float, int, Callback]] = []
        self._scheduled = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = float("inf")
        self._fixed: float | None = None  # the time of a frozen clock
        self._speed = speed
        self._read_at = self._real_at = 0.0  # a time of this clock, and the real time then
        self._continue(time.time() if at is None else at, speed)

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def frozen(self) -> bool:
        return self._speed == 0

    @property
    def pending(self) -> int:
        """The number of scheduled callbacks."""
        return len(self._due)

    @property
    def anchor(self) -> tuple[float, float, float]:
        """A time of this clock, the real time then, and the speed since: for `continue_from`."""
        return self._read_at, self._real_at, self._speed

    def continue_from(self, anchor: tuple[float, float, float]) -> None:
        """Continues as the clock that had this anchor would have."""
        read_at, real_at, speed = anchor
        self.set(at=read_at + (time.time() - real_at) * speed, speed=speed)

    def now(self) -> float:
        if self._fixed is not None:
            return self._fixed
        passed = time.time() - self._real_at
        return self._read_at + (passed if self._speed == 1 else passed * self._speed)

    def call_later(self, seconds: float, callback: Callback) -> None:
        self.call_at(self.now() + seconds, callback)

    def call_at(self, due: float, callback: Callback) -> None:
        self._scheduled += 1
        heapq.heappush(self._due, (due, self._scheduled, callback))
        if due < self._timer_due:
            self._set_timer()

    async def sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: None if done.done() else done.set_result(None))
        await done

    # changing the time

    def set(self, *, at: float | None = None, speed: float | None = None) -> None:
        """Moves to `at`, running what is due on the way, and continues at `speed`. Moving back undoes nothing."""
        if at is None:
            at = self.now()
        else:
            self._move(at)
        self._continue(at, self._speed if speed is None else speed)
        self._set_timer()

    def advance(self, seconds: float) -> None:
        self.set(at=self.now() + seconds)

    def reset(self) -> None:
        """Returns to the start and drops all scheduled callbacks."""
        self._due.clear()
        at, speed = self._start
        self._continue(time.time() if at is None else at, speed)
        self._set_timer()

    def settle(self) -> None:
        """If the clock is frozen, runs what is due now, so that what a call finds does not depend on its timing."""
        if self._speed == 0 and self._due:
            self._move(self.now())

    def _continue(self, at: float, speed: float) -> None:
        self._speed = speed
        self._read_at, self._real_at = at, time.time()
        self._fixed = at if speed == 0 else None

    def _move(self, at: float) -> None:
        while self._due and self._due[0][0] <= at:
            due, _, callback = heapq.heappop(self._due)
            # An overdue callback runs now, not in the past.
            self._fixed = max(due, self.now() if self._fixed is None else self._fixed)
            self._run(callback)
        self._fixed = None
        self._continue(at, self._speed)

    # running callbacks

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_due = float("inf")
        if not self._due:
            return
        wait = max(0.0, self._due[0][0] - self.now())
        if self._speed == 0 and wait:
            return  # nothing is due until the clock is moved
        self._timer_due = self._due[0][0]
        self._timer = asyncio.get_running_loop().call_later(wait / (self._speed or 1.0), self._run_due)

    def _run_due(self) -> None:
        self._timer, self._timer_due = None, float("inf")
        # Callbacks scheduled meanwhile wait for the next loop iteration, so that a busy server still reads its sockets.
        until, last = self.now(), self._scheduled
        later: list[tuple[float, int, Callback]] = []
        while self._due and self._due[0][0] <= until:
            entry = heapq.heappop(self._due)
            if entry[1] > last:
                later.append(entry)
                continue
            self._run(entry[2])
        for entry in later:
            heapq.heappush(self._due, entry)
        if self._due:
            self._set_timer()

    def _run(self, callback: Callback) -> None:
        try:
            callback()
        except Exception:
            log.exception("a callback of the clock failed")


def iso(at: float) -> str:
    """Returns ISO 8601 in UTC with milliseconds, as in events."""
    second = int(at // 1)
    micro = round((at - second) * 1_000_000)
    if micro == 1_000_000:
        second, micro = second + 1, 0
    return f"{_to_the_second(second)}.{micro // 1000:03d}Z"


@lru_cache(64)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
