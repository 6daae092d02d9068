"""How the counts of cohorts change when outcomes do (docs/decisions/032-cohorts.md). Computed from rows, not from events.

A delivery counts once for each column: the counts grow by the bits that its row gains. If SES later reports an earlier attempt,
the delivery's counts move to that attempt's minute, so that sums do not depend on the order of events.

What was handed to SES is counted by whoever writes the ledger. Here it is only corrected, where SES's first word of a delivery
contradicts the ledger.
"""

import functools
from collections.abc import Iterable, Mapping

from mailcordon.core import address
from mailcordon.core.bounce_reason import BounceReason, Group
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.core.provider import Provider
from mailcordon.observe.ports import Cell, Facts, Outcome

MINUTE_MS = 60_000

SENT = COLUMNS.index("sent")
UNCLEAR = COLUMNS.index("unclear")
HARD_BOUNCED = COLUMNS.index("hard_bounced")

_KINDS: dict[str, tuple[Kind, ...]] = {
    "send_events": (Kind.SEND,),
    "delivered": (Kind.DELIVERY,),
    "hard_bounced": (Kind.HARD_BOUNCE,),
    "soft_bounced": (Kind.SOFT_BOUNCE,),
    "complained": (Kind.COMPLAINT,),
    "delayed": (Kind.DELAY,),
    "rejected": (Kind.REJECT, Kind.RENDERING_FAILURE),
    "suppressed_at_ses": (Kind.SUPPRESSED,),
    "opened": (Kind.OPEN,),
    "clicked": (Kind.CLICK,),
    "machine_opened": (Kind.MACHINE_OPEN,),
    "machine_clicked": (Kind.MACHINE_CLICK,),
}
_OF_KINDS = tuple((COLUMNS.index(name), sum(1 << kind for kind in kinds)) for name, kinds in _KINDS.items())
_OF_REASONS = tuple(
    (COLUMNS.index(group.word), sum(1 << reason for reason in BounceReason if reason.group is group))
    for group in Group
)
#: By column: the bits of kinds and of reasons that it counts.
MASKS = tuple(
    (dict(_OF_KINDS).get(column, 0), dict(_OF_REASONS).get(column, 0)) for column in range(len(COLUMNS))
)
_UNCLEAR_STATES = (State.GIVEN_UP, State.NO_OUTCOME)


Pair = tuple[Outcome | None, Outcome]  #: a row before and after a batch


def changes(pairs: Iterable[Pair], facts: Mapping[int, Facts]) -> dict[Cell, list[int]]:
    """The change of each cell, in the order of COLUMNS. Unchanged cells are left out.

    `facts`: by delivery, with what the ledger says once the delivery is locked (docs/decisions/032-cohorts.md).
    """
    cells: dict[Cell, list[int]] = {}
    for before, after in pairs:
        known = facts[after.id]
        moved = before is None or before.left_at // MINUTE_MS != after.left_at // MINUTE_MS
        if before is not None:
            _add(cells, known, before, -1)
        _add(cells, known, after, 1)
        if moved and known.ledger_state is not None:
            _correct(cells, known, before, after)
    return {cell: counts for cell, counts in cells.items() if any(counts)}


def _add(cells: dict[Cell, list[int]], known: Facts, row: Outcome, sign: int) -> None:
    columns = columns_of(row.kinds, row.reasons)
    counts = _counts(cells, known, row, row.left_at)
    for column in columns:
        counts[column] += sign
    if HARD_BOUNCED in columns and row.provider == Provider.OTHER:
        # Its domain tells one domain that went away from many bad addresses. Only this count is kept by domain.
        counts[HARD_BOUNCED] -= sign
        _counts(cells, known, row, row.left_at, by_domain=True)[HARD_BOUNCED] += sign


def _correct(cells: dict[Cell, list[int]], known: Facts, before: Outcome | None, after: Outcome) -> None:
    """Moves what the ledger, or the outcome before, made of the hand-over. Without a ledger row nothing is counted yet: whoever
    writes it looks for the outcome."""
    if before is not None:
        _counts(cells, known, before, before.left_at)[SENT] -= 1
    elif known.called_at is not None:
        if known.ledger_state == State.SENT:
            _counts(cells, known, after, known.called_at)[SENT] -= 1
        elif known.ledger_state in _UNCLEAR_STATES:
            _counts(cells, known, after, known.called_at)[UNCLEAR] -= 1
    _counts(cells, known, after, after.left_at)[SENT] += 1


def _counts(
    cells: dict[Cell, list[int]], known: Facts, row: Outcome, at: int, *, by_domain: bool = False
) -> list[int]:
    domain = _domain(known) if by_domain or row.provider == Provider.UNKNOWN else None
    cell = Cell(
        row.tenant,
        row.lane,
        at // MINUTE_MS,
        known.path,
        known.campaign,
        known.list,
        row.provider,
        domain,
    )
    counts = cells.get(cell)
    if counts is None:
        counts = cells[cell] = [0] * len(COLUMNS)
    return counts


def _domain(known: Facts) -> str | None:
    """None for an address that was erased."""
    if known.recipient is None or known.recipient == address.ERASED:
        return None
    return known.recipient.rpartition("@")[2].lower() or None


@functools.cache
def columns_of(kinds: int, reasons: int) -> tuple[int, ...]:
    """The columns in which a delivery with these bits counts. Cached, as there are few combinations."""
    return tuple(column for column, mask in _OF_KINDS if kinds & mask) + tuple(
        column for column, mask in _OF_REASONS if reasons & mask
    )
