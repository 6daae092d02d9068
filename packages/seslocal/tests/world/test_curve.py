"""Laws of delay as curves."""

import pytest

from seslocal.world.curve import Curve
from seslocal.world.parameters import WrongParameter

CURVE = Curve((0.0, 0.5, 0.75, 1.0), (10, 100, 1_000, 10_000))


@pytest.mark.parametrize(
    ("chance", "seconds"), [(0.0, 10), (0.25, 31.6), (0.5, 100), (0.75, 1_000), (0.875, 3_162), (1.0, 10_000)]
)
def test_the_curve_goes_through_its_points_and_is_straight_in_the_logarithm(
    chance: float, seconds: float
) -> None:
    assert CURVE.at(chance) == pytest.approx(seconds, rel=0.005)  # pyright: ignore[reportUnknownMemberType]


def test_a_larger_chance_is_never_sooner() -> None:
    drawn = [CURVE.at(number / 9_999) for number in range(10_000)]
    assert drawn == sorted(drawn)


@pytest.mark.parametrize(
    ("shares", "seconds", "said"),
    [
        ((0.0, 0.5), (1, 2), "rise from 0 to 1"),
        ((0.1, 1.0), (1, 2), "rise from 0 to 1"),
        ((0.0, 0.6, 0.5, 1.0), (1, 2, 3, 4), "rise from 0 to 1"),
        ((0.0, 1.0), (1, 2, 3), "one for each"),
        ((1.0,), (1,), "rise from 0 to 1"),
        ((0.0, 1.0), (0, 2), "above 0"),
        ((0.0, 1.0), (3, 2), "never fall"),
    ],
)
def test_what_is_no_curve_is_refused(
    shares: tuple[float, ...], seconds: tuple[float, ...], said: str
) -> None:
    with pytest.raises(WrongParameter, match=said):
        Curve(shares, seconds)
