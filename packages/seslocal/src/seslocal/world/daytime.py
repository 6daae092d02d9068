"""When people look at their mail: more by day than by night. A delay is given in seconds of a time that runs fast when people are
active and slow when they sleep, and is turned into real seconds here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR


class Daytime:
    """`activity` are 24 numbers above 0: how active people are in each hour of their day, to any scale."""

    def __init__(self, activity: Sequence[float]) -> None:
        mean = sum(activity) / 24
        self._speed = [one / mean for one in activity]
        self._passed = [0.0]  # active seconds before each hour
        for speed in self._speed:
            self._passed.append(self._passed[-1] + _HOUR * speed)
        self._day = self._passed[24]

    def seconds(self, clock: float, active: float) -> float:
        """Returns the real seconds in which `active` seconds of activity pass. `clock`: seconds since the epoch by the person's
        own clock. A day of activity is a day."""
        start = clock % _DAY
        hour = int(start // _HOUR)
        passed = self._passed[hour] + (start - hour * _HOUR) * self._speed[hour] + active
        days, passed = divmod(passed, self._day)
        hour = min(bisect_right(self._passed, passed) - 1, 23)
        return max(
            0.0, days * _DAY + hour * _HOUR + (passed - self._passed[hour]) / self._speed[hour] - start
        )
