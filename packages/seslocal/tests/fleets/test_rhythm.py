"""The week's rhythm and the numbers drawn for it."""

from __future__ import annotations

import pytest

from seslocal.fleets import rhythm
from seslocal.world.draws import Draws


def test_a_mean_hour_has_weight_one() -> None:
    assert sum(rhythm.share_of_hour(hour) for hour in range(168)) == pytest.approx(168)


def test_nights_and_weekends_have_less() -> None:
    assert rhythm.share_of_hour(3) < 0.25 * rhythm.share_of_hour(11)
    assert rhythm.share_of_hour(6 * 24 + 11) < rhythm.share_of_hour(11)


def test_every_parameter_of_the_file_is_read() -> None:
    assert set(rhythm.parameters().by_name) == {
        f"{kind}.{part}" for kind in ("transactional", "marketing") for part in ("hours", "days")
    }
    assert all(
        len(rhythm.parameters().numbers(f"{kind}.hours")) == 24 for kind in ("transactional", "marketing")
    )
    assert all(
        len(rhythm.parameters().numbers(f"{kind}.days")) == 7 for kind in ("transactional", "marketing")
    )


def test_campaigns_start_in_office_hours_and_in_the_order_of_their_chances() -> None:
    starts = [rhythm.campaign_start(number / 1_000) for number in range(1_000)]
    assert starts == sorted(starts)
    assert {int(start // 3_600) % 24 for start in starts} <= set(range(6, 21))
    tuesdays = sum(start // 86_400 == 1 for start in starts)
    sundays = sum(start // 86_400 == 6 for start in starts)
    assert tuesdays > 3 * sundays > 0


@pytest.mark.parametrize("mean", [0.3, 4.0, 59.0, 400.0])
def test_poisson_numbers_have_their_mean_and_variance(mean: float) -> None:
    draws = Draws(1)
    found = [rhythm.poisson(mean, *draws.four("poisson", str(number))[:2]) for number in range(4_000)]
    average = sum(found) / len(found)
    variance = sum((value - average) ** 2 for value in found) / len(found)
    assert average == pytest.approx(mean, rel=0.06)
    assert variance == pytest.approx(mean, rel=0.12)


def test_no_mean_no_mails() -> None:
    assert rhythm.poisson(0.0, 0.99, 0.5) == 0
