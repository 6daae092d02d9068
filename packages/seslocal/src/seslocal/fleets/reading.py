"""Reads scenario files. What is wrong is said with its line or path, and with what is allowed there."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from seslocal.fleets import messages, tenants
from seslocal.fleets.bounds import MOST_TENANTS
from seslocal.fleets.scenario import LINE, Scenario, Snowshoe, moment_of

SHIPPED: Final = Path(__file__).with_name("shipped")
_MOST_BYTES: Final = 2_000_000  # chosen: a thousand groups and a hundred incidents take half of it
_AT: Final = re.compile(r"^(.*?)(?: - at `(?:key in )?(\$[^`]*)`)?$", re.DOTALL)
_ORDINARY: Final = re.compile(r"users$|c[0-9]+(-[0-9]+)?$")  # names of streams in streams.py
_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")


class WrongScenario(Exception):
    """The message says what is wrong, where, and what is allowed."""


def find(name: str) -> Path:
    """Returns the path of a file, or of a shipped scenario by its name. Raises WrongScenario."""
    path = Path(name)
    if path.suffix or path.exists():
        return path
    shipped = SHIPPED / f"{name}.toml"
    if not shipped.exists():
        raise WrongScenario(messages.no_such_scenario(name, shipped_names()))
    return shipped


def shipped_names() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(path: Path) -> Scenario:
    """Raises WrongScenario."""
    try:
        with path.open("rb") as file:
            given = file.read(_MOST_BYTES + 1)
        text = given.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise WrongScenario(messages.scenario_unreadable(str(path), reason)) from None
    if len(given) > _MOST_BYTES:
        raise WrongScenario(messages.file_too_large(str(path), _MOST_BYTES))
    return read(text, str(path))


def read(text: str, source: str = "the scenario") -> Scenario:
    """Returns the scenario that a TOML text describes. Raises WrongScenario; `source` is what the error calls the text."""
    try:
        given = tomllib.loads(text)
    except ValueError as error:  # also of a number with thousands of digits
        raise WrongScenario(messages.scenario_not_toml(source, str(error))) from None
    except RecursionError:
        raise WrongScenario(messages.scenario_not_toml(source, messages.nested_too_deeply())) from None
    try:
        found = msgspec.convert(given, Scenario)
    except msgspec.ValidationError as error:
        raise WrongScenario(_explain(source, text, given, str(error))) from None
    problem = next(_contradictions(found), None)
    if problem is not None:
        path, sentence = problem
        raise WrongScenario(messages.scenario_wrong(source, _line(text, path), path, sentence))
    return found


def _contradictions(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yields path and sentence of what each member allows by itself, and all of them together do not."""
    count = sum(group.count for group in scenario.groups)
    count += sum(one.count for one in scenario.incidents if isinstance(one, Snowshoe))
    if count > MOST_TENANTS:
        yield "$.groups", messages.too_many_tenants(count, MOST_TENANTS)
        return
    known: set[str] = set()
    groups: set[str] = set()
    for index, group in enumerate(scenario.groups):
        if group.name in groups:
            yield f"$.groups[{index}].name", messages.name_twice(group.name)
        groups.add(group.name)
        found = set(tenants.names(group.name, group.count))
        if both := sorted(found & known):
            yield f"$.groups[{index}].name", messages.name_twice(both[0])
        known |= found
        if group.lists.stale + group.lists.bought > 1:
            yield f"$.groups[{index}].lists", messages.shares_above_one()
    called: set[tuple[str, str]] = set()
    for index, incident in enumerate(scenario.incidents):
        tenant = getattr(incident, "tenant", None)
        if tenant is not None and tenant not in known:
            yield f"$.incidents[{index}].tenant", messages.no_such_tenant(tenant, _examples(known))
        if moment_of(incident.start) >= scenario.days * 86_400:
            yield f"$.incidents[{index}].start", messages.after_the_end(incident.start, scenario.days)
        name = tenants.name_of(incident)
        if tenant is not None:
            if (tenant, name) in called:
                yield f"$.incidents[{index}].name", messages.incident_named_twice(name, tenant)
            if _ORDINARY.match(name):
                yield f"$.incidents[{index}].name", messages.name_reserved(name)
            called.add((tenant, name))
        if isinstance(incident, Snowshoe):
            found = set(tenants.names(name, incident.count))
            if name in groups or found & known:
                yield f"$.incidents[{index}].name", messages.name_twice(name)
            groups.add(name)
            known |= found
    for name in sorted(known):
        owner, _, kind = name.rpartition("-")
        if kind in tenants.KINDS_OF_LISTS and owner in known:
            yield _where(scenario, name), messages.name_of_a_list(name, owner)
    for index, name in enumerate(scenario.culprits):
        if name not in known | groups:
            yield f"$.culprits[{index}]", messages.no_such_tenant(name, _examples(known))
    special = {"all", "others", "culprits", "sharers", "strangers"}
    for index, expectation in enumerate(scenario.expect):
        if expectation.of not in known | groups | special:
            yield f"$.expect[{index}].of", messages.no_such_tenant(expectation.of, _examples(known | special))
        if expectation.at_least is None and expectation.at_most is None:
            yield f"$.expect[{index}]", messages.no_limit()
        for member, limit in (("at_least", expectation.at_least), ("at_most", expectation.at_most)):
            if limit is not None and not math.isfinite(limit):
                yield f"$.expect[{index}].{member}", messages.not_finite(member)
        least, most = expectation.at_least, expectation.at_most
        if least is not None and most is not None and least > most:
            yield f"$.expect[{index}].at_most", messages.limits_crossed(least, most)
        since, until = expectation.since, expectation.until
        if since is not None and moment_of(since) >= scenario.days * 86_400:
            yield f"$.expect[{index}].since", messages.after_the_end(since, scenario.days)
        if since is not None and until is not None and moment_of(until) <= moment_of(since):
            yield f"$.expect[{index}].until", messages.until_before_since(since, until)


def _where(scenario: Scenario, tenant: str) -> str:
    """The path of the group of a tenant, or of the incidents that bring it."""
    for index, group in enumerate(scenario.groups):
        if tenant in tenants.names(group.name, group.count):
            return f"$.groups[{index}].name"
    return "$.incidents"


def _examples(known: set[str]) -> list[str]:
    return sorted(known)[:8]


def _explain(source: str, text: str, given: dict[str, Any], error: str) -> str:
    matched = _AT.match(error)
    assert matched is not None
    sentence, path = matched[1], matched[2] or "$"
    if unknown := re.search(r"unknown field `(.+)`", sentence):
        path, allowed = f"{path}.{unknown[1]}", _members(given, path)
        sentence = messages.unknown_member(unknown[1], allowed)
    elif missing := re.search(r"missing required field `(.+)`", sentence):
        sentence = messages.member_missing(missing[1])
    elif found := re.search(r"Invalid value '(.*)'|Invalid enum value '(.*)'", sentence):
        sentence = messages.not_one_of(found[1] or found[2], _choices(given, path))
    elif pattern := re.search(r"matching regex '(.*)'", sentence):
        sentence = messages.no_match(_FORMS.get(pattern[1].replace("\\\\", "\\"), pattern[1]))
    else:
        sentence = messages.plain(sentence)
    return messages.scenario_wrong(source, _line(text, path), path, sentence)


_FORMS: Final = {
    LINE: "one line without control characters",
    r"^day [1-9][0-9]{0,2} ([01][0-9]|2[0-3]):[0-5][0-9]$": 'a moment such as "day 3 09:30", with days from 1',
    r"^[1-9][0-9]{0,5}[mhd]$": 'a span such as "90m", "6h" or "2d"',
    r"^[a-z][a-z0-9-]{0,39}$": "a name of small letters, digits and hyphens, at most 40, such as shops-1",
    r"^[a-z0-9-]+(\.[a-z0-9-]+)+$": "a domain in small letters, such as shops.example",
}


def _steps(path: str) -> list[str | int]:
    return [name if name else int(index or 0) for name, index in _STEP.findall(path)]


def _type_at(given: Any, path: str) -> inspect.Type:
    """The type of what a path names. Of a union of incidents, the one that the file's `kind` says."""
    found: inspect.Type = inspect.type_info(Scenario)
    value: Any = given
    for step in _steps(path):
        found = _narrow(found, value)
        if isinstance(found, inspect.StructType) and isinstance(step, str):
            found = next(
                (field.type for field in found.fields if field.encode_name == step), inspect.AnyType()
            )
            value = value.get(step) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(found, inspect.VarTupleType) and isinstance(step, int):
            found = found.item_type
            value = value[step] if isinstance(value, list) and step < len(value) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return _narrow(found, value)


def _narrow(found: inspect.Type, value: Any) -> inspect.Type:
    if isinstance(found, inspect.Metadata):
        found = found.type
    if isinstance(found, inspect.UnionType):
        kind: Any = value.get("kind") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        structs = [one for one in found.types if isinstance(one, inspect.StructType)]
        named = [one for one in structs if one.tag == kind] or structs[:1]
        plain = [one for one in found.types if not isinstance(one, (inspect.StructType, inspect.NoneType))]
        found = named[0] if named and (isinstance(value, dict) or not plain) else (plain or [found])[0]
    if isinstance(found, inspect.Metadata):
        found = found.type
    return found


def _members(given: dict[str, Any], path: str) -> list[str]:
    found = _type_at(given, path)
    if not isinstance(found, inspect.StructType):
        return []
    return ([found.tag_field] if found.tag_field else []) + [field.encode_name for field in found.fields]


def _choices(given: dict[str, Any], path: str) -> list[str]:
    if path.endswith(".kind"):
        items = inspect.type_info(Scenario)
        assert isinstance(items, inspect.StructType)
        every = next(field.type for field in items.fields if field.name == "incidents")
        every = every.type if isinstance(every, inspect.Metadata) else every
        if isinstance(every, inspect.VarTupleType) and isinstance(every.item_type, inspect.UnionType):
            return [str(one.tag) for one in every.item_type.types if isinstance(one, inspect.StructType)]
    found = _type_at(given, path)
    return [str(value) for value in found.values] if isinstance(found, inspect.LiteralType) else []


def _line(text: str, path: str) -> int | None:
    """The line on which a path is, as far as it is written in the usual form: headers in brackets, one member a line."""
    steps = _steps(path)
    wanted = [str(step) for step in steps if isinstance(step, str)]
    numbers = [step for step in steps if isinstance(step, int)]
    seen = -1
    table: list[str] = []
    best: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if header := re.match(r"\[\[?([A-Za-z0-9_.-]+)\]\]?", stripped):
            table = header[1].split(".")
            if stripped.startswith("[[") and table == wanted[:1]:
                seen += 1
            if table == wanted[: len(table)] and (not numbers or seen == numbers[0]):
                best = number
        elif (member := re.match(r'"?([A-Za-z0-9_-]+)"?\s*=', stripped)) and (
            not numbers or seen == numbers[0] or not table
        ):
            here = [*table, member[1]]
            if here == wanted[: len(here)]:
                best = number
                if here == wanted:
                    return number
    return best
