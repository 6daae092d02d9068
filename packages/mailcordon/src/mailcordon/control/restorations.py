"""After a restore from a backup: what was queued in the backup may have left since, and is not sent again blindly.

While a restoration is open the cell is stopped. A person settles it, and decides what nothing proves. What is proved is never
sent again: that SES has a mail (a Send event of it), or that SES was called for it (a call log, or an outcome that the backup did
not know). docs/backup.md.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop, Stop, StopScope
from mailcordon.messages import restorations as messages

#: The time of a backup is known by reports of dispatchers only: calls so long before it count as made since.
MARGIN_MS = 5_000
CHUNK = 1_000  #: deliveries per transaction


class Open(NamedTuple):
    """A restoration that is to be settled. Times are milliseconds since 1970."""

    id: int
    found_at: int
    found_by: str
    because: str
    backup_at: int | None


class Queued(NamedTuple):
    """A delivery of the backup."""

    lane: int
    id: int
    attempt: int
    unknown: bool  #: the backup does not know the outcome of its call
    sending: bool  #: its dispatcher has not been declared dead yet
    class_: Class
    called_at: int | None
    ses_id: str | None  #: of a Send event that the database has


class Evidence(NamedTuple):
    """The last call for a delivery that something outside of the backup tells of."""

    at: int
    attempt: int
    ses_id: str | None = None  #: if SES itself says that it has the mail


class Fate(Enum):
    SENT = "sent"  #: SES has it
    CALLED = "called"  #: SES was called for it; whether it took it is lost
    OPEN = "open"  #: nothing says that SES was called


def fate(one: Queued, evidence: Evidence | None, backup_at: int | None) -> Fate:
    if one.ses_id is not None or (evidence is not None and evidence.ses_id is not None):
        return Fate.SENT
    # Without the time of the backup any call counts: one of before it that SES refused cannot be told from one of since.
    since = 0 if backup_at is None else backup_at - MARGIN_MS
    if one.unknown or (evidence is not None and (evidence.attempt > one.attempt or evidence.at >= since)):
        return Fate.CALLED
    return Fate.OPEN


class Finished(NamedTuple):
    queued: Queued
    fate: Fate  #: OPEN: it is dropped
    evidence: Evidence | None


@dataclass(slots=True)
class Found:
    """What is queued in the backup, by class and fate."""

    counts: dict[Class, Counter[Fate]] = field(default_factory=dict[Class, "Counter[Fate]"])
    sending: int = 0

    def add(self, one: Queued, what: Fate) -> None:
        self.counts.setdefault(one.class_, Counter())[what] += 1
        self.sending += one.sending

    def total(self, what: Fate) -> int:
        return sum(counts[what] for counts in self.counts.values())

    @property
    def open_classes(self) -> list[Class]:
        """Those that have mail of which nothing is known."""
        return sorted(class_ for class_, counts in self.counts.items() if counts[Fate.OPEN])


class RestorationStore(Protocol):
    async def last_report(self) -> int | None: ...
    async def explained(self, since: int) -> bool: ...
    async def begin(self, *, by: str, because: str, backup_at: int | None) -> bool: ...
    async def open(self) -> Open | None: ...
    def queued(self, found_at: int) -> AsyncIterator[Sequence[Queued]]: ...
    async def finish(self, id: int, rows: Sequence[Finished], by: str) -> None: ...
    async def settle(self, id: int, *, by: str, because: str, kept: int) -> bool: ...
    async def stops(self) -> list[int]: ...


class StopAsker(Protocol):
    async def place(self, new: NewStop, *, actor: str, hits: int = 1) -> Stop: ...
    async def end(self, ids: Sequence[int], *, actor: str, because: str) -> list[Stop]: ...


class Restorations:
    def __init__(self, store: RestorationStore, stops: StopAsker, cell: str) -> None:
        self._store = store
        self._stops = stops
        self._cell = cell

    async def found(
        self, *, by: str, because: str, backup_at: int | None = None, known_until: int | None = None
    ) -> bool:
        """Records a restoration, if none is open, and stops the cell. `backup_at` None: the newest moment the database knows.

        `known_until`: when the one who found it last knew the database. One that was found since then explains what he sees, also
        if it is settled: False, and nothing is stopped."""
        if await self._store.open() is None:
            if known_until is not None and await self._store.explained(known_until):
                return False
            await self._store.begin(
                by=by, because=because, backup_at=backup_at or await self._store.last_report()
            )
        open_ = await self._store.open()
        if open_ is None:
            return False  # somebody settled it meanwhile
        await self._stops.place(
            NewStop(
                scope=StopScope.CELL,
                name=self._cell,
                cause=Reason.RESTORED,
                because=messages.restored(backup_at=open_.backup_at, because=open_.because),
            ),
            actor=by,
        )
        return True

    async def open(self) -> Open | None:
        return await self._store.open()

    async def look(self, open_: Open, evidence: Mapping[int, Evidence]) -> Found:
        """Changes nothing."""
        found = Found()
        async for page in self._store.queued(open_.found_at):
            for one in page:
                found.add(one, fate(one, evidence.get(one.id), open_.backup_at))
        return found

    async def settle(
        self, open_: Open, evidence: Mapping[int, Evidence], *, drop: Set[Class], by: str, because: str
    ) -> Found:
        """Ends what SES has or was called for, drops what nothing is known of in these classes, and lets the rest go.

        In steps: if it is interrupted, the restoration stays open, and the next call goes on."""
        done, kept = Found(), 0
        async for page in self._store.queued(open_.found_at):
            ends: list[Finished] = []
            for one in page:
                known = evidence.get(one.id)
                what = fate(one, known, open_.backup_at)
                done.add(one, what)
                if what is Fate.OPEN and one.class_ not in drop:
                    kept += 1
                else:
                    ends.append(Finished(one, what, known))
            for start in range(0, len(ends), CHUNK):
                await self._store.finish(open_.id, ends[start : start + CHUNK], by)
        if await self._store.settle(open_.id, by=by, because=because, kept=kept):
            await self._stops.end(
                await self._store.stops(), actor=by, because=messages.settled(by=by, because=because)
            )
        return done


def last_calls(calls: Iterable[tuple[int, int, int]], wanted: Set[int]) -> dict[int, Evidence]:
    """By delivery, the last of these calls: when, delivery, attempt. Only of `wanted`."""
    found: dict[int, Evidence] = {}
    for at, delivery, attempt in calls:
        if delivery in wanted and ((known := found.get(delivery)) is None or known.at <= at):
            found[delivery] = Evidence(at, attempt)
    return found
