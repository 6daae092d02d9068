"""The account's clock: it returns the time and runs scheduled work. It follows real time until it is set, frozen, sped up or
moved. Work runs in the order of its due time, what is due at the same time in the order of its scheduling. Moving the clock
forward runs everything due on the way, each at its own time, so fourteen hours pass as fast as their work is done. What a client
waits for (a response, a long poll) is measured in real time instead.

Work is a callback, or a record: bytes, and the kind of work that they are for. Millions of records can wait (`due`).

`move` works in slices of some milliseconds. Between two of them the event loop reads its sockets, and the clock shows the time of
what ran last."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from seslocal.due import NEVER, DueWork, Entry

log = logging.getLogger("seslocal")

SLICE: Final = 0.005  # seconds for which work runs before the event loop reads its sockets again

Callback = Callable[[], None]


class ClockIsMoving(Exception):
    """The clock cannot be set while a move is under way."""


class Move:
    """A move of the clock to a later time, in slices."""

    def __init__(self, start: float, to: float, speed: float | None) -> None:
        self.start = start
        self.to = to
        self.speed = speed  #: that the clock continues at; None: as before
        self.ran = 0  #: callbacks and records that it ran so far
        self.under_way = True
        self.arrived = False  #: False at the end if a reset or the end of the server cut it short
        self._over = asyncio.Event()

    async def wait(self) -> bool:
        """Returns when it is over, and whether it arrived."""
        await self._over.wait()
        return self.arrived

    def end(self, *, arrived: bool) -> None:
        self.under_way, self.arrived = False, arrived
        self._over.set()


class Clock:
    """Seconds since the epoch, as floats. `at` is the start (None: now), `speed` how many of its seconds pass in one real
    second; 0: frozen."""

    def __init__(self, at: float | None = None, speed: float = 1.0) -> None:
        self._start = (at, speed)
        self._due = DueWork()
        self._kinds: dict[str, int] = {}
        self._runs: list[Callable[[Any], None]] = [_call]  # by number of the kind; 0: callbacks
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = NEVER
        self._fixed: float | None = None  # the time of a frozen clock, and of one that moves
        self._speed = speed
        self._move: Move | None = None
        self._next_slice: asyncio.Handle | None = None
        self._depth = 0  # 1: work runs; 2: that work moves the clock; ...
        self.resets = 0  #: how often it was reset
        self.place = 0  #: of the work that runs; see `record_at`
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
        """The number of scheduled callbacks and records."""
        return len(self._due)

    @property
    def next_due(self) -> float:
        """When the next callback or record is due; infinite if none is scheduled."""
        return self._due.first

    @property
    def moving(self) -> Move | None:
        """The move that is under way."""
        return self._move

    @property
    def anchor(self) -> tuple[float, float, float]:
        """A time of this clock, the real time then, and the speed since: for `continue_from`."""
        if self._move is not None:
            return self.now(), time.time(), self._speed
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

    # scheduling

    def call_later(self, seconds: float, callback: Callback) -> None:
        self.call_at(self.now() + seconds, callback)

    def call_at(self, due: float, callback: Callback) -> None:
        work = self._due
        work.ordered += 1
        work.add(due, work.ordered, 0, callback)
        if due < self._timer_due:
            self._set_timer()

    def register(self, kind: str, run: Callable[[Any], None]) -> None:
        """Says what is called with the records and objects of this kind. Registering it again replaces that; a reset does not."""
        if (number := self._kinds.get(kind)) is not None:
            self._runs[number] = run
            return
        self._kinds[kind] = len(self._runs)
        self._runs.append(run)

    def record_at(self, due: float, kind: str, record: bytes, place: int | None = None) -> int:
        """Schedules a record of a registered kind. Returns its place among what is due at the same time. Work that goes on
        later can pass on its own `place`, if it does so once."""
        place = self._due.place() if place is None else place
        self._due.add_record(due, place, self._kinds[kind], record)
        if due < self._timer_due:
            self._set_timer()
        return place

    def object_at(self, due: float, kind: str, thing: object, place: int | None = None) -> int:
        """Schedules an object, which the kind must understand beside records. It stays an object, so only few may wait."""
        work = self._due
        if place is None:
            work.ordered += 1
            place = work.ordered
        work.add(due, place, self._kinds[kind], thing)
        if due < self._timer_due:
            self._set_timer()
        return place

    def waiting(self, kind: str) -> Iterator[tuple[float, int, Any]]:
        """Yields due time, place, and record or object of everything of this kind, in any order."""
        number = self._kinds.get(kind)
        for due, place, found, thing in self._due.entries():
            if found == number:
                yield due, place, thing

    async def sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: None if done.done() else done.set_result(None))
        await done

    # changing the time

    def set(self, *, at: float | None = None, speed: float | None = None) -> None:
        """Moves to `at` at once, running what is due on the way, and continues at `speed`. Moving back undoes nothing. Raises
        ClockIsMoving, except for work that the move itself runs."""
        if self._move is not None and not self._depth:
            raise ClockIsMoving
        resets = self.resets
        if at is None:
            at = self.now()
        else:
            self._run_until(at)
        if self.resets == resets:
            self._arrive(at, speed)

    def advance(self, seconds: float) -> None:
        """Moves forward at once. Raises ClockIsMoving."""
        self.set(at=self.now() + seconds)

    def move(self, at: float, speed: float | None = None) -> Move:
        """Moves as `set` does, in slices. The first one runs at once, so that a short move is over when this returns. Work that
        calls this moves the clock at once. Raises ClockIsMoving."""
        move = Move(self.now(), at, speed)
        if self._depth:
            self.set(at=at, speed=speed)
            move.end(arrived=True)
            return move
        if self._move is not None:
            raise ClockIsMoving
        self._drop_timer()
        self._fixed = move.start
        self._move = move
        self._run_slice(move)
        return move

    def finish(self) -> None:
        """Runs what is left of the move that is under way at once."""
        if self._move is not None and not self._depth:
            if self._next_slice is not None:
                self._next_slice.cancel()
            self._run_slice(self._move, NEVER)

    def reset(self) -> None:
        """Returns to the start and drops everything scheduled. A move that is under way ends."""
        self.resets += 1
        self._due.clear()
        self._end_move(arrived=False)
        at, speed = self._start
        self._continue(time.time() if at is None else at, speed)
        self._set_timer()

    def stop(self) -> None:
        """Runs nothing more by itself. A move that is under way ends where it is."""
        at = self.now()
        if self._move is not None:
            self._end_move(arrived=False)
            self._continue(at, self._speed)
        self._drop_timer()

    def settle(self) -> None:
        """If the clock is frozen, runs what is due now, so that what a call finds does not depend on its timing."""
        if self._speed == 0 and self._move is None and self._due.first <= self.now():
            self.set(at=self.now())

    def _continue(self, at: float, speed: float) -> None:
        self._speed = speed
        self._read_at, self._real_at = at, time.time()
        self._fixed = at if speed == 0 else None

    @property
    def _stands(self) -> bool:
        return self._fixed is not None

    def _arrive(self, at: float, speed: float | None) -> None:
        self._continue(at, self._speed if speed is None else speed)
        self._set_timer()

    def _end_move(self, *, arrived: bool) -> None:
        if self._next_slice is not None:
            self._next_slice.cancel()
            self._next_slice = None
        move, self._move = self._move, None
        if move is not None:
            move.end(arrived=arrived)

    # running work

    def _run_until(self, at: float) -> None:
        resets = self.resets
        while self.resets == resets and (entry := self._due.pop(at)) is not None:
            self._run_at_its_time(entry)

    def _run_slice(self, move: Move, seconds: float = SLICE) -> None:
        self._next_slice = None
        until = time.monotonic() + seconds
        while (entry := self._due.pop(move.to)) is not None:
            self._run_at_its_time(entry)
            if self._move is not move:
                return  # the work reset the clock
            move.ran += 1
            if time.monotonic() >= until:
                self._next_slice = asyncio.get_running_loop().call_soon(self._run_slice, move)
                return
        self._end_move(arrived=True)
        self._arrive(move.to, move.speed)

    def _run_at_its_time(self, entry: Entry) -> None:
        now, due = self.now(), entry[0]
        self._fixed = due if due > now else now  # overdue work runs now, not in the past
        self._run(entry)
        if not self._stands:  # the work set the clock
            self._fixed = self.now()

    def _run_due(self) -> None:
        self._timer, self._timer_due = None, NEVER
        # Work scheduled meanwhile waits for the next loop iteration, and so does all work after a slice: a busy server still
        # reads its sockets.
        now, last, resets = self.now(), self._due.ordered, self.resets
        until = time.monotonic() + SLICE
        later: list[Entry] = []
        while (entry := self._due.pop(now)) is not None:
            if entry[1] > last:
                later.append(entry)
                continue
            self._run(entry)
            if time.monotonic() >= until:
                break
        if self.resets == resets:
            for entry in later:
                self._due.put_back(entry)
        self._set_timer()

    def _run(self, entry: Entry) -> None:
        self._depth += 1
        before, self.place = self.place, entry[1]
        try:
            self._runs[entry[2]](entry[3])
        except Exception:
            log.exception("a callback of the clock failed")
        finally:
            self._depth -= 1
            self.place = before

    def _set_timer(self) -> None:
        if self._move is not None or self._depth:
            return  # it is set when the work that runs is done
        if self._timer is not None:
            self._drop_timer()
        first = self._due.first
        if first == NEVER:
            return
        wait = max(0.0, first - self.now())
        if self._speed == 0 and wait:
            return  # nothing is due until the clock is moved
        self._timer_due = first
        self._timer = asyncio.get_running_loop().call_later(wait / (self._speed or 1.0), self._run_due)

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_due = NEVER


def _call(callback: Callback) -> None:
    callback()


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
