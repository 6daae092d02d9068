"""How much speaks for trouble: a Shiryaev-Roberts mixture over when it began and how bad it is (detection.md, section 4).

Everything is a pure function of counts, what was expected, and weights that were fixed in advance.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.blocks import Layout
from mailcordon.guard.breaker.measures import ABSOLUTE, LOG_ABSOLUTE, LOG_RELATIVE, RELATIVE

Floats = NDArray[np.float64]

_RHO = np.array(RELATIVE)[None, :, None]
_LOG_RHO = np.array(LOG_RELATIVE)[None, :, None]
_KAPPA = np.array(ABSOLUTE)[None, :, None]
_LOG_KAPPA = np.array(LOG_ABSOLUTE)[None, :, None]
#: Each half of the statistic counts half, and each alternative of a half the same.
_REST_RELATIVE = -math.log(2 * len(RELATIVE))
_REST_ABSOLUTE = -math.log(2 * len(ABSOLUTE))
#: Logarithms of the alternatives, in the order of `Mixture.alternatives`.
LOG_ALTERNATIVES = (*LOG_RELATIVE, *LOG_ABSOLUTE)
NOTHING = -1e300
_CLIP = -1e4


class Mixture(NamedTuple):
    """Logarithms, for each key (the first axis)."""

    relative: Floats  #: evidence of the half that compares with the lane's own past
    absolute: Floats  #: of the half that compares with the ceiling
    alternatives: Floats  #: (keys, alternatives): the parts of both
    best: NDArray[np.int64]  #: index of the block at which the trouble began most probably
    best_absolute: NDArray[np.int64]  #: the same by the ceiling alone
    #: (epochs, alternatives) of the first key, of epochs that have evidence of their own from their beginning.
    epochs: Floats | None = None


def mixture(
    events: Floats,
    usual: Floats,
    ceiling: Floats,
    steadiness: Floats,
    layout: Layout,
    heads: Sequence[int] = (),
) -> Mixture:
    """Of keys that share blocks. Arrays have the shape (keys, blocks): events seen, events that the usual rate and the ceiling
    would have shown by now, and the steadiness of the blocks' epochs, which is 1 / (their coefficient of variation squared).
    `heads`: of epochs with evidence of their own, their first blocks in the order of epochs."""
    seen = _after(events)
    order = layout.order
    x, e, a = (
        (events, usual, steadiness)
        if order is None
        else (events[:, order], usual[:, order], steadiness[:, order])
    )
    in_epoch_x = _after_in_epoch(x, layout)
    in_epoch_e = _after_in_epoch(e, layout)
    a = a[:, layout.firsts]
    h = np.log1p((_RHO - 1.0) * (in_epoch_e / (a + in_epoch_e))[:, None, :])
    h *= -(a + in_epoch_x)[:, None, :]
    epochs: Floats | None = None
    if heads:
        c = ceiling[:1] if order is None else ceiling[:1, order]
        epochs = _of_epochs(in_epoch_x[0], h[0], _after_in_epoch(c, layout)[0], list(heads))
    # What a block adds is what its epoch says with it less what it says without.
    added = h.copy()
    added[:, :, layout.inner] -= h[:, :, layout.inner + 1]
    if order is not None:
        by_time = np.empty_like(added)
        by_time[:, :, order] = added
        added = by_time
    starts = np.where(seen > 0, layout.log_weights, -np.inf)[:, None, :]
    relative = seen[:, None, :] * _LOG_RHO + _after(added) + (starts + _REST_RELATIVE)
    absolute = (
        seen[:, None, :] * _LOG_KAPPA
        - (_KAPPA - 1.0) * _after(ceiling)[:, None, :]
        + (starts + _REST_ABSOLUTE)
    )
    both = np.concatenate((relative, absolute), axis=1)
    top = np.maximum(both.max(axis=(1, 2)), _CLIP)
    scaled = np.exp(both - top[:, None, None])
    with np.errstate(divide="ignore"):
        alternatives = np.log(scaled.sum(axis=2)) + top[:, None]
    count = len(RELATIVE)
    return Mixture(
        relative=_sum(alternatives[:, :count]),
        absolute=_sum(alternatives[:, count:]),
        alternatives=alternatives,
        best=scaled.max(axis=1).argmax(axis=1),
        best_absolute=scaled[:, count:].max(axis=1).argmax(axis=1),
        epochs=epochs,
    )


def _of_epochs(events: Floats, h: Floats, ceiling: Floats, heads: list[int]) -> Floats:
    x = events[heads, None]
    relative = x * _LOG_RHO[:, :, 0] + h[:, heads].T + _REST_RELATIVE
    absolute = x * _LOG_KAPPA[:, :, 0] - (_KAPPA[:, :, 0] - 1.0) * ceiling[heads, None] + _REST_ABSOLUTE
    return np.where(x > 0, np.concatenate((relative, absolute), axis=1), NOTHING)


class Fixed(NamedTuple):
    """Evidence of one key whose trouble can only have begun at its beginning. Logarithms."""

    relative: float
    absolute: float
    alternatives: tuple[float, ...]


def fixed(events: float, usual: float, ceiling: float, steadiness: float) -> Fixed:
    if events <= 0:
        return Fixed(NOTHING, NOTHING, (NOTHING,) * len(LOG_ALTERNATIVES))
    weight = steadiness + events
    part = usual / (steadiness + usual)
    relative = [
        events * log - weight * math.log1p((rho - 1.0) * part) + _REST_RELATIVE
        for rho, log in zip(RELATIVE, LOG_RELATIVE, strict=True)
    ]
    absolute = [
        events * log - (kappa - 1.0) * ceiling + _REST_ABSOLUTE
        for kappa, log in zip(ABSOLUTE, LOG_ABSOLUTE, strict=True)
    ]
    return Fixed(log_sum(relative), log_sum(absolute), (*relative, *absolute))


def log_sum(values: list[float]) -> float:
    """The logarithm of the sum of exponentials."""
    top = max(values)
    if top <= NOTHING / 2:
        return NOTHING
    return top + math.log(sum(math.exp(each - top) for each in values))


def _after(values: Floats) -> Floats:
    """For each block the sum from it on."""
    return values[..., ::-1].cumsum(axis=-1)[..., ::-1]


def _after_in_epoch(values: Floats, layout: Layout) -> Floats:
    """The same within the block's epoch."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    sums[:, :-1] = _after(values)
    return np.maximum(0.0, sums[:, :-1] - sums[:, layout.ends])


def _sum(alternatives: Floats) -> Floats:
    top = np.maximum(alternatives.max(axis=1), _CLIP)
    with np.errstate(divide="ignore"):
        return np.maximum(NOTHING, np.log(np.exp(alternatives - top[:, None]).sum(axis=1)) + top)
