"""Whether the database is the one that this dispatcher knows, or one that was restored from a backup of it.

A dispatcher reports to a row of its home, which counts the reports, and remembers the count outside of the database. A row that
is missing or behind was restored: what was sent since is not in this database, so it would be sent again. Then nothing is claimed
until a person has settled it (docs/backup.md). Asked with each reading of the holds, without which no call starts.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from mailcordon.core.log_limit import LogLimit

log: Any = structlog.get_logger()


class Standing(NamedTuple):
    """What the database knows."""

    beats: int  #: of this home; 0: it has no row
    open: bool  #: whether a restoration is to be settled
    at: int  #: when this home last reported, as the database knows; 0: never


class Remembered(NamedTuple):
    """`Standing` as it is known outside of the database."""

    home: str
    beats: int
    at: int


class Memory(Protocol):
    """Outside of the database."""

    @property
    def remembered(self) -> Remembered: ...
    async def reported(self, beats: int, at: int) -> None: ...
    async def forget(self) -> None:
        """As a home that has never reported."""
        ...

    async def calls(self, calls: Sequence[tuple[int, int, int]]) -> None:
        """Writes down calls that are about to begin: when, delivery, attempt. Raises OSError."""
        ...


class LineageStore(Protocol):
    async def standing(self, home: str) -> Standing: ...
    async def report(self, home: str, beats: int) -> tuple[int, int] | None:
        """Adds a report to the home's row, which must have at least `beats`. Returns how many it has, and when. None: it was
        behind, and was left alone."""
        ...


#: Records that the database was restored, and stops the cell: what was remembered, what the database has.
Found = Callable[[Remembered, Standing], Awaitable[None]]


class Lineage:
    def __init__(self, store: LineageStore, memory: Memory, found: Found) -> None:
        self._store = store
        self._memory = memory
        self._found = found
        self._failed = LogLimit()

    async def holds(self, *, stopped: bool) -> bool:
        """Whether calls may go on for all that is known. If not, it is recorded, and the stop must be read before the next call.

        `stopped`: whether the stop of an open restoration is known here. Raises Unavailable.
        """
        before = (
            self._memory.remembered
        )  # before the question: a report meanwhile must not look like one that was lost
        standing = await self._store.standing(before.home)
        behind = standing.beats < before.beats
        if not behind and (stopped or not standing.open):
            return True
        if behind:
            log.error(
                "the database was restored from a backup; nothing is sent",
                reports_known=before.beats,
                reports_in_database=standing.beats,
            )
        await self._found(before, standing)
        if behind:
            await self._memory.forget()
        return False

    async def report(self) -> None:
        """With each heartbeat. A row that is behind is left alone: `holds` finds it."""
        known = self._memory.remembered
        reported = await self._store.report(known.home, known.beats)
        if reported is None:
            return
        try:
            await self._memory.reported(*reported)
        except OSError as problem:
            self._complain(
                "a restored database will not be found: this host's memory cannot be written", problem
            )

    async def begins(self, calls: Sequence[tuple[int, int, int]]) -> None:
        """Before these calls begin. Mail is sent also if the log cannot be written: it is needed after a restore only."""
        try:
            await self._memory.calls(calls)
        except OSError as problem:
            self._complain("the log of calls cannot be written", problem)

    def _complain(self, words: str, problem: OSError) -> None:
        if times := self._failed.count((words, problem.errno)):
            log.error(words, problem=str(problem), times=times)
