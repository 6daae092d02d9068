"""Charts over time as SVG, which can be read without JavaScript. The numbers are the API's; this says where they are drawn.

A chart is drawn in a box of 1000 by 100, and the page stretches it. So its words are beside it, as text.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mailcordon.adapters.dashboard import formats
from mailcordon.adapters.dashboard.time_axis import Axis

WIDTH, HEIGHT = 1000.0, 100.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    kind: str  #: the class of its mark: `sent`, `bounces`, `complaints`
    values: Sequence[float | None]  #: one for each time; None: nothing is known


@dataclass(frozen=True, slots=True)
class Level:
    """A value that is drawn across the chart."""

    name: str
    kind: str  #: `usual` or `most`
    value: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the template `lanes/chart.html` draws."""

    label: str
    bars: Sequence[Mapping[str, Any]] = ()
    lines: Sequence[Mapping[str, Any]] = ()
    levels: Sequence[Mapping[str, Any]] = ()
    top: str = ""  #: the value at the upper edge
    ticks: Sequence[Mapping[str, Any]] = ()
    table: Sequence[Sequence[str]] = ()
    heads: Sequence[str] = ()
    data: str = ""  #: the numbers as JSON, for the chart that zooms
    empty: bool = False
    parts: Mapping[str, str] = field(default_factory=dict[str, str])


def bars(label: str, axis: Axis, series: Series) -> Drawn:
    """Amounts, as bars."""
    most = _ceiling(max((value or 0.0 for value in series.values), default=0.0))
    width = WIDTH / axis.steps
    drawn = [
        {
            "x": round(axis.share(start) * WIDTH + width * 0.1, 2),
            "width": round(width * 0.8, 2),
            "y": round(HEIGHT * (1 - value / most), 2),
            "height": round(HEIGHT * value / most, 2),
            "title": f"{axis.label(start)}: {formats.number(value)}",
        }
        for start, value in zip(axis.starts, series.values, strict=True)
        if value
    ]
    rows = [
        (axis.label(start), formats.number(value))
        for start, value in zip(axis.starts, series.values, strict=True)
        if value
    ]
    return Drawn(
        label,
        bars=drawn,
        top=formats.short(most),
        ticks=_ticks(axis),
        table=rows,
        heads=("from", series.name),
        data=_json(axis, [series], "number"),
        empty=not drawn,
    )


def shares(label: str, axis: Axis, series: Sequence[Series], levels: Sequence[Level]) -> Drawn:
    """Shares between 0 and 1, as lines."""
    known = [value for one in series for value in one.values if value is not None]
    most = _ceiling(max([*known, *(level.value for level in levels)], default=0.0), least=0.001)
    lines = [
        {
            "name": one.name,
            "kind": one.kind,
            "paths": _paths(axis, one.values, most),
            "dots": _dots(axis, one, most),
        }
        for one in series
    ]
    rows = [
        (axis.label(start), *(formats.percent(one.values[place]) for one in series))
        for place, start in enumerate(axis.starts)
        if any(one.values[place] is not None for one in series)
    ]
    return Drawn(
        label,
        lines=lines,
        levels=[
            {"name": level.name, "kind": level.kind, "y": round(HEIGHT * (1 - level.value / most), 2)}
            for level in levels
        ],
        top=formats.percent(most, 1 if most < 0.1 else 0),
        ticks=_ticks(axis),
        table=rows,
        heads=("from", *(one.name for one in series)),
        data=_json(axis, series, "share"),
        empty=not known,
    )


def _ceiling(value: float, least: float = 1.0) -> float:
    """The next round number."""
    value = max(value, least)
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in _STEPS if step * size >= value * 0.999999)


def _middle(start: float, axis: Axis) -> float:
    return round(axis.share(start + axis.step / 2) * WIDTH, 2)


def _paths(axis: Axis, values: Sequence[float | None], most: float) -> list[str]:
    """The line's parts: it is broken where nothing is known."""
    found: list[list[str]] = [[]]
    for start, value in zip(axis.starts, values, strict=True):
        if value is None:
            if found[-1]:
                found.append([])
        else:
            found[-1].append(f"{_middle(start, axis)},{round(HEIGHT * (1 - value / most), 2)}")
    return [" ".join(points) for points in found if len(points) > 1]


def _dots(axis: Axis, series: Series, most: float) -> list[Mapping[str, Any]]:
    """Values with no neighbour, which a line would not show."""
    values = series.values
    found: list[Mapping[str, Any]] = []
    for place, value in enumerate(values):
        beside = [values[other] for other in (place - 1, place + 1) if 0 <= other < len(values)]
        if value is not None and all(one is None for one in beside):
            start = axis.starts[place]
            x1, x2 = (round(axis.share(at) * WIDTH, 2) for at in (start, start + axis.step))
            found.append({"x1": x1, "x2": x2, "y": round(HEIGHT * (1 - value / most), 2)})
    return found


def _ticks(axis: Axis) -> list[Mapping[str, Any]]:
    starts = axis.starts
    places = sorted({0, len(starts) // 2, len(starts) - 1})
    return [{"words": axis.label(starts[place])} for place in places]


def _json(axis: Axis, series: Sequence[Series], unit: str) -> str:
    return msgspec.json.encode(
        {
            "unit": unit,
            "times": list(axis.starts),
            "series": [{"name": one.name, "kind": one.kind, "values": list(one.values)} for one in series],
        }
    ).decode()
