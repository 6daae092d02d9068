"""How late feedback comes, and how soon a change of a rate can be told from chance (detection.md, section 2)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.detection.protocol import DAY

Floats = NDArray[np.float64]


class Part(NamedTuple):
    """A share of the events whose delay is exponential (`sigma` is None, `scale` the mean) or lognormal (`scale` the median)."""

    share: float
    scale: float  #: minutes
    sigma: float | None


Law = tuple[Part, ...]


class Sent(NamedTuple):
    """Mails of the guilty slice up to and including a minute."""

    minute: int
    mails: int
    bad: int  #: events of the incident's signal that these mails cause
    information: float  #: mails, each counted by what it tells beside one of the full incident rate


def information(p: float, q: float) -> float:
    """Nats that a mail of rate `p` tells on average against rate `q` (Kullback-Leibler)."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def seen(law: Law, minutes: ArrayLike) -> Floats:
    """The share of events seen by the end of each minute, of mail sent evenly over minute 0."""
    age = np.asarray(minutes, float)[:, None] + np.array([0.125, 0.375, 0.625, 0.875])[None, :]
    share = np.zeros_like(age)
    for part in law:
        if part.sigma is None:
            share += part.share * (1 - np.exp(-age / part.scale))
        else:
            score = (np.log(age) - math.log(part.scale)) / (part.sigma * math.sqrt(2))
            share += part.share * 0.5 * (1 + np.vectorize(math.erf)(score))
    return share.mean(axis=1)


def mails_needed(volume: float, incident: float, healthy: float) -> float:
    """Mails from the change to an alarm that no rule can better in the worst case, if it may be wrong once in 36,500 days."""
    return math.log(36500.0 * max(volume, 1)) / information(incident, healthy)


def reached(sent: Sequence[Sent], law: Law, needed: float) -> tuple[int, int] | None:
    """Mails sent, and the minute, when the feedback that can have arrived is worth `needed` mails. None if it never is."""
    if not sent:
        return None
    minutes = np.array([one.minute for one in sent])
    mails = [one.mails for one in sent]
    told = np.diff(np.concatenate([[0.0], [one.information for one in sent]]))
    ages = np.unique(np.concatenate([np.arange(0, 3000), np.arange(3000, 40 * DAY, 30)]))
    shares = seen(law, ages)

    def worth(minute: int) -> float:
        out = minutes <= minute
        return float((told[out] * np.interp(minute - minutes[out], ages, shares)).sum())

    first, last = int(minutes[0]), int(minutes[-1]) + 20 * DAY
    if worth(last) < needed:
        return None
    while first < last:
        middle = (first + last) // 2
        if worth(middle) >= needed:
            last = middle
        else:
            first = middle + 1
    return mails[int(np.searchsorted(minutes, first, side="right")) - 1], first
