"""The numbers of the world: each has a unit and a source or a reason, and each is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import seslocal.world
from seslocal.world import measures, parameters
from seslocal.world.measures import Measures, measures_of
from seslocal.world.opinion import LISTS
from seslocal.world.parameters import Parameters, WrongParameter
from seslocal.world.providers import PROVIDERS

SOURCES = Path(seslocal.world.__file__).parent
GOOD = {"value": 3, "unit": "mails", "because": "it is enough"}


@pytest.mark.parametrize("file", parameters.files())
def test_each_parameter_has_a_unit_and_a_source_or_a_reason(file: str) -> None:
    for one in parameters.read(file).by_name.values():
        assert one.unit, one.name
        assert bool(one.source) != bool(one.because), one.name


@pytest.mark.parametrize("provider", [*PROVIDERS, LISTS])
def test_each_number_of_a_judge_is_used_and_has_a_default(provider: str) -> None:
    measures_of.cache_clear()
    judge, common = parameters.read(provider), parameters.read("reputation")
    judge.asked.clear()
    common.asked.clear()
    measures_of(provider)
    assert set(judge.by_name) - judge.asked == set(), "a name that nothing asks for"
    assert set(judge.by_name) - set(common.by_name) == set()
    assert set(common.by_name) == common.asked | judge.asked


def test_each_measure_is_used_to_judge() -> None:
    judging = "".join(
        (SOURCES / f"{name}.py").read_text() for name in ("opinion", "standing", "decision", "world")
    )
    used = set(re.findall(r"(?:measures|of_lists)\.([a-z_]+)", judging))
    assert set(Measures.__struct_fields__) - used == set()


@pytest.mark.parametrize("provider", list(PROVIDERS))
def test_weights_add_up(provider: str) -> None:
    found = measures_of(provider)
    assert sum(found.weights) == pytest.approx(1)
    assert sum(found.shared_weights) == pytest.approx(1)
    assert found.shared_weights[1] <= found.weights[1]
    assert found.remembers == 3 * found.forgets, "the law of recovery in the docs says so"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": 3}, "f: a stands alone; write [a] with value, unit, and source or because."),
        ({"a": {"b": 3}}, "f: a.b stands alone; write [a.b] with value, unit, and source or because."),
        ({"a": {**GOOD, "note": "x"}}, "f: a has the unknown member note."),
        ({"a": {**GOOD, "source": "RFC"}}, "f: a needs a unit, and either a source or because."),
        ({"a": {**GOOD, "because": ""}}, "f: a needs a unit, and either a source or because."),
        ({"a": {"value": 3, "source": "RFC"}}, "f: a needs a unit, and either a source or because."),
    ],
)
def test_a_parameter_that_is_not_described_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongParameter) as raised:
        Parameters("f", given)
    assert str(raised.value) == said


def test_numbers_and_lists() -> None:
    found = Parameters("f", {"a": {"b": GOOD, "c": {**GOOD, "value": [1, 2]}}})
    assert found.number("a.b") == 3.0
    assert found.numbers("a.b") == (3.0,)
    assert found.numbers("a.c") == (1.0, 2.0)
    with pytest.raises(WrongParameter, match=r"f: a.c is a list, and one number is needed."):
        found.number("a.c")
    with pytest.raises(WrongParameter, match=r"f: x is missing."):
        found.number("x")
    assert found.asked == {"a.b", "a.c"}


def test_counted_things_have_their_indexes() -> None:
    for index, name in enumerate(measures.COUNTED):
        assert getattr(measures, name.upper()) == index
