"""Bad times of a provider: given ones, and those by chance."""

import pytest

from seslocal.world.draws import Draws
from seslocal.world.settings import Weather
from seslocal.world.weather import FINE, Forecast

START = 1_790_000_040.0  # a full minute
DAY = 86_400.0
STORM = Weather(provider="gmail", start=600, seconds=300, defers=0.4, slower=3)


def forecast(*given: Weather, background: bool = False, seed: int = 1) -> Forecast:
    return Forecast(given, background, START, Draws(seed))


def test_without_settings_the_weather_is_fine() -> None:
    found = forecast()
    assert all(found.at(name, START + hour * 3600) is FINE for name in ("gmail", "gmx") for hour in range(50))


def test_a_given_time_is_bad_from_its_start_to_its_end_for_its_provider_only() -> None:
    found = forecast(STORM)
    seen = [found.at("gmail", START + second).defers for second in (0, 599, 600, 899, 900, 5_000)]
    assert seen == [0, 0, pytest.approx(0.4), pytest.approx(0.4), 0, 0]
    assert found.at("gmail", START + 700).slower == 3
    assert found.at("yahoo", START + 700) is FINE


def test_two_bad_times_at_once_defer_more_than_each() -> None:
    found = forecast(STORM, Weather(provider="gmail", start=600, seconds=300, defers=0.5, slower=2))
    assert found.at("gmail", START + 660).defers == pytest.approx(0.7)
    assert found.at("gmail", START + 660).slower == 6


def test_the_order_of_questions_changes_nothing() -> None:
    forward, backward = forecast(STORM, background=True), forecast(STORM, background=True)
    times = [START + 60 * minute for minute in range(0, 30_000, 7)]
    ahead = [forward.at("gmail", at) for at in times]
    assert ahead == [backward.at("gmail", at) for at in reversed(times)][::-1]


def bad_hours(seed: int) -> list[tuple[str, int]]:
    found = forecast(background=True, seed=seed)
    return [
        (name, hour)
        for name in ("gmail", "microsoft", "yahoo", "gmx")
        for hour in range(24 * 300)
        if found.at(name, START + 3600 * hour).defers
    ]


def test_background_weather_is_rare_depends_on_the_seed_and_differs_between_providers() -> None:
    found = bad_hours(1)
    assert found == bad_hours(1)
    assert found != bad_hours(2)
    assert 0.001 < len(found) / (4 * 24 * 300) < 0.02
    hours = [{hour for name, hour in found if name == one} for one in ("gmail", "microsoft")]
    assert hours[0]
    assert hours[1]
    assert hours[0] != hours[1]


def test_background_weather_lasts_beyond_midnight() -> None:
    found = forecast(background=True)
    day = START // DAY * DAY
    assert any(
        found.at("gmail", day + number * DAY - 60).defers and found.at("gmail", day + number * DAY).defers
        for number in range(1, 3_000)
    )
