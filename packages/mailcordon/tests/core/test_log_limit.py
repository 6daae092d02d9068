"""A cause that repeats is logged once a minute, with a count."""

from mailcordon.core.log_limit import EVERY, MOST_CAUSES, LogLimit


def test_a_cause_is_logged_once_a_minute_with_the_number_since() -> None:
    now = 0.0
    limit = LogLimit(lambda: now)
    assert [limit.count("x") for _ in range(3)] == [1, None, None]
    assert limit.count("y") == 1
    now = EVERY
    assert [limit.count("x") for _ in range(2)] == [3, None]


def test_the_causes_remembered_are_bounded() -> None:
    limit = LogLimit(lambda: 0.0)
    assert all(limit.count(n) == 1 for n in range(MOST_CAUSES + 1))
    assert limit.count(MOST_CAUSES) is None
    assert limit.count(0) == 1
