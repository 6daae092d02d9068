"""The JSON Schema in docs is that of the classes."""

from __future__ import annotations

from pathlib import Path

from seslocal.fleets import schema

PAGE = Path(__file__).parents[2] / "docs" / "world.schema.json"


def test_the_committed_schema_is_current() -> None:
    assert PAGE.read_text() == schema.text(), (
        "run `seslocal world schema > packages/seslocal/docs/world.schema.json`"
    )


def test_every_member_is_strict() -> None:
    for name, each in schema.schema()["$defs"].items():
        assert each.get("additionalProperties", False) is False, name
