from mailcordon.core.histogram import Histogram


def test_a_value_counts_up_to_the_first_bound_that_is_not_below_it() -> None:
    histogram = Histogram((1.0, 2.5))
    for value in (0.2, 1.0, 1.1, 2.5, 9.0):
        histogram.add(value)
    assert histogram.cumulative() == [(1.0, 2), (2.5, 4), (float("inf"), 5)]
    assert round(histogram.sum, 9) == 13.8


def test_a_negative_duration_of_two_clocks_counts_as_none() -> None:
    histogram = Histogram((1.0,))
    histogram.add(-5.0)
    assert histogram.cumulative() == [(1.0, 1), (float("inf"), 1)]
    assert histogram.sum == 0
