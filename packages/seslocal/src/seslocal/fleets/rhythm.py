"""A week's rhythm: how much of a tenant's mail falls into which hour, and when its campaigns start."""

from __future__ import annotations

import math
import tomllib
from bisect import bisect_right
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Final

from seslocal.world.parameters import Parameters

FILE: Final = Path(__file__).with_name("data") / "rhythm.toml"
_NORMAL_FROM: Final = 60.0  # means from which a Poisson number is drawn as a rounded normal one


@cache
def parameters() -> Parameters:
    return Parameters("rhythm", tomllib.loads(FILE.read_text(encoding="utf-8")))


@cache
def _week(kind: str) -> tuple[float, ...]:
    """Weights of the 168 hours of a week from Monday; their mean is 1."""
    hours, days = parameters().numbers(f"{kind}.hours"), parameters().numbers(f"{kind}.days")
    week = [day * hour for day in days for hour in hours]
    mean = sum(week) / len(week)
    return tuple(weight / mean for weight in week)


def share_of_hour(hour_of_week: int) -> float:
    """Returns the transactional mails of this hour, as a multiple of a mean hour's."""
    return _week("transactional")[hour_of_week]


@cache
def _starts() -> tuple[float, ...]:
    return tuple(accumulate(_week("marketing")))


def campaign_start(chance: float) -> float:
    """Returns a moment in the week, in seconds from Monday, at which a campaign starts. `chance` is uniform in [0, 1)."""
    starts = _starts()
    wanted = chance * starts[-1]
    hour = bisect_right(starts, wanted)
    before = starts[hour - 1] if hour else 0.0
    return 3600.0 * (hour + (wanted - before) / (starts[hour] - before))


def poisson(mean: float, chance: float, other: float) -> int:
    """Returns a Poisson number. `chance` and `other` are uniform in [0, 1)."""
    if mean <= 0:
        return 0
    if mean >= _NORMAL_FROM:
        return max(0, round(mean + math.sqrt(mean) * normal(chance, other)))
    probability = total = math.exp(-mean)
    number = 0
    while chance >= total and number < 1_000:
        number += 1
        probability *= mean / number
        total += probability
    return number


def normal(chance: float, other: float) -> float:
    """Returns a normal number of mean 0 and deviation 1 (Box and Muller)."""
    return math.sqrt(-2.0 * math.log(1.0 - chance)) * math.cos(2.0 * math.pi * other)
