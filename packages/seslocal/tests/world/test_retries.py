"""When a sender tries again."""

from itertools import accumulate

from seslocal.world import retries


def test_pauses_grow_to_the_last_one_and_stay_there() -> None:
    pauses = [retries.pause(number, 0.5) for number in range(1, 9)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 340
    assert pauses[4:] == [3600] * 4


def test_chance_makes_a_pause_up_to_a_fifth_shorter_or_longer() -> None:
    assert round(retries.pause(1, 0.0), 6) == 272
    assert round(retries.pause(1, 1.0), 6) == 408


def test_the_least_time_before_an_attempt_is_the_sum_of_the_shortest_pauses() -> None:
    shortest = [0.0, *accumulate(retries.pause(number, 0.0) for number in range(1, 12))]
    assert [round(retries.least(number), 6) for number in range(1, 13)] == [round(one, 6) for one in shortest]
    assert retries.least(1) == 0
