"""`./dev bench send --limits` says "within 5 %" only when its whole interval is."""

import json
import random

import pytest

from bench.limits_report import Block, Result, estimate, json_line, table


def block(more: float, *, base: float = 400.0, upkeep: float = 0.0) -> Block:
    off = {"api": base / 2, "dispatch": base / 4, "postgres:claim": base / 4}
    on = off | {"dispatch": base / 4 + more / 2, "postgres:claim": base / 4 + more / 2}
    return Block(on=on | {"postgres:checkpointer": upkeep}, off=off)


def result(*mores: float, **over: float) -> Result:
    return Result(blocks=[block(more, **over) for more in mores], limits=144, others=0.0)


def test_the_verdict_needs_the_whole_interval_on_one_side_and_enough_blocks() -> None:
    steady = [12.0, 12.4, 11.6, 12.1, 11.9, 12.2, 11.8, 12.0]
    assert result(*steady).verdict == "within 5%"
    assert result(*[more + 20 for more in steady]).verdict == "MORE than 5%"
    assert result(*steady[:7]).verdict.startswith("no verdict: it takes at least")
    wide = [-40.0, 60.0, 10.0, -20.0, 40.0, 15.0, 30.0, -10.0]
    assert result(*wide).verdict.startswith("no verdict: the interval")
    assert not result(*wide).precise
    assert result(*steady).precise


def test_a_burst_in_one_block_moves_the_ratio_little() -> None:
    steady = [12.0] * 19
    assert result(*steady, 400.0).all.middle == pytest.approx(1.03)


def test_upkeep_is_shown_and_not_in_the_ratio() -> None:
    bursts = result(*[12.0] * 8, upkeep=90.0)
    assert bursts.all.middle == pytest.approx(1.03)
    [line] = [line for line in table(bursts).splitlines() if line.startswith("postgres:checkpointer")]
    assert "90.0" in line
    assert "not in the ratio" in line
    assert json.loads(json_line(bursts))["verdict"] == "within 5%"


def test_the_standard_error_is_that_of_many_such_runs() -> None:
    chance = random.Random(5)
    runs = [estimate([chance.gauss(1.03, 0.08) for _ in range(40)]) for _ in range(400)]
    spread = (sum((one.middle - 1.03) ** 2 for one in runs) / len(runs)) ** 0.5
    assert sum(one.error for one in runs) / len(runs) == pytest.approx(spread, rel=0.1)
    assert 0.92 < sum(one.low < 1.03 < one.high for one in runs) / len(runs) < 0.98
