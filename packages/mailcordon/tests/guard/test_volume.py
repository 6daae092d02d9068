"""A loop that mails without end is found by its volume alone; waves, campaigns, growth and clocks that change are no loops."""

import math
import random
from collections.abc import Sequence

import pytest

from mailcordon.guard.volume import HISTORY, LOOK_BACK, WEEK_HOURS, Verdict, judge, learn

DAY = 24


def waves(volume: float, days: int, *, seed: int = 1, vary: float = 0.3, growth: float = 1.0) -> list[int]:
    """Mails of hours: more by day than by night, with better and worse days."""
    chance = random.Random(seed)
    found: list[int] = []
    for day in range(days):
        level = volume * chance.gammavariate(1 / vary**2, vary**2) * growth ** (day / 7)
        for hour in range(DAY):
            mean = level / DAY * (1 + 0.8 * math.sin(2 * math.pi * (hour / DAY) - math.pi / 2))
            found.append(max(0, round(chance.gauss(mean, math.sqrt(mean)))))
    return found


def campaigns(volume: float, days: int, *, a_week: float, seed: int = 1) -> list[int]:
    """Each leaves within an hour, whatever the hour of the week."""
    chance, gap = random.Random(seed), WEEK_HOURS / a_week
    found, at = [0] * (days * DAY), chance.random() * gap
    while at < len(found):
        found[int(at)] += round(volume * 7 / a_week * chance.lognormvariate(-0.125, 0.5))
        at += gap * (0.5 + chance.random())
    return found


def walked(counts: Sequence[int], *, planned: float | None = None) -> list[tuple[int, Verdict]]:
    """What is said of a lane's life, hour by hour; its normal is learned once a day."""
    found: list[tuple[int, Verdict]] = []
    normal = learn([], 0, planned=planned)
    for hour in range(len(counts)):
        if hour % DAY == 1:
            normal = learn(counts[max(0, hour - HISTORY) : hour], hour, planned=planned)
        verdict = judge(normal, counts[max(0, hour + 1 - LOOK_BACK) : hour + 1], hour)
        if verdict and verdict.runaway:
            found.append((hour, verdict))
    return found


def mails_until_found(
    past: list[int], an_hour: int, *, hours: int = 24, planned: float | None = None
) -> int | None:
    """Of a loop that begins after the past, at the beginning of an hour. It is looked at 30 times an hour."""
    end = len(past)
    normal = learn(past[-HISTORY:], end, planned=planned)
    for hour in range(hours):
        for minute in range(2, 61, 2):
            running = an_hour * minute // 60
            verdict = judge(normal, [*past[-LOOK_BACK:], *[an_hour] * hour, running], end + hour)
            if verdict and verdict.runaway:
                return an_hour * hour + running
    return None


@pytest.mark.parametrize("volume", [50, 5_000, 500_000])
def test_waves_and_growth_are_no_runaway(volume: int):
    assert walked(waves(volume, 40), planned=volume) == []
    assert walked(waves(volume, 40, seed=2, growth=1.15), planned=volume) == []


@pytest.mark.parametrize(("volume", "a_week"), [(50, 1), (5_000, 2), (500_000, 7), (5_000_000, 21)])
def test_campaigns_are_no_runaway_in_whatever_hour_they_leave(volume: int, a_week: int):
    for seed in range(3):
        assert walked(campaigns(volume, 60, a_week=a_week, seed=seed), planned=volume) == []


@pytest.mark.parametrize(
    ("volume", "an_hour", "most"),
    [
        (50, 10_000, 400),  # the loop of password resets
        (5_000, 10_000, 4_000),
        (5_000, 2_000, 5_000),
        (500_000, 1_000_000, 300_000),
    ],
)
def test_a_loop_is_found_within_a_few_times_of_a_usual_hour(volume: int, an_hour: int, most: int):
    noon = waves(volume, 40)[: 39 * DAY + 12]
    found = mails_until_found(noon, an_hour)
    assert found is not None
    assert found <= most


def test_at_night_less_is_enough():
    past = waves(5_000, 40)
    by_day, by_night = (mails_until_found(past[: 39 * DAY + hour], 10_000) for hour in (12, 1))
    assert by_day is not None
    assert by_night is not None
    assert by_night < by_day / 2


def test_a_loop_among_campaigns_is_found_by_the_day():
    past = campaigns(5_000, 60, a_week=2)
    found = mails_until_found(past, 120_000)
    assert found is not None
    assert found <= 600_000


def test_twice_the_usual_and_500_mails_a_day_are_never_a_runaway():
    past = waves(5_000, 40, vary=0.01)
    assert judge(learn(past, len(past)), [2 * count for count in past[-DAY:]], len(past) - 1) is None
    few = waves(5, 40)
    assert mails_until_found(few, 500 // DAY, hours=LOOK_BACK) is None


def test_an_hour_earlier_or_later_is_nothing():
    """Clocks change twice a year, and jobs are moved."""
    past = [1_000 if hour % DAY == 6 else 100 for hour in range(40 * DAY)]
    normal = learn(past, len(past))
    assert normal.hours is not None
    for hour in (5, 6, 7):
        verdict = judge(normal, [*past[-LOOK_BACK:], *[100] * hour, 1_000], len(past) + hour)
        assert verdict is None or not verdict.runaway
    night = judge(normal, [*past[-LOOK_BACK:], *[100] * 15, 30_000], len(past) + 15)
    assert night is not None
    assert night.runaway


def test_a_new_lane_is_judged_by_what_it_planned():
    assert mails_until_found([], 3_000, planned=40_000) is None
    without_plan, with_plan = mails_until_found([], 10_000), mails_until_found([], 10_000, planned=5_000)
    assert without_plan is not None
    assert 5_000 < without_plan < 10_000
    assert with_plan is not None
    assert with_plan > 10 * without_plan


def test_a_new_lane_that_grows_by_half_a_day_is_let_be():
    grown = [round(200 * 1.5**day / DAY) for day in range(7) for _ in range(DAY)]
    assert walked(grown) == []


def test_a_verdict_says_since_when_and_how_much_is_usual():
    past = waves(5_000, 40)
    verdict = judge(learn(past, len(past)), [*past[-46:], 4_000, 4_000], len(past) + 1)
    assert verdict is not None
    assert verdict.runaway
    assert (verdict.since, verdict.mails) == (len(past), 8_000)
    assert 20 < verdict.usual < 1_000


def test_a_lane_without_mail_in_eight_weeks_is_as_good_as_new():
    normal = learn([0] * HISTORY, HISTORY)
    assert judge(normal, [0] * 47 + [400], HISTORY) is None
    verdict = judge(normal, [0] * 47 + [10_000], HISTORY)
    assert verdict is not None
    assert verdict.runaway
