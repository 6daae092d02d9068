"""A bought list: into the spam folder within hours, refusals within a day or two at Microsoft and Yahoo, and weeks to recover."""

from __future__ import annotations

from functools import cache

import pytest

from seslocal.world.standing import Standing
from seslocal_fixtures.world_senders import HOSTS, Senders, letter

PROVIDERS = ["gmail", "microsoft", "yahoo"]


def stand(senders: Senders, provider: str, day: int, hour: int = 0) -> Standing:
    """What people still do with mail that has arrived counts too."""
    senders.end(day, hour)
    return senders.world.standing(letter("k", f"good.1@{HOSTS[provider]}"))


@cache
def stopped(provider: str) -> tuple[Senders, list[float], Standing, dict[int, float]]:
    """Two good days, two days with a bought list of five times as many, then nothing. Returns the shares of accepted mail that go
    to spam in the hours of the first bad day, where it stands at the end, and the share on each day after it stopped."""
    senders = Senders()
    for day in range(4):
        senders.send(500, "good", provider, day)
        if day >= 2:
            senders.send(2_500, "bought", provider, day)
    hours = [stand(senders, provider, 2, hour).spam for hour in range(8, 19)]
    worst = stand(senders, provider, 4)
    return senders, hours, worst, {day: stand(senders, provider, 4 + day).spam for day in range(1, 60)}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_into_the_spam_folder_within_hours(provider: str) -> None:
    _, hours, worst, _ = stopped(provider)
    assert hours[0] < 0.08
    assert hours[4] > 0.3
    assert worst.spam > 0.7


@pytest.mark.parametrize(("provider", "refused"), [("microsoft", 0.2), ("yahoo", 0.1)])
def test_refusals_within_two_days(provider: str, refused: float) -> None:
    senders, _, worst, _ = stopped(provider)
    assert worst.refuses > refused
    assert senders.days[3, "a.example"]["reputation"] > 500
    assert stopped("gmail")[2].refuses < 0.05, "Gmail prefers the spam folder"


@pytest.mark.parametrize(
    ("provider", "weeks"), [("gmail", (2, 5)), ("microsoft", (3, 6.5)), ("yahoo", (2, 4))]
)
def test_it_takes_weeks_to_recover(provider: str, weeks: tuple[float, float]) -> None:
    _, _, _, days = stopped(provider)
    assert list(days.values()) == sorted(days.values(), reverse=True)
    recovered = next(day for day, spam in days.items() if spam < 0.10)
    assert weeks[0] <= recovered / 7 <= weeks[1]
