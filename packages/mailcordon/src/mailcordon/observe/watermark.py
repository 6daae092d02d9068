"""How far the event queue has certainly been read: the proof that the Send event of a call is absent (docs/decisions/017).

A *mark* is a set of call times, by configuration set, whose Send events are stored. It is confirmed when everything that was in
the queue when the mark was made is stored too: then a call that is older than a confirmed one by the grace, and has no Send
event, was not accepted by SES. Two things confirm a mark:

- The queue's count is zero, in flight and delayed messages included. Only where counts are exact: at the local SES.
- Time. What was in flight is visible again after the visibility time-out; with a margin on top, a receive that begins then and
  is not full has left nothing older in the queue, and what it and earlier receives carried is stored. That holds only while
  every observer of the queue was live since before the mark: one that failed, stopped or hung may have taken messages with it.

Pure: times are passed in, in seconds of a clock that counts suspended time (CLOCK_BOOTTIME).
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LONGEST_GAP = (
    2.0  #: seconds between two ticks; after a longer gap this process was suspended, or its loop was blocked
)
MARK_EVERY = 1.0  #: seconds between two marks, and between two receives that are remembered
MOST_MARKS = 128
FRESH = 5.0  #: seconds in which a live observer has reported at least once
AHEAD = 1.0  #: seconds by which a report may be in the future; one farther ahead is older than a clock that was set back
SLACK = 5.0  #: seconds by which times of another observer may be wrong: its and our statements take time
LOST = 90.0  #: seconds after its last report in which a silent observer may still have received messages


@dataclass(frozen=True, slots=True)
class Observer:
    """Another observer of the same queue as of its last report, in times of our clock."""

    beat: float  #: when it reported
    live_since: float  #: since when nothing has failed
    stored_before: float  #: receives that began earlier are stored
    ended: bool  #: it has stopped in an orderly way


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    called: Mapping[str, int]


class Watermark:
    """Of one queue, seen by one observer. `settles_after`: visibility time-out plus margin. The margin exceeds the time in which
    a receive is answered, because a dead observer's last receive may still have been handed messages."""

    def __init__(self, *, settles_after: float, now: float) -> None:
        self._settles_after = settles_after
        self._ticked = now
        self.live_since = now
        self._marks: deque[_Mark] = deque()
        self._drained: deque[tuple[float, float]] = deque(maxlen=MOST_MARKS)
        self._receives: dict[int, float] = {}  #: open or not stored yet -> when it began
        self._number = 0

    # What happens ---------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Called at least once a second. After a gap, this observer counts as live since now."""
        if now - self._ticked > LONGEST_GAP:
            self.failed(now)
        self._ticked = now

    def failed(self, now: float) -> None:
        """A receive failed, or messages that were received cannot be stored: nothing marked so far can be confirmed."""
        self.live_since = now
        self._marks.clear()
        self._drained.clear()

    def receive(self, now: float) -> int:
        """A receive begins. Returns its number for `stored`."""
        self._number += 1
        self._receives[self._number] = now
        return self._number

    def drained(self, receive: int, now: float) -> None:
        """The receive waited for messages and came back with fewer than it could carry. Call this before `stored`."""
        began = self._receives[receive]
        if not self._drained or began >= self._drained[-1][0] + MARK_EVERY:
            self._drained.append((began, now))

    def stored(self, receive: int) -> None:
        """What the receive brought is committed, or it brought nothing. After `failed`: or it was dropped."""
        self._receives.pop(receive, None)

    def mark(self, now: float, called: Mapping[str, int]) -> None:
        """`called`: call times whose Send events were committed before now. Empty: nothing is left to be proved. A set that is
        not in it needs no proof, or its time is ahead of a clock that was set back: earlier marks do not speak of it either."""
        if any(mark.called.keys() - called.keys() for mark in self._marks):
            kept = (
                _Mark(mark.at, {name: at for name, at in mark.called.items() if name in called})
                for mark in self._marks
            )
            self._marks = deque(mark for mark in kept if mark.called)
        if not called:
            return
        if not self._marks or (
            now >= self._marks[-1].at + MARK_EVERY
            and called != self._marks[-1].called
            and len(self._marks) < MOST_MARKS
        ):
            self._marks.append(_Mark(now, dict(called)))

    # What follows ---------------------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether any mark waits for its confirmation."""
        return bool(self._marks)

    def stored_before(self, now: float) -> float:
        """Every receive that began before this time is stored."""
        return min(self._receives.values(), default=now)

    def emptied(self, asked: float) -> dict[str, int]:
        """An exact count that began at `asked` was zero. Returns what that confirms."""
        return self._confirm(lambda mark: mark.at <= asked)

    def settled(self, now: float, others: Sequence[Observer]) -> dict[str, int]:
        """Returns what time has confirmed. `others` are all other observers of the queue of the last day."""
        if any(other.beat > now + AHEAD for other in others):
            return {}  # the next report corrects it
        fresh = [other for other in others if not other.ended and now - other.beat <= FRESH]
        stored = min(self.stored_before(now), *(other.stored_before - SLACK for other in fresh), now)
        while len(self._drained) > 1 and self._drained[1][1] <= stored:
            self._drained.popleft()  # a later one says more
        if not self._drained or self._drained[0][1] > stored:
            return {}
        began = self._drained[0][0]
        since = max((_done_since(other, now) for other in others), default=float("-inf"))
        return self._confirm(lambda mark: since <= mark.at <= began - self._settles_after)

    def _confirm(self, is_confirmed: Callable[[_Mark], bool]) -> dict[str, int]:
        confirmed: dict[str, int] = {}
        kept: deque[_Mark] = deque()
        for mark in self._marks:
            if is_confirmed(mark):
                for name, called_at in mark.called.items():
                    confirmed[name] = max(called_at, confirmed.get(name, 0))
            else:
                kept.append(mark)
        self._marks = kept
        return confirmed


def _done_since(other: Observer, now: float) -> float:
    """Messages that were in the queue at a later time than this, the other observer has not lost."""
    if other.ended:
        return other.beat + SLACK
    if now - other.beat <= FRESH:
        return other.live_since + SLACK
    return other.beat + LOST
