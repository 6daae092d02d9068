"""Mail and harm over time, as a picture that needs no script. Pure: counts by minute, hour or day go in, shapes come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.adapters.dashboard.time_axis import Axis, By

WIDTH, LEFT, RIGHT = 1000, 46, 14
TOP, PANEL, GAP, BOTTOM = 68, 130, 26, 24
_LEAST_MARGIN, _MOST_MINUTES, _MOST_HOURS = 600, 6 * 3_600, 14 * 86_400  #: seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    at: int  #: seconds since 1970
    sent: int
    bad: int


@dataclass(frozen=True, slots=True)
class Mark:
    name: str
    at: int


def frame(since: float, until: float) -> Axis:
    """Around an incident, with a margin before and after it."""
    margin = max(_LEAST_MARGIN, (until - since) / 4)
    start, end = since - margin, until + margin
    by: By = "minute" if end - start <= _MOST_MINUTES else "hour" if end - start <= _MOST_HOURS else "day"
    return Axis.around(start, end, by)


def points(items: Sequence[Mapping[str, Any]], of: Axis) -> list[Point]:
    """One for each step, from the lines of GET /v1/metrics by this step. Harm: hard bounces and complaints."""
    found = {of.at(item): item for item in items}
    made: list[Point] = []
    for at in of.starts:
        item = found.get(at)
        made.append(
            Point(at=at, sent=0, bad=0)
            if item is None
            else Point(at=at, sent=item["sent"], bad=item["hard_bounced"] + item["complained"])
        )
    return made


def picture(series: Sequence[Point], marks: Sequence[Mark], of: Axis) -> dict[str, Any]:
    """For the template incidents/chart.html."""
    inner = WIDTH - LEFT - RIGHT

    def x(at: float) -> float:
        return round(LEFT + of.share(at) * inner, 1)

    bar = max(0.8, round(inner / max(1, of.steps) - 0.6, 2))
    panels: list[dict[str, Any]] = []
    for place, (name, values) in enumerate(
        (
            ("Mails sent", [one.sent for one in series]),
            ("Hard bounces and complaints", [one.bad for one in series]),
        )
    ):
        top = TOP + place * (PANEL + GAP)
        most = max(values, default=0)
        scale = nice(most)
        panels.append(
            {
                "name": name,
                "top": top,
                "bottom": top + PANEL,
                "total": sum(values),
                "lines": [
                    {"y": round(top + PANEL - PANEL * share, 1), "value": scale * share} for share in (0.5, 1)
                ],
                "bars": [
                    {
                        "x": x(one.at),
                        "y": round(top + PANEL - PANEL * value / scale, 1),
                        "height": round(PANEL * value / scale, 1),
                        "value": value,
                        "at": of.label(one.at),
                    }
                    for one, value in zip(series, values, strict=True)
                    if value
                ],
            }
        )
    ticks = [of.start + (of.end - of.start) * place / 5 for place in range(6)]
    return {
        "width": WIDTH,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "height": TOP + 2 * PANEL + GAP + BOTTOM,
        "top": TOP,
        "bottom": TOP + 2 * PANEL + GAP,
        "bar": bar,
        "panels": panels,
        "ticks": [{"x": x(at), "label": of.label(at)} for at in ticks],
        "marks": [
            {"name": one.name, "x": x(one.at), "y": 12 + 14 * place, "is_right": x(one.at) > WIDTH * 0.8}
            for place, one in enumerate(marks)
            if of.start <= one.at <= of.end
        ],
        "by": of.by,
    }


def nice(most: int) -> int:
    """The end of an axis: the next even number of 1, 2 or 5 with zeros; 2 at least."""
    size = 1
    while True:
        for factor in (2, 4, 10):
            if factor * size >= most:
                return factor * size
        size *= 10
