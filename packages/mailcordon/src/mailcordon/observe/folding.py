"""Adds the changes of cohorts to the cohorts, once a second, or every three while mail flows and nothing is wrong with it
(docs/decisions/032-cohorts.md, 104).

It runs in the observe and in the control process, so that a dead observer does not stop `sent` from being counted. Whoever comes
first folds; the others find nothing to do.
"""

import asyncio
import logging
from typing import Protocol

from mailcordon.core.news import Loop
from mailcordon.core.pace import Pace
from mailcordon.core.queue import Unreachable

_LOG = logging.getLogger(__name__)

#: Counts are a second old while mail flows. What says how old they are (`cohort_fold.folded_at`) is renewed within the slow
#: pace; the status takes 15 s for silence.
PACE = Pace(quick=1.0, other=1.0, slow=5.0)
#: In an observe process, which folds what it stored itself, and what control does not fold.
PACE_OF_OBSERVERS = Pace(quick=2.0, slow=5.0)
#: Milliseconds after a fold in which an observe process does not fold: two that fold write each sum twice as often.
LATELY_MS = 1500
#: While mail flows: milliseconds in which what is only sent and delivered waits for a fold with more. Each fold writes fourteen
#: sums of a cohort, and wakes all that read counts.
CALM_MS = 2900
FLOWS = 5  #: folds in a row with changes, after which mail flows
_PAUSE = 3  #: rounds in a row without any, after which it does not
MOST = 10_000  #: changes in one transaction, some tenths of a second
_LONGEST_WAIT = 30.0  #: seconds between two tries while the database is away


class NotFolded(Unreachable):
    """The database answers, and could not add these changes: fewer at once may be possible."""


class CohortStore(Protocol):
    async def fold(self, most: int, *, lately_ms: int = 0, calm_ms: int = 0) -> int | None:
        """Adds up to `most` changes, or a batch with more. Returns how many; None if another process folds, all was folded within
        `lately_ms`, or within `calm_ms` and nothing but mail sent and delivered waits.

        Raises NotFolded, Unreachable."""
        ...


async def fold_all(store: CohortStore, *, lately_ms: int = 0, calm_ms: int = 0) -> int:
    """Folds until nothing is left, or another process folds, or has within `lately_ms`, or within `calm_ms` if all that waits is
    mail sent and delivered. Returns the number of changes.

    Raises NotFolded at a change that cannot be added, after it has added all before it.
    """
    folded, most = 0, MOST
    while True:
        try:
            n = await store.fold(most, lately_ms=lately_ms, calm_ms=calm_ms)
        except NotFolded:
            if most == 1:
                raise
            most //= 10
            continue
        if not n:
            return folded
        folded += n
        lately_ms = calm_ms = 0
        if n < most:
            return folded
        most = min(MOST, most * 10)


async def run(store: CohortStore, stop: asyncio.Event, rests: Loop, *, lately_ms: int = 0) -> None:
    """Returns soon after `stop` is set. It leaves alone what another process folded within `lately_ms`."""
    wait = rests.quick
    folds = empty = 0
    while not stop.is_set():
        rests.begins()
        try:
            calm_ms = CALM_MS + lately_ms if lately_ms or folds >= FLOWS else 0
            worked = await fold_all(store, lately_ms=lately_ms, calm_ms=calm_ms)
            folds, empty = (folds + 1, 0) if worked else (folds, empty + 1)
            if empty >= _PAUSE:
                folds = 0
            wait = rests.quick
            await rests.rest(stop, worked=bool(worked))
        except Unreachable as error:
            wait = min(wait * 2, _LONGEST_WAIT)
            _LOG.warning("could not fold counts: %s; retrying in %.0f s", error, wait)
            await rests.rest(stop, worked=True, least=wait)
