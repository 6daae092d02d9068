"""Laws of delay as curves: by which time which share has happened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from seslocal.world.parameters import Parameters, WrongParameter

_STEPS: Final = 1024


class Curve:
    """Draws seconds from the curve through the points (share, seconds), linear in the logarithm of the seconds. The shares rise
    from 0 to 1, the seconds are above 0 and never fall. Raises WrongParameter."""

    def __init__(self, shares: Sequence[float], seconds: Sequence[float]) -> None:
        rising = all(a < b for a, b in pairwise(shares))
        if len(shares) != len(seconds) or len(shares) < 2 or shares[0] != 0 or shares[-1] != 1 or not rising:
            raise WrongParameter(
                f"The shares of a curve rise from 0 to 1, one for each of its seconds: {shares}."
            )
        if seconds[0] <= 0 or any(a > b for a, b in pairwise(seconds)):
            raise WrongParameter(f"The seconds of a curve are above 0 and never fall: {seconds}.")
        self._table: list[float] = []
        piece = 0
        for step in range(_STEPS + 1):
            share = step / _STEPS
            while share > shares[piece + 1]:
                piece += 1
            part = (share - shares[piece]) / (shares[piece + 1] - shares[piece])
            low, high = math.log(seconds[piece]), math.log(seconds[piece + 1])
            self._table.append(math.exp(low + part * (high - low)))
        self._table.append(self._table[-1])

    def at(self, chance: float) -> float:
        """Returns seconds. `chance` is uniform in [0, 1)."""
        place = chance * _STEPS
        step = int(place)
        low = self._table[step]
        return low + (place - step) * (self._table[step + 1] - low)


def read_curve(parameters: Parameters, name: str) -> Curve:
    """Returns the curve that the file gives as NAME.shares and NAME.seconds. Raises WrongParameter."""
    return Curve(parameters.numbers(f"{name}.shares"), parameters.numbers(f"{name}.seconds"))
