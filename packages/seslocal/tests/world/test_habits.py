"""The files on people: every number in them is read, and what does not fit together is named."""

import pytest

from seslocal.world import parameters
from seslocal.world.addresses import Addresses
from seslocal.world.habits import habits
from seslocal.world.parameters import Parameters, WrongParameter
from seslocal.world.people import QUALITIES, mix
from seslocal.world.providers import PROVIDERS


def test_every_number_of_the_files_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    number, numbers = Parameters.number, Parameters.numbers

    def note_number(self: Parameters, name: str) -> float:
        asked.add(name)
        return number(self, name)

    def note_numbers(self: Parameters, name: str) -> tuple[float, ...]:
        asked.add(name)
        return numbers(self, name)

    monkeypatch.setattr(Parameters, "number", note_number)
    monkeypatch.setattr(Parameters, "numbers", note_numbers)
    habits.__wrapped__()
    for quality in QUALITIES:
        mix(quality)
    Addresses("consumers")
    Addresses("businesses")
    for file in ("people", "reactions", "addresses"):
        assert set(parameters.read(file).by_name) - asked == set()


def test_the_people_of_each_provider_have_programs() -> None:
    assert set(habits().programs) == set(PROVIDERS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("programs.gmx.browser", "the shares of programs.gmx do not add up to 1"),
        ("times.reads.shares", "The shares of a curve rise from 0 to 1"),
        ("stale.complains", "reactions: stale.complains needs three numbers and has 4"),
    ],
)
def test_numbers_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    number, numbers = Parameters.number, Parameters.numbers
    monkeypatch.setattr(Parameters, "number", lambda self, one: number(self, one) + (one == name))
    monkeypatch.setattr(
        Parameters,
        "numbers",
        lambda self, one: (*numbers(self, one), 2.0) if one == name else numbers(self, one),
    )
    with pytest.raises(WrongParameter, match=said):
        habits.__wrapped__()
