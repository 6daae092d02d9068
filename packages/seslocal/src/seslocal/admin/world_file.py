"""Reads the file of `--world`: the settings of a world, as PUT /_seslocal/world takes them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import cast

from seslocal.admin import messages, scenario, world_calls
from seslocal.admin.fields import Json, Refused
from seslocal.clock import Clock
from seslocal.state.account import Account
from seslocal.state.settings import Settings


def steps(scenario_file: Path | None, file: Path | None) -> tuple[Json, ...]:
    """Returns the steps of the file of `--scenario`, after the one that makes the world of `--world`. Raises Refused."""
    first = (load(file),) if file is not None else ()
    return first + (scenario.load(scenario_file) if scenario_file is not None else ())


def load(path: Path) -> Json:
    """Returns the settings in a TOML or JSON file, as a step of a scenario that makes the world. Raises Refused with a sentence
    that names the file."""
    try:
        text = path.read_text(encoding="utf-8")
        found: object = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise Refused(400, messages.world_file_unreadable(str(path), error.strerror or str(error))) from None
    except ValueError as error:
        raise Refused(400, messages.world_file_malformed(str(path), str(error))) from None
    if not isinstance(found, dict):
        raise Refused(400, messages.world_file_refused(str(path), messages.must_be("The file", "an object")))
    body = cast(Json, found)
    try:
        world_calls.put(Account(Settings(), Clock(0.0, 0)), {}, body)
    except Refused as refused:
        raise Refused(400, messages.world_file_refused(str(path), str(refused))) from None
    return {"call": "PUT /world", "body": body}
