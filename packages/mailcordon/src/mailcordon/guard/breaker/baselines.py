"""A lane's normal: its usual rate, how far its campaigns vary, and what the breaker takes for normal of it (detection.md 6).

An epoch is a campaign, or a day of mail without one. What is learned is better at once and worse only after 30 days, so trouble
cannot teach the breaker that it is normal.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mailcordon.core.priority import Class
from mailcordon.guard.breaker.measures import COMPLAINTS, DAY, MEASURES, SIGNALS, ceiling
from mailcordon.guard.delays import DEFAULTS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

QUARANTINE = 30 * DAY
_HALF_LIFE = 60 * DAY
_VARIATION = 0.35  #: between a lane's campaigns, until it is known
_VARIATION_EPOCHS = 10  #: that this is worth
_LEAST_VARIATION = 0.08
_SAME = 0.05  #: a normal that differs by less is the same
_PROVIDER_VARIATION = 0.5  #: of a provider's ratio between lanes
_STEADINESS = (0.5, 150.0)
_MATURE = np.array([DEFAULTS[signal].mature / 60 for signal in SIGNALS])
_PRIOR = np.array([MEASURES[signal].prior for signal in SIGNALS])
_PRIOR_VARIATION = np.array([MEASURES[signal].prior_variation for signal in SIGNALS])


class Epoch:
    """Counts of a campaign or a day, by the lane's columns."""

    __slots__ = ("events", "first", "last", "number", "sent")

    def __init__(self, number: int, minute: int, columns: int) -> None:
        self.number = number
        self.first = self.last = minute
        self.sent = array("d", [0.0] * columns)
        self.events = [array("d", [0.0] * columns) for _ in SIGNALS]

    def widen(self, columns: int) -> None:
        for each in (self.sent, *self.events):
            each.extend([0.0] * (columns - len(each)))


class Unlearned(NamedTuple):
    """A time of trouble: nothing is learned of a signal from the mail of these minutes. `until` None: it lasts."""

    signal: int
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Normal:
    """Arrays of (signals, keys): the whole lane first, then its columns."""

    mean: Floats  #: the usual rate
    usual: Floats  #: what counts as usual: its upper side, between floor and ceiling
    steadiness: Floats


def unknown(class_: Class, columns: int, ratios: Floats | None = None) -> Normal:
    """Of a lane without a past."""
    ratios = np.ones((len(SIGNALS), columns)) if ratios is None else ratios
    mean = np.concatenate((_PRIOR[:, None], _PRIOR[:, None] * ratios), axis=1)
    # Of a provider the lane's own rate is not known either.
    variation = np.repeat(_PRIOR_VARIATION[:, None], columns + 1, axis=1)
    return _normal(mean, variation, np.full_like(mean, _VARIATION**2), _bounds(class_, ratios))


def learn(
    class_: Class,
    epochs: Sequence[Epoch],
    minute: int,
    silent: Bools,
    ratios: Floats,
    troubles: Sequence[Unlearned] = (),
    accepted: int = 0,
) -> Normal:
    """`silent` are the columns that return no complaints. `ratios` (signals, columns) are the fleet's of a provider's rate to
    that of all mail. Before the minute `accepted` everything was normal, a person said."""
    columns = len(silent)
    if not epochs:
        return unknown(class_, columns)
    sent: Floats = np.array([each.sent for each in epochs])
    events: Floats = np.array([each.events for each in epochs])
    last: Floats = np.array([each.last for each in epochs], dtype=np.float64)
    first: Floats = np.array([each.first for each in epochs], dtype=np.float64)
    usable: Bools = np.ones((len(epochs), len(SIGNALS)), dtype=np.bool_)
    for each in troubles:
        until = minute if each.until is None else each.until
        usable[:, each.signal] &= (last < each.since) | (first > until) | (last <= accepted)
    usable &= last[:, None] + _MATURE[None, :] <= minute
    old = usable & (last <= max(minute - QUARANTINE, accepted))[:, None]
    mails = np.repeat(sent[:, None, :], len(SIGNALS), axis=1)
    mails[:, COMPLAINTS, silent] = 0.0
    weights: Floats = 0.5 ** ((minute - last) / _HALF_LIFE)
    limits = _bounds(class_, ratios)
    found = _posterior(events, mails, weights[:, None] * usable, ratios, limits)
    if bool((usable == old).all()):
        return found
    proved = unknown(class_, columns, ratios)
    if bool(old.any()):
        proved = _posterior(events, mails, weights[:, None] * old, ratios, limits)
    better = found.usual <= proved.usual
    return Normal(
        mean=found.mean,
        usual=np.where(better, found.usual, proved.usual),
        steadiness=np.where(better, found.steadiness, proved.steadiness),
    )


def _posterior(
    events: Floats, mails: Floats, weights: Floats, ratios: Floats, limits: tuple[Floats, Floats]
) -> Normal:
    whole = _fit(
        events.sum(axis=2)[:, :, None],
        mails.sum(axis=2)[:, :, None],
        weights[:, :, None],
        _PRIOR[:, None],
        _PRIOR_VARIATION[:, None],
    )
    parts = _fit(
        events, mails, weights[:, :, None], whole[0] * ratios, np.full_like(ratios, _PROVIDER_VARIATION)
    )
    mean, variation, spread = (
        np.concatenate((one, other), axis=1) for one, other in zip(whole, parts, strict=True)
    )
    return _normal(mean, variation, spread, limits)


def _fit(
    events: Floats, mails: Floats, weights: Floats, prior: Floats, prior_variation: Floats
) -> tuple[Floats, Floats, Floats]:
    """The posterior mean of the rate, its coefficient of variation, and the squared one between epochs."""
    alpha = 1.0 / prior_variation**2
    beta = alpha / prior
    sent = mails > 0
    rate = np.where(sent, events / np.where(sent, mails, 1.0), 0.0)
    m = prior
    spread = np.full_like(prior, _VARIATION**2)
    known = np.zeros_like(prior)
    for _ in range(3):
        expected = m * mails
        h2 = weights * (expected / (1.0 + expected)) ** 2
        noise = np.where(sent, m / np.where(sent, mails, 1.0), 0.0)
        apart = h2 * ((rate - m) ** 2 - noise) / m**2
        spread = np.maximum(
            _LEAST_VARIATION**2,
            (_VARIATION_EPOCHS * _VARIATION**2 + apart.sum(axis=0)) / (_VARIATION_EPOCHS + h2.sum(axis=0)),
        )
        worth = mails * weights / (1.0 + spread * expected)
        known = alpha + (rate * worth).sum(axis=0)
        m = np.maximum(1e-6, known / (beta + worth.sum(axis=0)))
    return m, 1.0 / np.sqrt(known), spread


def _bounds(class_: Class, ratios: Floats) -> tuple[Floats, Floats]:
    factors = np.concatenate((np.ones((len(SIGNALS), 1)), np.maximum(1.0, ratios)), axis=1)
    floors = np.array([MEASURES[signal].floor for signal in SIGNALS])[:, None]
    ceilings = np.array([ceiling(signal, class_) for signal in SIGNALS])[:, None]
    return np.repeat(floors, factors.shape[1], axis=1), ceilings * factors


def _normal(mean: Floats, variation: Floats, spread: Floats, limits: tuple[Floats, Floats]) -> Normal:
    return Normal(
        mean=mean,
        usual=np.clip(mean * (1.0 + variation), *limits),
        steadiness=np.clip(1.0 / (spread + variation**2), *_STEADINESS),
    )


class Versions:
    """A lane's normals over time. A block is judged by the worst one since it was sent, so a better one never turns the past into
    evidence."""

    __slots__ = ("_normals", "first", "steadiness", "usual")

    def __init__(self, normal: Normal) -> None:
        self.first = 0  #: number of the oldest one
        self._normals = [normal]
        self.usual: Floats = normal.usual[None]
        self.steadiness: Floats = normal.steadiness[None]

    @property
    def now(self) -> Normal:
        return self._normals[-1]

    @property
    def number(self) -> int:
        return self.first + len(self._normals) - 1

    def index(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where `usual` and `steadiness` say what counts for blocks of these versions."""
        return np.maximum(0, numbers - self.first)

    def add(self, normal: Normal, oldest: int) -> None:
        """`oldest` is the number of the oldest one that a block still has."""
        before = self.now
        if bool(
            (np.abs(normal.usual / before.usual - 1) < _SAME).all()
            and (np.abs(normal.steadiness / before.steadiness - 1) < 2 * _SAME).all()
        ):
            return
        drop = min(max(0, oldest - self.first), len(self._normals) - 1)
        self._normals = [*self._normals[drop:], normal]
        self.first += drop
        self._worst()

    def replace(self, normal: Normal) -> None:
        """From now on this one counts for all blocks."""
        self.first = self.number
        self._normals = [normal]
        self._worst()

    def widen(self, normal: Normal) -> None:
        """A lane has more columns: `normal` says what was normal of the new ones."""
        self._normals = [
            Normal(
                *(
                    np.concatenate((old, new[:, old.shape[1] :]), axis=1)
                    for old, new in (
                        (each.mean, normal.mean),
                        (each.usual, normal.usual),
                        (each.steadiness, normal.steadiness),
                    )
                )
            )
            for each in self._normals
        ]
        self._worst()

    def _worst(self) -> None:
        usual = np.array([each.usual for each in self._normals])
        steadiness = np.array([each.steadiness for each in self._normals])
        self.usual = np.maximum.accumulate(usual[::-1])[::-1]
        self.steadiness = np.minimum.accumulate(steadiness[::-1])[::-1]
