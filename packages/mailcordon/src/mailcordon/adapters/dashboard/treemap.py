"""A treemap: rectangles whose areas are as given, as square as possible (Bruls, Huizing and van Wijk, 2000). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    x: float
    y: float
    width: float
    height: float


def squarified(weights: Sequence[float], width: float, height: float) -> list[Cell]:
    """A cell for each weight, in their order. Weights are above 0."""
    total = sum(weights)
    if total <= 0:
        return []
    order = sorted(range(len(weights)), key=lambda place: -weights[place])
    areas = [weights[place] * width * height / total for place in order]
    found: dict[int, Cell] = {}
    x = y = 0.0
    start = 0
    while start < len(areas):
        side = min(width - x, height - y)
        end = _row_end(areas, start, side)
        row = areas[start:end]
        thick = sum(row) / side if side > 0 else 0.0
        along = 0.0
        is_column = width - x >= height - y
        for place, area in zip(order[start:end], row, strict=True):
            long = area / thick if thick > 0 else 0.0
            found[place] = Cell(x, y + along, thick, long) if is_column else Cell(x + along, y, long, thick)
            along += long
        if is_column:
            x += thick
        else:
            y += thick
        start = end
    return [found[place] for place in range(len(weights))]


def _row_end(areas: Sequence[float], start: int, side: float) -> int:
    """Where the row that begins at `start` ends: before its worst cell would get less square."""
    end, total = start + 1, areas[start]
    worst = _worst(areas[start], areas[start], total, side)
    while end < len(areas):
        wider = _worst(areas[start], areas[end], total + areas[end], side)
        if wider > worst:
            break
        worst, total, end = wider, total + areas[end], end + 1
    return end


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """The longest side of a row's worst cell, in its shorter ones."""
    if total <= 0 or side <= 0 or smallest <= 0:
        return float("inf")
    return max(side * side * largest / (total * total), total * total / (side * side * smallest))
