"""Counts per lane, mailbox provider and minute the mail left, computed from outcome rows, not from events.

A delivery counts once per kind: the counts grow by the bits that its row gains. If SES later reports an earlier attempt, the
delivery's counts move to that attempt's minute, so that sums do not depend on the order of events.
"""

import functools
from collections.abc import Iterable

from mailcordon.core.event import Kind
from mailcordon.observe.ports import Outcome

MINUTE_MS = 60_000

_KINDS: dict[str, tuple[Kind, ...]] = {
    "sent": (Kind.SEND,),
    "delivered": (Kind.DELIVERY,),
    "hard_bounced": (Kind.HARD_BOUNCE,),
    "soft_bounced": (Kind.SOFT_BOUNCE,),
    "complained": (Kind.COMPLAINT,),
    "delayed": (Kind.DELAY,),
    "rejected": (Kind.REJECT, Kind.RENDERING_FAILURE),
    "suppressed_at_ses": (Kind.SUPPRESSED,),
    "opened": (Kind.OPEN,),
    "clicked": (Kind.CLICK,),
}
COLUMNS = tuple(_KINDS)
_MASKS = tuple(sum(1 << kind for kind in kinds) for kinds in _KINDS.values())

Cell = tuple[int, int, int, int]  #: lane, provider, minute since 1970, tenant


def changes(pairs: Iterable[tuple[Outcome | None, Outcome]]) -> dict[Cell, list[int]]:
    """The change of each cell by a batch of rows, each before and after. Unchanged cells are left out."""
    cells: dict[Cell, list[int]] = {}
    for before, after in pairs:
        if before is not None:
            _add(cells, before, -1)
        _add(cells, after, 1)
    return {cell: counts for cell, counts in cells.items() if any(counts)}


def _add(cells: dict[Cell, list[int]], row: Outcome, sign: int) -> None:
    cell = (row.lane, row.provider, row.left_at // MINUTE_MS, row.tenant)
    counts = cells.get(cell)
    if counts is None:
        counts = cells[cell] = [0] * len(COLUMNS)
    for column in columns_of(row.kinds):
        counts[column] += sign


@functools.cache
def columns_of(kinds: int) -> tuple[int, ...]:
    """The columns in which a delivery with these bits counts. Cached, as there are few combinations."""
    return tuple(column for column, mask in enumerate(_MASKS) if kinds & mask)
