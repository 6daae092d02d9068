"""What is due and when, in the order of the due times; what is due at the same time in the order of its scheduling.

There are two forms. A thing (a callback, an object) is kept as it is. A record is bytes: those that are due later are kept in
batches, one or more for each minute, in which a record takes 25 bytes beside its own. So a million records of 150 bytes take less
than 200 MB, and nothing is sorted that is not due soon. Both forms are in one order."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

MINUTE: Final = 60.0  # seconds that share batches
BATCH: Final = (
    1024  # records; those of a sealed batch take no room to grow, and are sorted at once, in a millisecond
)
MOST_NEAR: Final = 16_384  # records that are kept as objects, because their minute has begun

#: due, place among those due at the same time, number of the kind, the thing or record
Entry = tuple[float, int, int, Any]

NEVER: Final = float("inf")


class Batch:
    """Records of one minute: first added, then sealed, then taken in their order."""

    __slots__ = (
        "_at",
        "_data",
        "_dues",
        "_ends",
        "_in_order",
        "_kinds",
        "_order",
        "_orders",
        "first",
        "head",
    )

    def __init__(self) -> None:
        self.first = NEVER  #: the earliest due time
        self.head: tuple[float, int] = (NEVER, 0)  #: due time and place of the record that is taken next
        self._dues = array("d")
        self._orders = array("q")
        self._kinds = bytearray()
        self._ends = array("Q")
        self._data: bytearray | bytes = bytearray()
        self._in_order = True
        self._order: array[int] | range = range(0)
        self._at = 0

    def __len__(self) -> int:
        """The number of records that are not taken yet."""
        return len(self._dues) - self._at

    def add(self, due: float, order: int, kind: int, record: bytes) -> None:
        dues = self._dues
        if dues and self._in_order and (due, order) < (dues[-1], self._orders[-1]):
            self._in_order = False
        if due < self.first:
            self.first = due
        dues.append(due)
        self._orders.append(order)
        self._kinds.append(kind)
        self._data += record
        self._ends.append(len(self._data))

    def seal(self) -> None:
        """Sorts the records. None can be added afterwards."""
        self._data = bytes(self._data)  # without the room to grow
        count = len(self._dues)
        self._order = range(count)
        if not self._in_order:
            by_order = sorted(self._order, key=self._orders.__getitem__)
            self._order = array("I", sorted(by_order, key=self._dues.__getitem__))
        self._look()

    def take(self) -> Entry:
        """Returns the first record, which is no longer in the batch then."""
        entry = self._entry(self._order[self._at])
        self._at += 1
        self._look()
        return entry

    def entries(self) -> Iterator[Entry]:
        """Yields the records that are not taken yet, in any order."""
        sealed = isinstance(self._data, bytes)
        for index in self._order[self._at :] if sealed else range(len(self._dues)):
            yield self._entry(index)

    def _look(self) -> None:
        if self._at < len(self._order):
            index = self._order[self._at]
            self.head = self._dues[index], self._orders[index]
        else:
            self.head = NEVER, 0

    def _entry(self, index: int) -> Entry:
        start = self._ends[index - 1] if index else 0
        record = bytes(self._data[start : self._ends[index]])
        return self._dues[index], self._orders[index], self._kinds[index], record


class DueWork:
    """`add` and `add_record`, then `pop` in order."""

    def __init__(self) -> None:
        self.ordered = 0  #: places given so far
        self._near: list[Entry] = []  # a heap: all things, and records whose minute has begun
        self._near_records = 0
        self._open: list[tuple[float, int, Batch]] = []  # a heap of sealed batches whose minute has begun
        self._minutes: list[int] = []  # a heap of those that have not begun
        self._batches: dict[int, list[Batch]] = {}  # by minute; all but the last of each are full and sealed
        self._begun = -NEVER  # the end of the minute that began last

    def __len__(self) -> int:
        waiting = chain((batch for _, _, batch in self._open), *self._batches.values())
        return len(self._near) + sum(len(batch) for batch in waiting)

    @property
    def first(self) -> float:
        """The earliest due time; infinite if nothing is due."""
        first = self._near[0][0] if self._near else NEVER
        if self._open and self._open[0][0] < first:
            first = self._open[0][0]
        if self._minutes and self._minutes[0] * MINUTE < first:
            first = min(first, *(batch.first for batch in self._batches[self._minutes[0]]))
        return first

    def place(self) -> int:
        """Returns the next place in the order of scheduling."""
        self.ordered += 1
        return self.ordered

    def add(self, due: float, order: int, kind: int, thing: object) -> None:
        heapq.heappush(self._near, (due, order, kind, thing))

    def add_record(self, due: float, order: int, kind: int, record: bytes) -> None:
        if due < self._begun:
            self.put_back((due, order, kind, record))
            if self._near_records > MOST_NEAR:
                self._pack()
            return
        minute = int(due // MINUTE)
        batches = self._batches.get(minute)
        if batches is None:
            heapq.heappush(self._minutes, minute)
            batches = self._batches[minute] = [Batch()]
        batches[-1].add(due, order, kind, record)
        if len(batches[-1]) == BATCH:
            batches[-1].seal()
            batches.append(Batch())

    def pop(self, until: float) -> Entry | None:
        """Removes and returns the first entry, or returns None if nothing is due at `until`."""
        if self._minutes:
            self._begin(until)
        near, opened = self._near, self._open
        if not opened:
            if not near or near[0][0] > until:
                return None
            entry = heapq.heappop(near)
            if type(entry[3]) is bytes:
                self._near_records -= 1
            return entry
        due, order, batch = opened[0]
        if near and near[0][:2] < (due, order):
            return self._pop_near() if near[0][0] <= until else None
        if due > until:
            return None
        entry = batch.take()
        if len(batch):
            heapq.heapreplace(opened, (*batch.head, batch))
        else:
            heapq.heappop(opened)
        return entry

    def put_back(self, entry: Entry) -> None:
        """Adds an entry that was popped."""
        heapq.heappush(self._near, entry)
        if type(entry[3]) is bytes:
            self._near_records += 1

    def clear(self) -> None:
        """Drops everything. Places are still not given twice."""
        self._near.clear()
        self._open.clear()
        self._minutes.clear()
        self._batches.clear()
        self._near_records = 0
        self._begun = -NEVER

    def entries(self) -> Iterator[Entry]:
        """Yields everything, in any order."""
        yield from self._near
        for batch in chain((batch for _, _, batch in self._open), *self._batches.values()):
            yield from batch.entries()

    def _pop_near(self) -> Entry:
        entry = heapq.heappop(self._near)
        if type(entry[3]) is bytes:
            self._near_records -= 1
        return entry

    def _begin(self, until: float) -> None:
        """Begins the minutes that have records due at `until` and before everything else that is known."""
        while self._minutes:
            first = self.first
            minute = self._minutes[0]
            if first > until or minute * MINUTE > first:
                return
            batches = self._batches[minute]
            if all(batch.first > first for batch in batches):
                return
            heapq.heappop(self._minutes)
            del self._batches[minute]
            self._begun = max(self._begun, (minute + 1) * MINUTE)
            if not len(batches[-1]):
                batches.pop()
            else:
                batches[-1].seal()
            for batch in batches:
                heapq.heappush(self._open, (*batch.head, batch))

    def _pack(self) -> None:
        """Puts the later half of the near records into a batch, so that few are objects."""
        self._near.sort()
        batch, kept = Batch(), list[Entry]()
        left = self._near_records - self._near_records // 2
        for entry in self._near:
            if type(entry[3]) is not bytes:
                kept.append(entry)
            elif left:
                left -= 1
                kept.append(entry)
            else:
                batch.add(*entry)
        self._near = kept  # sorted, so a heap
        self._near_records -= len(batch)
        batch.seal()
        heapq.heappush(self._open, (*batch.head, batch))
