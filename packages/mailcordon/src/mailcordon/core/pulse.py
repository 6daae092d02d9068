"""What two looks at the database say of the time between them. Pure."""

from collections.abc import Set
from dataclasses import dataclass

from mailcordon.core.news import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look, in one snapshot."""

    written: int  #: a number that grows with each transaction that writes
    is_still: bool  #: no transaction that writes is open
    audited: int | None  #: the newest entry of the audit trail
    epochs: int  #: the sum of the counters that invalidate caches
    fold: int  #: the newest fold of counts
    is_trouble: bool  #: folds since the look before counted bounces, complaints, blocks or delays
    silent: int  #: processes that have stopped to report
    hold_is_over: bool  #: the time of an open hold is over


class Pulse:
    """Compares each look with those before."""

    def __init__(self) -> None:
        self._before: Look | None = None
        self._written = 0  #: what is known to be no news
        self._is_low = False

    def forget(self) -> None:
        """What happens is not known for a while."""
        self._before = None

    def news(self, now: Look) -> Set[Topic]:
        before, self._before = self._before, now
        if before is None:
            self._written, self._is_low = now.written, False
            return frozenset(Topic)
        found: set[Topic] = set()
        if self._has_written(now.written) or not (now.is_still and before.is_still):
            # What a transaction wrote that was open at a look is seen by the next look, at which the number may be the same.
            found.add(Topic.ANYTHING)
        if _decided(now) != _decided(before) or now.hold_is_over:
            found.add(Topic.CONTROL)
        if now.fold != before.fold:
            found.add(Topic.COUNTS)
        if now.is_trouble:
            found.add(Topic.TROUBLE)
        return found

    def _has_written(self, written: int) -> bool:
        """A process that reports takes its number a moment before its transaction counts, and the difference is low until then.
        One that stays low, since that transaction failed, would hide a later one."""
        was_low, self._is_low = self._is_low, written < self._written
        if written == self._written or (self._is_low and not was_low):
            return False
        self._written, self._is_low = written, False
        return True


def _decided(look: Look) -> tuple[int | None, int, int]:
    return look.audited, look.epochs, look.silent
