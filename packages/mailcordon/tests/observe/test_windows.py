"""A window is covered exactly once, by few buckets."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.observe.windows import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    QUARTER,
    TEN,
    WEEK,
    Bucket,
    Window,
    buckets,
    past,
    rounded,
    weeks_before,
)

NOW = 29_600_000
SIZES = (TEN, HOUR, QUARTER, DAY, WEEK, MONTH)


@given(since=st.integers(0, 130 * DAY), length=st.integers(1, 100 * DAY))
def test_buckets_cover_the_window_once_in_order_and_lie_in_their_places(since: int, length: int) -> None:
    window = rounded(Window(NOW - since, min(NOW, NOW - since + length)), NOW)
    found = buckets(window, NOW, SIZES)
    assert found[0].start == window.since <= NOW - since
    assert all(one.end == two.start for one, two in itertools.pairwise(found))
    assert found[-1].end >= min(NOW, window.until)
    assert all(one.start % one.span == 0 for one in found)
    assert len(found) <= 30


@pytest.mark.parametrize(
    ("length", "grain", "most"),
    [(60, TEN, 7), (24 * HOUR, HOUR, 13), (7 * DAY, DAY, 8), (30 * DAY, DAY, 15), (90 * DAY, WEEK, 9)],
)
def test_a_long_window_has_few_buckets_and_begins_where_a_small_one_does(
    length: int, grain: int, most: int
) -> None:
    window = rounded(Window(NOW - length, NOW), NOW)
    assert window.since == (NOW - length) // grain * grain
    assert len(buckets(window, NOW, SIZES)) <= most


def test_an_old_window_has_whole_days_since_small_buckets_are_gone() -> None:
    window = rounded(Window(NOW - 40 * DAY, NOW - 40 * DAY + 30), NOW)
    assert (window.since % DAY, window.length) == (0, DAY)
    yesterday = rounded(Window(NOW - 3 * DAY, NOW - 3 * DAY + 30), NOW)
    assert (yesterday.since % HOUR, yesterday.length % HOUR) == (0, 0)


def test_a_window_of_minutes_is_not_rounded() -> None:
    window = rounded(Window(NOW - 61, NOW - 3), NOW, MINUTE)
    assert (window.since, window.until) == (NOW - 61, NOW - 3)
    assert buckets(window, NOW, (MINUTE,))[0] == Bucket(MINUTE, NOW - 61)


@pytest.mark.parametrize(("length", "days"), [(60, 7), (DAY, 7), (7 * DAY, 49), (60 * DAY, 90)])
def test_the_past_is_seven_windows_but_not_less_than_7_days_nor_more_than_90(length: int, days: int) -> None:
    window = rounded(Window(NOW - length, NOW), NOW)
    before = past(window, NOW)
    assert before.until <= window.since
    assert window.since - before.until < DAY
    assert days <= before.length // DAY <= days + 8
    assert before.since % DAY == 0


@pytest.mark.parametrize(("length", "weeks"), [(60, 1), (7 * DAY, 1), (30 * DAY, 4), (90 * DAY, 12)])
def test_movement_is_measured_against_whole_weeks(length: int, weeks: int) -> None:
    window = rounded(Window(NOW - length, NOW), NOW)
    before = weeks_before(window, NOW)
    assert (before.since % WEEK, before.until % WEEK, before.length) == (0, 0, weeks * WEEK)
    assert 0 <= window.since - before.until < WEEK
