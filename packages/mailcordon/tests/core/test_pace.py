"""How long loops rest."""

import pytest

from mailcordon.core.pace import Pace, Rest, steady

PACE = Pace(quick=1.0, other=3.0, slow=10.0, lasting=5.0)


def rests(rest: Rest, now: float, count: int, *, worked: bool = False) -> list[float]:
    """The rests after rounds that take no time and find nothing, or something."""
    found: list[float] = []
    for _ in range(count):
        rest.begins()
        rest.ends(now, worked=worked)
        found.append(rest.over_at - now)
        now = rest.over_at
    return found


def test_rests_grow_up_to_the_slow_pace_once_what_follows_a_change_had_its_time():
    assert rests(Rest(PACE, 0.0), 0.0, 10) == [1, 1, 1, 1, 1, 3, 9, 10, 10, 10]


def test_a_loop_that_finds_work_stays_quick():
    assert rests(Rest(PACE, 0.0), 0.0, 30, worked=True) == [1.0] * 30


def test_a_change_ends_a_long_rest_and_makes_the_loop_quick_again():
    rest = Rest(PACE, 0.0)
    rests(rest, 100.0, 10)
    rest.begins()
    rest.ends(200.0, worked=False)
    assert rest.over_at == 210.0
    rest.changed(204.0)
    assert rest.over_at == 201.0  # it is due at once
    assert rests(rest, 204.0, 3) == [1, 1, 1]


def test_a_change_during_a_round_counts_after_it():
    rest = Rest(PACE, 0.0)
    rests(rest, 100.0, 10)
    rest.begins()
    rest.changed(200.0)
    rest.ends(201.0, worked=False)
    assert rest.over_at == 202.0


def test_changes_of_others_end_a_rest_sooner_and_once():
    rest = Rest(PACE, 0.0)
    rests(rest, 100.0, 10)
    rest.begins()
    rest.ends(200.0, worked=False)
    rest.others_changed()
    assert rest.over_at == 203.0
    assert rests(rest, 203.0, 2) == [10, 10]


def test_others_say_nothing_to_a_loop_that_does_not_ask():
    rest = Rest(Pace(quick=1.0, slow=10.0, lasting=0.0), 0.0)
    rests(rest, 0.0, 10)
    due = rest.over_at
    rest.others_changed()
    assert rest.over_at == due


def test_a_steady_loop_always_rests_as_long():
    assert rests(Rest(steady(7.0), 0.0), 0.0, 3) == [7, 7, 7]


@pytest.mark.parametrize(("quick", "other", "slow"), [(0, None, 1), (2, None, 1), (2, 1, 3), (1, 4, 3)])
def test_a_pace_that_is_none(quick: float, other: float | None, slow: float):
    with pytest.raises(ValueError, match="cannot rest"):
        Pace(quick=quick, other=other, slow=slow)
