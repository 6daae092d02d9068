"""Treemaps: areas as given, inside of the whole, none above another."""

import itertools
import math
import random

from mailcordon.adapters.dashboard.treemap import squarified


def test_areas_are_as_given_and_cells_fill_the_whole_without_overlap() -> None:
    draw = random.Random(7)
    for count in (1, 2, 3, 10, 60):
        weights = [draw.paretovariate(1.1) for _ in range(count)]
        cells = squarified(weights, 1200, 300)
        whole = 1200 * 300 / sum(weights)
        for weight, cell in zip(weights, cells, strict=True):
            assert math.isclose(cell.width * cell.height, weight * whole, rel_tol=1e-6)
            assert cell.x >= -1e-6
            assert cell.y >= -1e-6
            assert cell.x + cell.width <= 1200 + 1e-6
            assert cell.y + cell.height <= 300 + 1e-6
        for one, two in itertools.combinations(cells, 2):
            wide = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
            high = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
            assert wide < 1e-6 or high < 1e-6, (one, two)


def test_cells_are_nearly_square_where_weights_are_alike() -> None:
    worst = max(
        max(one.width / one.height, one.height / one.width) for one in squarified([1.0] * 40, 1200, 300)
    )
    assert worst < 2


def test_nothing_has_no_cells() -> None:
    assert squarified([], 1200, 300) == []
