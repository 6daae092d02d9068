"""Scenarios: a list of steps from a TOML or JSON file or an admin call. A step has a time `at`, in seconds of the clock
from the start, and is a fault with its members or an admin call. The whole scenario is checked before its first step runs.
A step that fails later, because something does not exist, is logged and keeps its error as outcome."""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Refused
from seslocal.clock import Clock
from seslocal.state.scenario import Step

log = logging.getLogger("seslocal")

#: (method, path below the prefix, body) -> response; raises Refused
Perform = Callable[[str, str, Json], Any]
_METHODS: Final = ("GET", "PUT", "POST", "DELETE")
_FOREVER: Final = 1e9  # seconds


def load(path: Path) -> tuple[Json, ...]:
    """Returns the steps in a file, unchecked. Raises Refused with a sentence that names the file."""
    try:
        text = path.read_text(encoding="utf-8")
        found: object = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise Refused(400, messages.scenario_unreadable(str(path), error.strerror)) from None
    except ValueError as error:
        raise Refused(400, messages.scenario_malformed(str(path), str(error))) from None
    if isinstance(found, dict):
        # TOML has no list at the top level: a scenario is written as [[step]].
        found = cast("dict[str, object]", found).get("step")
    if not isinstance(found, list):
        raise Refused(400, messages.scenario_without_steps(str(path)))
    return tuple(cast("list[Json]", found))


def read(given: object, check: Callable[[str, str, Json], None]) -> list[Step]:
    """Returns the checked steps of a scenario. Raises Refused with the step's number, from 1."""
    if not isinstance(given, (list, tuple)):
        raise Refused(400, messages.must_be("steps", "a list"))
    steps: list[Step] = []
    for number, each in enumerate(cast("list[object]", given), 1):
        try:
            if not isinstance(each, dict):
                raise Refused(400, messages.must_be("A step", "an object with at, and fault or call"))
            step = _step(cast(Json, each))
            check(step.method, step.path, step.body)
        except Refused as refused:
            raise Refused(400, messages.in_step(number, str(refused))) from None
        steps.append(step)
    return steps


def start(steps: list[Step], clock: Clock, perform: Perform) -> None:
    """Runs the steps that are due immediately, and schedules the others."""
    for step in sorted(steps, key=lambda step: step.at):
        if step.at <= 0:
            _run_step(step, perform)
        else:
            clock.call_later(step.at, partial(_run_step, step, perform))


def _run_step(step: Step, perform: Perform) -> None:
    try:
        perform(step.method, step.path, dict(step.body))
        step.outcome = "done"
    except Refused as refused:
        step.outcome = str(refused)
        log.warning("scenario, %g seconds in: %s %s: %s", step.at, step.method, step.path, refused)


def _step(given: Json) -> Step:
    at = fields.number(given, "at", 0.0, 0.0, _FOREVER)
    rest = {name: value for name, value in given.items() if name != "at"}
    if "fault" in rest:
        return Step(at, "POST", "/faults", rest)
    fields.allow_only(rest, "call", "body")
    call = fields.text(rest, "call") or ""
    method, _, path = call.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        raise Refused(400, messages.step_needs_fault_or_call())
    body: object = rest.get("body", {})
    if not isinstance(body, dict):
        raise Refused(400, messages.must_be("body", "an object"))
    return Step(at, method, path, cast(Json, body))
