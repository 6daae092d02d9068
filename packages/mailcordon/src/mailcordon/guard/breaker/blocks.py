"""Mail and its events by the time of the call, in blocks that are longer the older they are (detection.md, section 4).

Counts are kept for each provider that has a column, so one set of blocks serves a lane and its providers.
"""

from bisect import bisect_right
from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.measures import DAY, SIGNALS, weight_until

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MERGE_EVERY = 12  #: new blocks
_KEEP_MINUTES = 60 * DAY
_KEEP_MAILS = 50_000  #: these expect some 400 bounces: starts before them cannot win any more
_APART_MINUTES = 30 * DAY  #: epochs that are older may be merged
_FEW_MAILS = 100  #: which expect less than one event: epochs may be merged
_MOST = 160  #: blocks; beyond, epochs are merged whatever their age
_OLD_ENOUGH = 60  #: minutes; the age of a younger block is that of its oldest mail


class Layout:
    """What an evaluation needs of the blocks' times, as arrays."""

    __slots__ = ("centres", "ends", "firsts", "heads", "inner", "log_weights", "order", "starts", "versions")

    def __init__(self, blocks: "Blocks") -> None:
        self.starts: Ints = np.array(blocks.starts, dtype=np.int64)
        self.centres: Ints = np.array(blocks.centres, dtype=np.float64).astype(np.int64)
        with np.errstate(divide="ignore"):
            self.log_weights: Floats = np.log(np.array(blocks.weights))
        self.versions: Ints = np.array(blocks.versions, dtype=np.int64)
        epochs: Ints = np.array(blocks.epochs, dtype=np.int64)
        order: Ints = np.argsort(epochs, kind="stable")
        ordered = epochs[order]
        changes: Ints = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        lengths: Ints = np.diff(np.concatenate(([0], changes, [len(ordered)])))
        #: For each block in the order of epochs: the index of its epoch's first block, and that after its last.
        heads: Ints = np.concatenate(([0], changes))
        self.firsts: Ints = np.repeat(heads, lengths)
        self.ends: Ints = self.firsts + np.repeat(lengths, lengths)
        #: Those with a later one in their epoch.
        self.inner: Ints = np.flatnonzero(self.ends[:-1] == self.ends[1:])
        #: By number of an epoch: its first block in that order, and the minute at which it starts.
        self.heads: dict[int, tuple[int, int]] = dict(
            zip(
                ordered[heads].tolist(),
                zip(heads.tolist(), self.starts[order[heads]].tolist(), strict=True),
                strict=True,
            )
        )
        #: None: the order of epochs is that of time.
        self.order: Ints | None = None if bool((np.diff(order) == 1).all()) else order

    def ages(self, minute: int) -> Ints:
        return minute - np.where(self.starts > minute - _OLD_ENOUGH, self.starts, self.centres)


class Blocks:
    """`birth` is the minute from which starts are counted."""

    __slots__ = (
        "_layout",
        "_new",
        "apart",
        "birth",
        "centres",
        "epochs",
        "events",
        "keep_minutes",
        "sent",
        "starts",
        "totals",
        "versions",
        "weights",
    )

    def __init__(self, birth: int, columns: int, keep_minutes: int = _KEEP_MINUTES, room: int = 16) -> None:
        self.birth = birth
        self.keep_minutes = keep_minutes
        self.apart: Container[
            int
        ] = ()  #: epochs that have evidence of their own, so that even few mails are not merged
        self.starts: list[int] = []
        self.epochs: list[int] = []
        self.weights: list[float] = []
        self.versions: list[int] = []
        self.centres: list[float] = []  #: mean minute of the mails
        self.totals: list[float] = []  #: mails
        self.sent: Floats = np.zeros((columns, room))
        self.events: Floats = np.zeros((len(SIGNALS), columns, room))
        self._new = 0
        self._layout: Layout | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = Layout(self)
        return self._layout

    def widen(self, columns: int) -> None:
        more = columns - self.sent.shape[0]
        self.sent = np.pad(self.sent, ((0, more), (0, 0)))
        self.events = np.pad(self.events, ((0, 0), (0, more), (0, 0)))

    def clear(self, birth: int) -> None:
        """Forgets all: evidence is used once."""
        self.birth = birth
        for each in (self.starts, self.epochs, self.weights, self.versions, self.centres, self.totals):
            each.clear()
        self._new = 0
        self.sent[:] = 0
        self.events[:] = 0
        self._layout = None

    def add_sent(self, minute: int, epoch: int, version: int, column: int, mails: int) -> None:
        """`mails` may be negative. Mail older than all blocks is left out."""
        starts = self.starts
        if not starts or minute > starts[-1]:
            index = self._append(minute, epoch, version)
        else:
            index = self.find(minute, epoch)
            if index < 0:
                return
            if starts[index] != minute or self.epochs[index] != epoch:
                if minute == starts[-1]:
                    index = self._append(minute, epoch, version)
                else:
                    self._move_centre(index, minute, mails)
        total = self.totals[index] + mails
        self.totals[index] = total if total > 0.0 else 0.0
        count = self.sent[column, index] + mails
        self.sent[column, index] = count if count > 0.0 else 0.0

    def add_event(self, minute: int, epoch: int, signal: int, column: int, events: int) -> bool:
        """False: the mail is older than all blocks."""
        index = self.find(minute, epoch)
        if index < 0:
            return False
        count = self.events[signal, column, index] + events
        self.events[signal, column, index] = count if count > 0.0 else 0.0
        return True

    def take_back(self, minute: int, signal: int, columns: Sequence[int], events: int) -> float:
        """Of mail of a minute, of any epoch. Returns how many there were to take."""
        index = bisect_right(self.starts, minute) - 1
        if index < 0:
            return 0.0
        left, start = float(events), self.starts[index]
        while index >= 0 and self.starts[index] == start:
            for column in columns:
                taken = min(left, float(self.events[signal, column, index]))
                self.events[signal, column, index] -= taken
                left -= taken
            index -= 1
        return events - left

    def find(self, minute: int, epoch: int) -> int:
        """The block that covers mail of a minute; -1 if it is older than all."""
        epochs = self.epochs
        last = index = bisect_right(self.starts, minute) - 1
        if index < 0 or epochs[index] == epoch:
            return index
        while index >= 0 and index > last - 40:
            if epochs[index] == epoch:
                return index
            index -= 1
        return last

    def _append(self, minute: int, epoch: int, version: int) -> int:
        if self._new >= _MERGE_EVERY:
            self._merge(minute)
        starts = self.starts
        at = minute - self.birth + 1
        weight = 1.0  # a new key's first block counts a whole day
        if starts:
            weight = max(0.0, weight_until(at) - weight_until(starts[-1] - self.birth + 1))
        starts.append(minute)
        self.epochs.append(epoch)
        self.weights.append(weight)
        self.versions.append(version)
        self.centres.append(minute)
        self.totals.append(0.0)
        self._new += 1
        self._layout = None
        index = len(starts) - 1
        if index >= self.sent.shape[1]:
            room = self.sent.shape[1]
            self.sent = np.pad(self.sent, ((0, 0), (0, room)))
            self.events = np.pad(self.events, ((0, 0), (0, 0), (0, room)))
        return index

    def _move_centre(self, index: int, minute: int, mails: int) -> None:
        total = self.totals[index] + mails
        if mails > 0 and total > 0:
            self.centres[index] += (minute - self.centres[index]) * mails / total
            self._layout = None

    def _merge(self, minute: int) -> None:
        self._new = 0
        first = self._oldest(minute)
        starts, epochs, totals, birth = self.starts, self.epochs, self.totals, self.birth
        full = len(starts) - first > _MOST
        kept = [first]
        previous, total = starts[first], totals[first]
        for index in range(first + 1, len(starts)):
            start = starts[index]
            age = minute - start
            level = max(0, age.bit_length() - 2)
            same = (start - birth) >> level == (previous - birth) >> level
            if same and epochs[index] != epochs[kept[-1]]:
                few = total + totals[index] < _FEW_MAILS and epochs[index] not in self.apart
                same = full or age > _APART_MINUTES or few
            if same:
                total += totals[index]
            else:
                kept.append(index)
                previous, total = start, totals[index]
        if len(kept) == len(starts):
            return
        self._keep(kept)

    def _oldest(self, minute: int) -> int:
        """The first block that is still worth keeping."""
        oldest = minute - self.keep_minutes
        if self.starts[0] >= oldest:
            return 0
        later = sum(self.totals)
        index = 0
        while index < len(self.starts) - 1 and self.starts[index + 1] < oldest:
            later -= self.totals[index]
            if later < _KEEP_MAILS and self.keep_minutes == _KEEP_MINUTES:
                break
            index += 1
        return index

    def _keep(self, kept: list[int]) -> None:
        count = len(self.starts)
        new = len(kept)
        old_totals: Floats = np.array(self.totals)
        moments: Floats = np.add.reduceat(old_totals * np.array(self.centres), kept)
        totals: Floats = np.add.reduceat(old_totals, kept)
        with np.errstate(invalid="ignore", divide="ignore"):
            centres: Floats = np.where(totals > 0, moments / totals, np.array(self.starts)[kept])
        self.sent[:, :new] = np.add.reduceat(self.sent[:, :count], kept, axis=1)
        self.sent[:, new:] = 0
        self.events[:, :, :new] = np.add.reduceat(self.events[:, :, :count], kept, axis=2)
        self.events[:, :, new:] = 0
        self.starts = [self.starts[index] for index in kept]
        self.epochs = [self.epochs[index] for index in kept]
        self.weights = [self.weights[index] for index in kept]
        self.versions = [self.versions[index] for index in kept]
        self.totals = totals.tolist()
        self.centres = centres.tolist()
        self._layout = None
