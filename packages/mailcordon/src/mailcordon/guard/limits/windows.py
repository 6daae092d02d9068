"""Windows of limits: UTC minutes, hours and days by the database's clock, and what was counted in them. Pure.

A window in the future is from before the clock was set back. It counts on, since what was counted in the window that comes again
is not known any more. One that is farther ahead than AHEAD windows is brought to now with its count: the clock was wrong before.
"""

from dataclasses import dataclass

from mailcordon.core.limit import Per

LENGTH_MS = {Per.MINUTE: 60_000, Per.HOUR: 3_600_000, Per.DAY: 86_400_000}
#: Windows ahead of now that count on. The statements that count have the same numbers (limited_claim.sql).
AHEAD = {Per.MINUTE: 60, Per.HOUR: 24, Per.DAY: 7}


@dataclass(slots=True)
class Use:
    """What left, by the number of the window since 1970. Of an address there is no `ever`."""

    minute: int = 0
    in_minute: int = 0
    hour: int = 0
    in_hour: int = 0
    day: int = 0
    in_day: int = 0
    ever: int = 0

    def window(self, per: Per, now: int) -> tuple[int, int]:
        """The window that counts now, and what was counted in it. `now`: milliseconds since 1970."""
        if per is Per.EVER:
            return 0, self.ever
        number, counted = (
            (self.minute, self.in_minute)
            if per is Per.MINUTE
            else (self.hour, self.in_hour)
            if per is Per.HOUR
            else (self.day, self.in_day)
        )
        current = now // LENGTH_MS[per]
        if number < current:
            return current, 0
        return (number if number <= current + AHEAD[per] else current), counted

    def counted(self, per: Per, now: int) -> int:
        return self.window(per, now)[1]

    def add(self, n: int, now: int) -> None:
        self.minute, self.in_minute = _added(self.window(Per.MINUTE, now), n)
        self.hour, self.in_hour = _added(self.window(Per.HOUR, now), n)
        self.day, self.in_day = _added(self.window(Per.DAY, now), n)
        self.ever += n

    def is_far_ahead(self, now: int) -> bool:
        return (
            self.minute > now // LENGTH_MS[Per.MINUTE] + AHEAD[Per.MINUTE]
            or self.hour > now // LENGTH_MS[Per.HOUR] + AHEAD[Per.HOUR]
            or self.day > now // LENGTH_MS[Per.DAY] + AHEAD[Per.DAY]
        )

    def opens_at(self, per: Per, now: int) -> int | None:
        """When the next window begins, in milliseconds since 1970; None: a limit for ever has none."""
        if per is Per.EVER:
            return None
        return (self.window(per, now)[0] + 1) * LENGTH_MS[per]


def _added(window: tuple[int, int], n: int) -> tuple[int, int]:
    return window[0], window[1] + n
