"""Counts per lane, mailbox provider and minute the mail left, from outcome rows and never from events.

A delivery counts once a kind: what a row's bits gained is what is added. Should SES speak of an earlier attempt later, all the
delivery counted for moves to that attempt's minute, so that the sums depend on what happened and not on what was heard first.
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
    """What a batch of rows, each before and after, adds to each cell. Cells that do not change are left out."""
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
    """The columns in which a delivery with these bits counts. There are few combinations."""
    return tuple(column for column, mask in enumerate(_MASKS) if kinds & mask)
