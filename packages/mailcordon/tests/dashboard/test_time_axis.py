"""The axis of the charts over time."""

import pytest

from mailcordon.adapters.dashboard.time_axis import Axis, By

AT = 1_795_879_380  # 28 Nov 2026 15:23:00 UTC
DAY = 86_400


def test_it_has_whole_steps_and_contains_both_ends() -> None:
    axis = Axis.around(AT + 5, AT + 65, "minute")
    assert (axis.start, axis.end) == (AT, AT + 120)
    assert list(axis.starts) == [AT, AT + 60]
    assert axis.steps == 2
    assert Axis.around(AT, AT, "minute").steps == 1, "there is always a step"
    days = Axis.around(AT, AT + DAY, "day")
    assert (days.start % DAY, days.steps) == (0, 2)


def test_a_moment_lies_between_the_edges_as_far_as_time_has_gone() -> None:
    axis = Axis.around(AT, AT + 600, "minute")
    assert [axis.share(AT + at) for at in (0, 150, 600)] == pytest.approx([0, 0.25, 1])  # pyright: ignore[reportUnknownMemberType]


def test_labels_are_as_exact_as_the_steps() -> None:
    labels: dict[By, str] = {"minute": "15:23", "hour": "28 Nov 15:23", "day": "28 Nov"}
    for by, label in labels.items():
        assert Axis(by=by, start=0, end=DAY).label(AT) == label


def test_a_line_of_the_metrics_says_when_its_step_begins() -> None:
    assert Axis.around(AT, AT, "minute").at({"minute": "2026-11-28T15:23:00.000Z"}) == AT
