"""Durations as people type and read them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.cli import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("15 min", 900),
        ("1h30m", 5400),
        ("1 h 30 min", 5400),
        ("1.5h", 5400),
        ("7d", 604_800),
        ("7 days", 604_800),
        ("2w", 1_209_600),
        ("500ms", 0.5),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: float) -> None:
    assert duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "15x", "m", "-5m", "1h30", "5 5m", "1e3s", "٣m", "15m!", "∞"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration.parse(text)


@pytest.mark.parametrize(
    ("seconds", "compact", "spoken"),
    [
        (0, "0s", "0 s"),
        (0.5, "0.5s", "0.5 s"),
        (45, "45s", "45 s"),
        (900, "15m", "15 min"),
        (5400, "1h30m", "1 h 30 min"),
        (86_400, "1d", "24 h"),
        (259_200, "3d", "72 h"),
        (604_800, "7d", "7 days"),
        (694_800, "8d1h", "8 days 1 h"),
    ],
)
def test_each_duration_has_a_typed_and_a_spoken_form(seconds: float, compact: str, spoken: str) -> None:
    assert (duration.compact(seconds), duration.spoken(seconds)) == (compact, spoken)


@given(st.integers(0, 10**9))
def test_what_is_shown_can_be_typed_again(seconds: int) -> None:
    assert duration.parse(duration.compact(seconds)) == seconds
    assert duration.parse(duration.spoken(seconds)) == seconds


def test_a_time_is_iso_8601_in_utc_unless_it_says_otherwise() -> None:
    assert duration.moment("2027-01-01T00:00:00Z") == "2027-01-01T00:00:00+00:00"
    assert duration.moment("2027-01-01T00:00:00") == "2027-01-01T00:00:00+00:00"
    assert duration.moment("2027-01-01T00:00:00+02:00") == "2027-01-01T00:00:00+02:00"


def test_a_time_can_be_a_duration_from_now() -> None:
    made = datetime.fromisoformat(duration.moment("90d"))
    assert abs(made - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
