"""Bad times of a provider, for every sender alike: those of the settings, and, if they are switched on, some by chance
(`data/weather.toml`). They depend on the seed and the time only."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.world import parameters
from seslocal.world.draws import Draws
from seslocal.world.settings import Weather

_DAY: Final = 86_400


class Sky(msgspec.Struct, frozen=True):
    """The weather of a minute."""

    defers: float = 0.0  #: share of the attempts that the provider defers
    slower: float = 1.0  #: factor of its processing times


FINE: Final = Sky()


class Forecast:
    """`start`: of the world, in seconds since the epoch; the times of the settings count from it."""

    def __init__(self, given: tuple[Weather, ...], background: bool, start: float, draws: Draws) -> None:
        self._given: dict[str, list[Weather]] = {}
        for one in given:
            self._given.setdefault(one.provider, []).append(one)
        self._background = background
        self._start = start
        self._draws = draws
        self._minute = -1
        self._skies: dict[str, Sky] = {}
        self._days: dict[tuple[str, int], Weather | None] = {}

    def at(self, provider: str, at: float) -> Sky:
        """Returns the provider's weather in the minute of `at` (seconds since the epoch)."""
        if not self._given and not self._background:
            return FINE
        minute = int(at // 60)
        if minute != self._minute:
            self._minute = minute
            self._skies.clear()
        found = self._skies.get(provider)
        if found is None:
            found = self._skies[provider] = self._look(provider, minute * 60.0)
        return found

    def _look(self, provider: str, at: float) -> Sky:
        since = at - self._start
        # A given one begins with the minute that it is in.
        now = [
            one for one in self._given.get(provider, ()) if one.start - 60.0 < since < one.start + one.seconds
        ]
        if self._background:
            day = int(at // _DAY)
            # One that began late on the day before may last until now.
            for one in (self._of_day(provider, day - 1), self._of_day(provider, day)):
                if one is not None and one.start <= at < one.start + one.seconds:
                    now.append(one)
        if not now:
            return FINE
        fine = slower = 1.0
        for one in now:
            fine *= 1.0 - one.defers
            slower *= one.slower
        return Sky(1.0 - fine, slower)

    def _of_day(self, provider: str, day: int) -> Weather | None:
        """The bad time that begins on this day, counted from the epoch, as its start is here; None: the day is fine."""
        key = (provider, day)
        if key in self._days:
            return self._days[key]
        of = parameters.read("weather").number
        drawn = self._draws.four("weather", f"{provider} {day}")
        found = None
        if drawn[0] < of("days"):
            # Long and bad times are rarer than short and light ones.
            found = Weather(
                provider=provider,
                start=day * _DAY + drawn[1] * _DAY,
                seconds=of("shortest") * (of("longest") / of("shortest")) ** drawn[2],
                defers=of("lightest") * (of("worst") / of("lightest")) ** drawn[3],
                slower=1.0 + (of("slowest") - 1.0) * drawn[3],
            )
        if len(self._days) >= 1_000:
            self._days.clear()
        self._days[key] = found
        return found
