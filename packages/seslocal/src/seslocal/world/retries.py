"""When a sender tries again after a deferral (`data/retries.toml`). The receiving hosts do not know it."""

from __future__ import annotations

from functools import cache
from itertools import accumulate

from seslocal.world import parameters


def pause(number: int, chance: float) -> float:
    """Returns the seconds between attempt `number`, which was deferred, and the next one. `chance` is uniform in [0, 1)."""
    spread = _spread()
    return _base(number) * (1.0 - spread + 2.0 * spread * chance)


def least(number: int) -> float:
    """Returns the seconds that have passed before attempt `number`, from 1, at the least."""
    first = _first()
    if number <= len(first):
        return first[number - 1]
    return first[-1] + (number - len(first)) * _base(number) * (1.0 - _spread())


def _base(number: int) -> float:
    pauses = _pauses()
    return pauses[min(number, len(pauses)) - 1]


@cache
def _pauses() -> tuple[float, ...]:
    return parameters.read("retries").numbers("pauses")


@cache
def _spread() -> float:
    return parameters.read("retries").number("spread")


@cache
def _first() -> tuple[float, ...]:
    return tuple(accumulate([pause * (1.0 - _spread()) for pause in _pauses()], initial=0.0))
