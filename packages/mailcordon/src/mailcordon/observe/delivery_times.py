"""How long mail took from its acceptance to its delivery, counted in classes of time (guard/objectives.py).

Mail that is scheduled counts from the time it is scheduled for. A delivery counts once, in the ten minutes of the first delivery
that SES reported.
"""

from collections.abc import Iterable, Mapping

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.guard.objectives import TIME_CLASSES, time_class
from mailcordon.observe.ports import Facts, Outcome, TimeCell

_DELIVERED = 1 << Kind.DELIVERY
TEN_MS = 600_000


def changes(
    pairs: Iterable[tuple[Outcome | None, Outcome]], facts: Mapping[int, Facts]
) -> dict[TimeCell, list[int]]:
    """What a batch adds, by class of time. Left out is mail that bounced later, or that somebody complained about, if the same
    batch says so: its time of delivery is not kept, and it is rare. `facts`: by delivery."""
    found: dict[TimeCell, list[int]] = {}
    for before, after in pairs:
        if before is not None and before.kinds & _DELIVERED:
            continue
        if not after.kinds & _DELIVERED or after.state is not State.DELIVERED:
            continue
        minute = after.at // TEN_MS * 10
        cell = TimeCell(after.tenant, after.lane, minute, after.provider, facts[after.id].path)
        counts = found.setdefault(cell, [0] * TIME_CLASSES)
        counts[time_class((after.at - ids.ms_of(after.id)) / 1000)] += 1
    return found
