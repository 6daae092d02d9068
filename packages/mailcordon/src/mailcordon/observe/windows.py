"""A window of time as the buckets that hold its counts.

Counts are stored by minute, ten minutes, hour, six hours, day, week and four weeks. A long window is read from its large buckets,
with small ones at its ends, so that a year costs no more rows than it has weeks. All times are minutes since 1970; weeks begin
where their number does, on a Thursday, and so do the four weeks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MINUTE, TEN, HOUR, QUARTER, DAY, WEEK, MONTH = 1, 10, 60, 360, 1440, 10_080, 40_320
MINUTE_MS = 60_000
_DAYS = DAY  #: minutes

#: A window no longer than the first begins at a multiple of the second, a longer one with a week. So a window may begin a little
#: earlier than was asked.
_GRAIN = ((6 * HOUR, TEN), (2 * _DAYS, HOUR), (35 * _DAYS, DAY))
#: Buckets of tens and hours of whole lanes are kept for so many minutes; an older window has whole days.
KEPT = {TEN: 2 * _DAYS, HOUR: 14 * _DAYS}


@dataclass(frozen=True, slots=True)
class Bucket:
    span: int  #: minutes
    start: int

    @property
    def end(self) -> int:
        return self.start + self.span


@dataclass(frozen=True, slots=True)
class Window:
    """Mail sent from `since` until before `until`."""

    since: int
    until: int

    @property
    def length(self) -> int:
        return self.until - self.since


def rounded(window: Window, now: int, grain: int | None = None) -> Window:
    """The window with ends at whole buckets. An end that is not past is that of the four weeks of now, so that the
    buckets that are still filling are read whole.

    `grain`: the size of bucket, if it is not chosen by the window's length and age.
    """
    if grain is None:
        grain = next((size for longest, size in _GRAIN if window.length <= longest), WEEK)
        while grain in KEPT and now - window.since > KEPT[grain] - grain:
            grain = HOUR if grain == TEN else DAY
    since = window.since - window.since % grain
    if window.until >= now:
        return Window(since, (now // MONTH + 1) * MONTH)
    return Window(since, -(-window.until // grain) * grain)


def buckets(window: Window, now: int, sizes: Sequence[int]) -> list[Bucket]:
    """The largest buckets that cover a rounded window exactly, in order, without those of the future. `sizes` ascend."""
    return [bucket for bucket in _cover(window.since, window.until, sizes) if bucket.start <= now]


def _cover(since: int, until: int, sizes: Sequence[int]) -> Iterator[Bucket]:
    if since >= until or not sizes:
        return
    *smaller, size = sizes
    first, last = -(-since // size) * size, until // size * size
    if first >= last:
        yield from _cover(since, until, smaller)
        return
    yield from _cover(since, first, smaller)
    for start in range(first, last, size):
        yield Bucket(size, start)
    yield from _cover(last, until, smaller)


#: What a window is compared with is not shorter or longer than these.
_PAST_LEAST, _PAST_MOST = 7 * _DAYS, 90 * _DAYS


def past(window: Window, now: int, times: int = 7) -> Window:
    """The time before a window, in whole days: `times` windows of its length, at least 7 days and at most 90."""
    length = min(window.until, now + 1) - window.since
    span = min(_PAST_MOST, max(_PAST_LEAST, times * length))
    until = window.since - window.since % DAY
    return Window(until - (-(-span // DAY) * DAY), until)


def weeks_before(window: Window, now: int) -> Window:
    """The whole weeks before a window, as many as it is long to the nearest, one to twelve: few buckets hold them. The movement
    of all lanes is measured against them."""
    length = min(window.until, now + 1) - window.since
    weeks = min(12, max(1, (length + WEEK // 2) // WEEK))
    until = window.since - window.since % WEEK
    return Window(until - weeks * WEEK, until)
