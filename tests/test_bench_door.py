"""`./dev bench door` compares each hostile caller with the same load at a dummy server, and says which promise was missed."""

import json

import pytest

from bench import door, hostile
from bench.door import Options, Result

OPTIONS = Options(seconds=1.0, rounds=1, hostile=tuple(door.NAMES), checkout=None, json=False)


def result(**p99: float) -> Result:
    """`large_read=100.0`: the p99 of the bystander's reads beside `large`. All others are 40 ms."""
    found = Result(OPTIONS, "PostgreSQL")
    for kind in ("idle", *door.NAMES):
        for phase in {kind, kind if kind == "idle" else f"dummy {kind}"}:
            slowest = {probe: p99.get(f"{phase}_{probe}", 40.0) for probe in door.PROBES}
            found.add(phase, {probe: [10.0] * 97 + [slowest[probe]] * 3 for probe in door.PROBES})
    return found


def test_a_caller_that_costs_what_its_load_costs_is_no_miss():
    assert result().misses == []
    assert result(large_accept=80.0).misses == []
    assert "MISSED" not in door.table(result())


@pytest.mark.parametrize("kind", door.NAMES)
@pytest.mark.parametrize("probe", door.PROBES)
def test_a_caller_that_costs_more_than_twice_as_much_is_named(kind: str, probe: str):
    found = result(**{f"{kind}_{probe}": 81.0})
    assert found.misses == [f"{kind} {probe}"]
    assert door.table(found).count("MISSED") == 1
    assert json.loads(door.json_line(found))["misses"] == [f"{kind} {probe}"]


def test_every_hostile_caller_has_a_name_and_the_short_form_is_short():
    assert set(door.NAMES) == set(hostile.KINDS)
    assert door.parse(["--short"]).rounds == 1
    assert door.parse([]).hostile == tuple(door.NAMES)
