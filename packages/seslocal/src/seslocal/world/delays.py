"""How long receiving hosts take, when bounces come back later, and when complaints are reported (`data/delays.toml`)."""

from __future__ import annotations

from functools import cache
from math import log
from typing import Final

import msgspec

from seslocal.world import parameters
from seslocal.world.providers import PROVIDERS

_DAY: Final = 86_400.0
_ODDS_OF_99: Final = log(99.0)


class Law(msgspec.Struct, frozen=True):
    """A distribution of times. Beyond the least it is log-logistic, which is like lognormal, but a quantile is one power. Those
    above `most` are `most`."""

    least: float  #: seconds
    median: float  #: beyond the least
    spread: float  #: exponent of the odds
    most: float

    def at(self, chance: float) -> float:
        """Returns the quantile of `chance` in [0, 1)."""
        return min(self.most, self.least + self.median * (chance / (1.0 - chance)) ** self.spread)


def returned(system: str, cause: str, chance: float) -> float | None:
    """Returns after how many seconds a mail to a recipient whom the host only looks up later comes back, or None if the host
    refuses at once. `chance` decides both."""
    share = _late_share(system, cause)
    return _late().at(chance / share) if chance < share else None


def reported(provider: str, at: float, chance: float) -> float | None:
    """Returns the time (seconds since the epoch) at which the provider reports a complaint made at `at` to the sender; None:
    never. A provider with a digest reports those of a day in the next morning."""
    if not PROVIDERS[provider].complaints:
        return None
    digest = _digest(provider)
    if digest is None:
        return at + _report(provider).at(chance)
    starts, lasts = digest
    return (at - starts) // _DAY * _DAY + _DAY + starts + lasts * chance


def _law(name: str) -> Law:
    of = parameters.read("delays").number
    least = of(f"{name}.least")
    median, p99 = of(f"{name}.median") - least, of(f"{name}.p99") - least
    return Law(least, median, log(p99 / median) / _ODDS_OF_99, of(f"{name}.most"))


@cache
def processing(system: str, outcome: str) -> Law:
    """Returns the law of the seconds that an attempt takes, from the connection to the reply. `outcome` is accept, defer or
    refuse."""
    name = f"processing.{system}.{outcome}"
    known = f"{name}.median" in parameters.read("delays").by_name
    return _law(name if known else f"processing.any.{outcome}")


@cache
def _late() -> Law:
    return _law("late_bounce")


@cache
def _late_share(system: str, cause: str) -> float:
    of, name = parameters.read("delays"), f"late_share.{cause}.{system}"
    return of.number(name) if name in of.by_name else 0.0


@cache
def _digest(provider: str) -> tuple[float, float] | None:
    """When reports are sent, in seconds of the day, and for how long."""
    of = parameters.read("delays")
    if f"digest.{provider}.hour" not in of.by_name:
        return None
    return of.number(f"digest.{provider}.hour") * 3600.0, of.number(f"digest.{provider}.lasts")


@cache
def _report(provider: str) -> Law:
    return _law(f"report.{provider}")
