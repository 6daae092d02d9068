"""`./dev bench isolation` compares each phase with the idle one of its own run, and says which promise it missed."""

import json

import pytest

from bench import isolation
from bench.isolation import Options, Result

OPTIONS = Options(backlog=1, held=1, seconds=1.0, rounds=1, json=False)


def result(spread: int = 0, **p99: float) -> Result:
    found = Result(OPTIONS, "PostgreSQL", spread=spread, snapshots=1)
    for phase in ("idle", *isolation.TARGETS):
        slowest = p99.get(phase, 20.0)
        found.add(phase, {class_: [10.0] * 97 + [slowest] * 3 for class_ in isolation.CLASSES.values()})
    return found


def test_a_phase_as_quick_as_the_idle_one_is_a_ratio_of_one_and_no_miss():
    assert result().ratio("slow") == 1.0
    assert result().misses == []
    assert "MISSED" not in isolation.table(result())


@pytest.mark.parametrize(("phase", "p99"), [("backlog", 25.0), ("slow", 31.0), ("held", 25.0)])
def test_a_phase_beyond_its_target_is_named(phase: str, p99: float):
    found = result(0, **{phase: p99})
    assert found.misses == [phase]
    assert isolation.table(found).count("MISSED") == 1
    assert json.loads(isolation.json_line(found))["misses"] == [phase]


def test_a_spread_of_more_than_one_mail_is_a_miss():
    assert result(spread=1).misses == []
    assert result(spread=2).misses == ["spread"]


def test_the_short_form_is_small():
    assert isolation.parse(["--short"]).backlog == 5_000
    assert isolation.parse([]).backlog == 300_000
