"""Activity by day and by night."""

import pytest

from seslocal.world.daytime import Daytime

HOUR = 3600.0
#: nobody to speak of before 8 and after 20, then alike
DAYTIME = Daytime([0.001] * 8 + [1.0] * 12 + [0.001] * 4)
MIDNIGHT = 86_400.0 * 20_000


def test_by_day_it_goes_faster_and_by_night_all_waits_for_the_morning() -> None:
    assert DAYTIME.seconds(MIDNIGHT + 9 * HOUR, HOUR) == pytest.approx(HOUR / 2, rel=0.01)  # pyright: ignore[reportUnknownMemberType]
    asleep = DAYTIME.seconds(MIDNIGHT + 23 * HOUR, HOUR)
    assert 9 * HOUR < asleep < 10 * HOUR
    over_night = DAYTIME.seconds(MIDNIGHT + 19.75 * HOUR, HOUR)
    assert 12 * HOUR < over_night < 13 * HOUR


@pytest.mark.parametrize("hour", [0, 3.5, 8, 12, 19.99, 23.999])
@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_day_of_activity_is_a_day_whenever_it_begins(hour: float, days: int) -> None:
    seconds = DAYTIME.seconds(MIDNIGHT + hour * HOUR, days * 86_400)
    assert seconds == pytest.approx(days * 86_400, abs=2)  # pyright: ignore[reportUnknownMemberType]


def test_more_activity_is_never_sooner() -> None:
    for hour in (2, 7.9, 12, 21):
        drawn = [DAYTIME.seconds(MIDNIGHT + hour * HOUR, 60.0 * number) for number in range(3_000)]
        assert drawn == sorted(drawn)
        assert drawn[0] < 1


def test_an_even_day_changes_nothing() -> None:
    even = Daytime([7.0] * 24)
    for active in (1.0, 5_000.0, 100_000.0):
        assert even.seconds(MIDNIGHT + 4_321, active) == pytest.approx(active)  # pyright: ignore[reportUnknownMemberType]
