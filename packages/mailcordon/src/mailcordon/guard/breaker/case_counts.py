"""What the mail of a case shows: of the whole lane, of its mail to one provider, or of a campaign or list."""

from collections.abc import Callable

import numpy as np

from mailcordon.guard.breaker.cases import Case
from mailcordon.guard.breaker.lane_watch import LaneWatch
from mailcordon.guard.breaker.measures import COMPLAINTS
from mailcordon.guard.breaker.nouns import Dimension


def totals(
    watch: LaneWatch,
    word: Callable[[int], str],
    case: Case,
    signal: int,
    since: int,
    minute: int,
    *,
    lower: bool,
) -> tuple[float, float, float]:
    """Events, mails whose feedback has come, and mails, of the case's mail since a minute. `lower`: feedback that must have
    come, not that can have."""
    blocks = watch.blocks
    columns = list(range(len(watch.providers)))
    if case.guilty:
        slice_ = case.guilty[0]
        if slice_.dimension is Dimension.PROVIDER:
            own = column(watch, word, case)
            columns = [] if own is None else [own]
        else:
            part = watch.parts.get(slice_)
            if part is None:
                return 0.0, 0.0, 0.0
            blocks = part.blocks
    count = len(blocks)
    if not count:
        return 0.0, 0.0, 0.0
    starts = np.array(blocks.starts)
    late = starts >= since
    mails = blocks.sent[columns, :count][:, late]
    heard = mails
    if signal == COMPLAINTS:
        heard = mails * ~np.array(watch.silent)[columns][:, None]
    ages = minute - starts[late]
    seen = watch.curves.lower_of_all(signal, ages) if lower else watch.curves.upper_of_all(signal, ages)
    events = blocks.events[signal][columns, :count][:, late].sum()
    return float(events), float((heard * seen).sum()), float(mails.sum())


def column(watch: LaneWatch, word: Callable[[int], str], case: Case) -> int | None:
    """Of a case about a provider."""
    if not case.guilty or case.guilty[0].dimension is not Dimension.PROVIDER:
        return None
    for index, provider in enumerate(watch.providers):
        if provider is not None and word(provider) == case.guilty[0].value:
            return index
    return None
