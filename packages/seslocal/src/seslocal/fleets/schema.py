"""The JSON Schema of scenario files, for editors that check TOML while one types."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from seslocal.fleets.scenario import Scenario


def schema() -> dict[str, Any]:
    """Returns the schema (draft 2020-12)."""
    made = msgspec.json.schema(Scenario)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of seslocal's world",
        **made,
    }


def text() -> str:
    """Returns docs/world.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
