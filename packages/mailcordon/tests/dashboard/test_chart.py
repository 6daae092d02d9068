"""The chart of an incident: what it counts, and where things lie on it."""

from mailcordon.adapters.dashboard import chart
from mailcordon.adapters.dashboard.chart import Mark, Point
from mailcordon.adapters.dashboard.time_axis import Axis

AT = 1_795_879_380  # 28 Nov 2026 15:23:00 UTC


def test_the_frame_has_a_margin_and_whole_steps() -> None:
    short = chart.frame(AT + 5, AT + 65)
    assert short.by == "minute"
    assert (short.start % 60, short.end % 60) == (0, 0)
    assert short.start <= AT + 5 - 600
    assert short.end >= AT + 65 + 600
    assert chart.frame(AT, AT + 86_400).by == "hour"
    assert chart.frame(AT, AT + 86_400 * 30).by == "day"
    for days in (0.001, 0.1, 0.24, 1, 7, 9, 30):  # what GET /v1/metrics takes by minute and by hour
        found = chart.frame(AT, AT + 86_400 * days)
        assert found.steps <= 1_000
        assert found.by != "minute" or found.end - found.start <= 86_400
        assert found.by != "hour" or found.end - found.start <= 31 * 86_400


def test_a_step_without_mail_is_a_point_of_zero() -> None:
    of = Axis(by="minute", start=AT, end=AT + 180)
    items = [{"minute": "2026-11-28T15:24:00.000Z", "sent": 40, "hard_bounced": 3, "complained": 1}]
    assert chart.points(items, of) == [
        Point(at=AT, sent=0, bad=0),
        Point(at=AT + 60, sent=40, bad=4),
        Point(at=AT + 120, sent=0, bad=0),
    ]


def test_the_picture_has_a_bar_for_each_step_with_mail_and_marks_at_their_times() -> None:
    of = Axis(by="minute", start=AT, end=AT + 600)
    series = [Point(at=AT + 60 * n, sent=10 * n, bad=n % 2) for n in range(10)]
    found = chart.picture(series, [Mark("onset", AT + 300), Mark("mitigated", AT + 9_999)], of)
    sent, bad = found["panels"]
    assert (len(sent["bars"]), len(bad["bars"])) == (9, 5)
    assert (sent["total"], bad["total"]) == (450, 5)
    assert [mark["name"] for mark in found["marks"]] == ["onset"], "the other is outside"
    middle = (found["left"] + found["right"]) / 2
    assert abs(found["marks"][0]["x"] - middle) < 1
    for panel in found["panels"]:
        for bar in panel["bars"]:
            assert panel["top"] <= bar["y"] < panel["bottom"]
            assert found["left"] <= bar["x"] < found["right"]
    tallest = max(bar["height"] for bar in sent["bars"])
    assert tallest == sent["bars"][-1]["height"]


def test_axes_end_at_round_numbers() -> None:
    assert [chart.nice(most) for most in (0, 1, 3, 7, 11, 270, 999, 1_000_000)] == [
        2,
        2,
        4,
        10,
        20,
        400,
        1_000,
        1_000_000,
    ]
