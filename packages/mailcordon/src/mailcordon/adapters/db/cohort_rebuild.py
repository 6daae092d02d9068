"""Computes the counts of cohorts again, from ledger and outcomes, and corrects what differs (docs/metrics.md).

It may run at any time: in each snapshot of the database, what is folded and what is still to be folded add up to what ledger and
outcomes say.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.adapters.db import arrays, queries
from mailcordon.adapters.db.engine import Connection
from mailcordon.core import ids
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.provider import Provider
from mailcordon.observe import cohorts, folding
from mailcordon.observe.ports import Cell

_SQL = queries.load("cohort_rebuild.sql")
_FOLD = queries.load("cohort_store.sql")
_UPKEEP = queries.load("upkeep_store.sql")
DAY = 1440  #: minutes that are compared in one transaction
_PAUSE = 0.1  #: seconds, while another process folds
_LONG = 660.0  #: seconds; longer than allow_long_statement, so that the server ends it first
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A cohort whose counts are not what ledger and outcomes say."""

    cell: Cell
    counts: Sequence[int]  #: what is missing, in the order of COLUMNS; negative where too much is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    first_minute: int  #: since 1970
    last_minute: int
    differences: Sequence[Difference]  #: the first of them
    number: int  #: of all differences
    sums: int  #: of hours, days, lanes, the fleet, and whole campaigns and lists, that were not those of their minutes


async def rebuild(
    connection: Connection, since_minute: int, *, check: bool, most_shown: int = 1000
) -> Compared:
    """Compares the minutes from `since_minute` on, as far as they are kept, and corrects the differences unless `check`.

    `connection` is of the control role or the owner. At most `most_shown` differences are returned.
    """
    bounds = await connection.fetchrow(_SQL.bounds)
    assert bounds is not None
    now: int = bounds["now_minute"]
    # Whole days (UTC), so that their sums can be compared as well.
    first = max(since_minute // DAY * DAY, -(-bounds["first_minute"] // DAY) * DAY)
    found: list[Difference] = []
    number = sums = 0
    expiry: int = bounds["longest_expiry_ms"] + _HOUR_MS
    for start in range(first, now + 1, DAY):
        of_day = await _compare(connection, start, min(start + DAY, now + 1), expiry, check=check)
        number += len(of_day)
        found += of_day[: most_shown - len(found)]
        if not check:
            await _fold(connection)
        sums += await _resum(connection, _SQL.resum_day, start, check)
    sums += await _resum(connection, _SQL.resum_slices, first, check)
    async with connection.transaction():
        await connection.execute(_UPKEEP.allow_long_statement)
        wrong: int = await connection.fetchval(_SQL.wrong_lanes, first, timeout=_LONG)
        if wrong and not check:
            await connection.execute(_SQL.resum_lanes, first, timeout=_LONG)
    sums += wrong
    return Compared(first_minute=first, last_minute=now, differences=found, number=number, sums=sums)


async def _fold(connection: Connection) -> None:
    while (n := await connection.fetchval(_FOLD.fold, folding.MOST, 0, 0)) != 0:
        if n is None:
            await asyncio.sleep(_PAUSE)


async def _resum(connection: Connection, statement: str, start: int, check: bool) -> int:
    async with connection.transaction():
        await connection.execute(_UPKEEP.allow_long_statement)
        return await connection.fetchval(statement, start, check, timeout=_LONG)


async def _compare(
    connection: Connection, start: int, end: int, expiry_ms: int, *, check: bool
) -> list[Difference]:
    low = ids.first_of(max(start * cohorts.MINUTE_MS - expiry_ms, ids.EPOCH_MS))
    high = ids.first_of(end * cohorts.MINUTE_MS)
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(_SQL.hold_unknown)
        await connection.execute(_UPKEEP.allow_long_statement)
        while await connection.fetchval(_SQL.move_known):
            pass
        rows = await connection.fetch(
            _SQL.differences,
            start,
            end,
            low,
            high,
            [kinds for kinds, _ in cohorts.MASKS],
            [reasons for _, reasons in cohorts.MASKS],
            timeout=_LONG,
        )
        cells: defaultdict[Cell, list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
        by_domain: defaultdict[Cell, int] = defaultdict(int)  # what only the counts by domain lack
        for row in rows:
            cell = Cell(*(row[name] for name in Cell._fields))
            if row["by_domain"]:
                by_domain[cell._replace(campaign=None, list=None)] += row["count"]
            else:
                cells[cell][row["i"] - 1] += row["count"]
        _only_by_domain(cells, by_domain)
        found = [Difference(cell, counts) for cell, counts in cells.items() if any(counts)]
        if found and not check:
            values = [(*one.cell, arrays.integers(one.counts)) for one in found]
            await connection.execute(_SQL.append, *(list(column) for column in zip(*values, strict=True)))
        return found


def _only_by_domain(cells: defaultdict[Cell, list[int]], by_domain: defaultdict[Cell, int]) -> None:
    """Adds pairs of changes that leave the cohorts as they are. What is corrected with a domain is counted by domain as well."""
    places = {(cell.lane, cell.minute, cell.domain): cell for cell in by_domain}
    for cell, counts in cells.items():
        if cell.domain is not None and counts[cohorts.HARD_BOUNCED]:
            place = (cell.lane, cell.minute, cell.domain)
            plain = places.setdefault(place, cell._replace(campaign=None, list=None, provider=Provider.OTHER))
            by_domain[plain] -= counts[cohorts.HARD_BOUNCED]
    for cell, count in by_domain.items():
        cells[cell][cohorts.HARD_BOUNCED] += count
        cells[cell._replace(domain=None)][cohorts.HARD_BOUNCED] -= count
