"""Settings that would make no world are refused by whoever decodes them."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import msgspec
import pytest

from seslocal.world.settings import WorldSettings


def weather(**other: float) -> dict[str, Any]:
    return {"weather": [{"provider": "gmail", "start": 0.0, "seconds": 60.0, **other}]}


def rule(**other: float) -> dict[str, Any]:
    return {"rules": [{"provider": "gmail", "start": 0.0, "kind": "needs_dkim", **other}]}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"seed": 2**63}, "seed"),
        ({"known": -1}, "known"),
        ({"lists": [{"name": "spring.one"}]}, "name"),
        ({"lists": [{"name": ""}]}, "name"),
        ({"lists": [{"name": "spring"}, {"name": "Spring"}]}, "The list spring is given twice"),
        (weather(start=nan), "start"),
        (weather(seconds=-1.0), "seconds"),
        (weather(seconds=inf), "seconds"),
        (weather(defers=1.1), "defers"),
        (weather(defers=nan), "defers"),
        (weather(slower=0.5), "slower"),
        (rule(start=-inf), "start"),
        (rule(refuses=-0.1), "refuses"),
        ({"weather": weather()["weather"] * 1_001}, "weather"),
        ({"rules": rule()["rules"] * 1_001}, "rules"),
        ({"lists": [{"name": f"list-{number}"} for number in range(100_001)]}, "lists"),
        ({"cold": ["a.example"] * 100_001}, "cold"),
        ({"cold": [""]}, "cold"),
        ({"shared": ["pool"] * 1_001}, "shared"),
    ],
)
def test_what_makes_no_world_is_refused(given: dict[str, Any], where: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=where):
        msgspec.convert(given, WorldSettings)


@pytest.mark.parametrize("given", [{}, weather(defers=1.0, slower=1.0), rule(start=-60.0), {"known": 0}])
def test_bounds_are_allowed(given: dict[str, Any]) -> None:
    settings = msgspec.convert(given, WorldSettings)
    assert msgspec.convert(msgspec.to_builtins(settings), WorldSettings) == settings
