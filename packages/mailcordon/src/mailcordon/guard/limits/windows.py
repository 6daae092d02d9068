"""Windows of limits: UTC minutes, hours and days by the database's clock, and what was counted in them. Pure.

A window in the future is from before the clock was set back, or another dispatcher's claim was made a moment later, across the
window's end. Nothing leaves until it begins: what was counted in the window that comes again is not known any more. One that
begins more than an hour from now counts on instead: the clock was wrong for long, and no mail waits longer than that for it. One
that is farther ahead than AHEAD windows is brought to now with its count.
"""

from dataclasses import dataclass

from mailcordon.core.limit import Per

LENGTH_MS = {Per.MINUTE: 60_000, Per.HOUR: 3_600_000, Per.DAY: 86_400_000}
#: Windows ahead of now that count on. The statements that count have the same numbers (limited_claim.sql).
AHEAD = {Per.MINUTE: 60, Per.HOUR: 24, Per.DAY: 7}
LONGEST_WAIT_MS = 3_600_000  #: for a window in the future


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

    def waits(self, per: Per, now: int) -> bool:
        """Whether nothing may leave until the window that was counted last begins."""
        return per is not Per.EVER and 0 < self._begins(per, now) - now <= LONGEST_WAIT_MS

    def room(self, cap: int, per: Per, now: int) -> int:
        """How many may leave."""
        return 0 if self.waits(per, now) else max(0, cap - self.counted(per, now))

    def _begins(self, per: Per, now: int) -> int:
        return self.window(per, now)[0] * LENGTH_MS[per]

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
        """When there is room again, at the beginning of a window, in milliseconds since 1970; None: a limit for ever has none."""
        if per is Per.EVER:
            return None
        begins = self._begins(per, now)
        return begins if self.waits(per, now) else begins + LENGTH_MS[per]


def _added(window: tuple[int, int], n: int) -> tuple[int, int]:
    return window[0], window[1] + n
