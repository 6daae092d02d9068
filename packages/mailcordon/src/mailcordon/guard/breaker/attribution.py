"""Who is guilty: parts of the mail ranked by their log-likelihood ratio (detection.md, section 11).

Neither the rate nor the number of events finds the culprit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.lane_watch import NAMED, LaneWatch
from mailcordon.guard.breaker.nouns import Dimension, Slice, Suspect

Floats = NDArray[np.float64]

MOST = 6  #: suspects that are named
_PAIR = 3.0  #: nats that a pair needs more
#: Equal parts hold the same mails, give or take a few that are older: the narrowest name is the best one.
_NARROW = {Dimension.LIST: 1.5, Dimension.CAMPAIGN: 1.0, Dimension.PROVIDER: 0.5, Dimension.LANE: 0.0}


@dataclass(frozen=True, slots=True)
class _Sums:
    events: float
    mails: float
    expected: float


def suspects(
    watch: LaneWatch, signal: int, since: int, minute: int, word: Callable[[int], str]
) -> tuple[Suspect, Suspect | None, Sequence[Suspect]]:
    """The whole lane, what the mail outside the best suspect shows (None: all is in it), and the suspects, worst first."""
    by_column = _columns(watch, watch.blocks, signal, since, minute)
    whole = _total(by_column)
    excess = max(1e-9, whole.events - whole.expected)
    lane = _suspect((Slice(Dimension.LANE, watch.facts.type),), whole, excess)
    found = [lane]
    providers = [
        (column, Slice(Dimension.PROVIDER, word(provider)))
        for column, provider in enumerate(watch.providers)
        if column >= NAMED and provider is not None
    ]
    found += [_suspect((slice_,), by_column[column], excess) for column, slice_ in providers]
    for part in watch.parts.values():
        if part.held_from is not None or part.last < since or not part.events[signal]:
            continue
        of_part = _columns(watch, part.blocks, signal, since, minute)
        found.append(_suspect((part.slice,), _total(of_part), excess))
        found += [_suspect((part.slice, slice_), of_part[column], excess) for column, slice_ in providers]
    found = [each for each in found if each.nats > 0]
    ranked = sorted(found, key=_rank, reverse=True)[:MOST]
    return lane, _rest(whole, ranked[0] if ranked else lane, excess), ranked


def _rank(suspect: Suspect) -> float:
    narrow = max(_NARROW[each.dimension] for each in suspect.slices)
    return suspect.nats + narrow - (_PAIR if len(suspect.slices) > 1 else 0.0)


def _columns(watch: LaneWatch, blocks: Blocks, signal: int, since: int, minute: int) -> list[_Sums]:
    count = len(blocks)
    if not count:
        return [_Sums(0.0, 0.0, 0.0)] * len(watch.providers)
    # Blocks of a part and of the lane are not the same: of their means the same mail shows the same.
    late = blocks.layout.centres >= min(since, blocks.starts[-1])
    exposed: Floats = watch.exposure(blocks, signal, minute, of_mean=True)[:, late].sum(axis=1)
    events: Floats = blocks.events[signal][:, :count][:, late].sum(axis=1)
    mails: Floats = blocks.sent[:, :count][:, late].sum(axis=1)
    expected = watch.versions.now.mean[signal, 1:] * exposed
    return [_Sums(*each) for each in zip(events.tolist(), mails.tolist(), expected.tolist(), strict=True)]


def _total(sums: Sequence[_Sums]) -> _Sums:
    return _Sums(
        sum(each.events for each in sums),
        sum(each.mails for each in sums),
        sum(each.expected for each in sums),
    )


def _suspect(slices: tuple[Slice, ...], sums: _Sums, excess: float) -> Suspect:
    x, e = sums.events, max(1e-9, sums.expected)
    return Suspect(
        slices=slices,
        events=round(x),
        mails=round(sums.mails),
        expected=sums.expected,
        nats=x * math.log(x / e) - (x - e) if x > e else 0.0,
        share=min(1.0, max(0.0, (x - e) / excess)),
    )


def _rest(whole: _Sums, top: Suspect, excess: float) -> Suspect | None:
    mails = whole.mails - top.mails
    if mails <= 0:
        return None
    rest = _Sums(max(0.0, whole.events - top.events), mails, max(0.0, whole.expected - top.expected))
    return _suspect(top.slices, rest, excess)
