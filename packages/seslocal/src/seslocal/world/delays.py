"""How long receiving hosts take, when bounces come back later, and when complaints are reported (`data/delays.toml`)."""

from __future__ import annotations

from functools import cache
from math import log
from typing import Final

import msgspec

from seslocal.world import parameters

_DAY: Final = 86_400.0
_ODDS_OF_99: Final = log(99.0)


class Law(msgspec.Struct, frozen=True):
    """A log-logistic distribution of times: like a lognormal one, but a quantile is one power. None is above `most`."""

    median: float  #: seconds
    spread: float  #: exponent of the odds
    most: float

    def at(self, chance: float) -> float:
        """Returns the quantile of `chance` in [0, 1)."""
        return min(self.most, self.median * (chance / (1.0 - chance)) ** self.spread)


def returned(system: str, cause: str, chance: float) -> float | None:
    """Returns after how many seconds a mail to a recipient whom the host only looks up later comes back, or None if the host
    refuses at once. `chance` decides both."""
    share = _late_share(system, cause)
    return _late().at(chance / share) if chance < share else None


def reported(provider: str, at: float, chance: float) -> float | None:
    """Returns the time (seconds since the epoch) at which the provider reports a complaint made at `at` to the sender; None:
    never. A provider with a digest reports those of a day in the next morning."""
    of = parameters.read("delays")
    if provider not in _REPORTERS:
        return None
    if f"digest.{provider}.hour" in of.by_name:
        hour = of.number(f"digest.{provider}.hour") * 3600.0
        sending = (at - hour) // _DAY * _DAY + _DAY + hour
        return sending + of.number(f"digest.{provider}.lasts") * chance
    return at + _report(provider).at(chance)


_REPORTERS: Final = ("microsoft", "yahoo", "telco")


def _law(name: str) -> Law:
    of = parameters.read("delays").number
    median = of(f"{name}.median")
    return Law(median, log(of(f"{name}.p99") / median) / _ODDS_OF_99, of(f"{name}.most"))


@cache
def processing(system: str, outcome: str) -> Law:
    """Returns the law of the seconds that an attempt takes, from the connection to the reply. `outcome` is accept, defer or
    refuse."""
    by_name = parameters.read("delays").by_name
    name = f"processing.{system}.{outcome}"
    return _law(name if f"{name}.median" in by_name else f"processing.any.{outcome}")


@cache
def _late() -> Law:
    return _law("late_bounce")


@cache
def _late_share(system: str, cause: str) -> float:
    found = parameters.read("delays").by_name.get(f"late_share.{cause}.{system}")
    return float(found.value) if found is not None and not isinstance(found.value, tuple) else 0.0


@cache
def _report(provider: str) -> Law:
    return _law(f"report.{provider}")
