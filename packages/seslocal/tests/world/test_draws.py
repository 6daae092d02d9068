"""Chance: equal arguments give equal numbers, and no number is 1."""

from __future__ import annotations

import pytest

from seslocal.world import draws
from seslocal.world.draws import Draws


def test_equal_arguments_give_equal_numbers() -> None:
    assert Draws(7).four("retry", "a") == Draws(7).four("retry", "a")
    assert len({Draws(7).four("retry", "a"), Draws(8).four("retry", "a"), Draws(7).four("other", "a")}) == 3


class _Highest:
    """A hash whose bits are all set."""

    def copy(self) -> _Highest:
        return self

    def update(self, data: bytes) -> None:
        pass

    def digest(self) -> bytes:
        return b"\xff" * 32


def test_the_highest_number_is_below_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def highest(data: bytes, **_: object) -> _Highest:
        return _Highest()

    monkeypatch.setattr(draws, "blake2b", highest)
    assert max(Draws(1).four("retry", "a")) < 1


def test_half_a_character_is_a_text_like_any_other() -> None:
    assert Draws(1).four("retry", "\ud800") != Draws(1).four("retry", "\ud801")
