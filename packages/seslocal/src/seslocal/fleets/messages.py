"""The sentences of `seslocal world`: one function for each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "absent",
    "date": "a date such as 2026-03-02",
}


def no_such_scenario(name: str, shipped: Iterable[str]) -> str:
    """Neither a file nor a shipped scenario."""
    return f"There is no scenario {name}. Give the path of a TOML file, or one of those that ship: {', '.join(shipped)}."


def scenario_unreadable(path: str, reason: str) -> str:
    return f"The scenario {path} cannot be read: {reason}."


def scenario_not_toml(source: str, reason: str) -> str:
    return f"{source} is not TOML: {reason}."


def scenario_wrong(source: str, line: int | None, path: str, sentence: str) -> str:
    """`path`: of the member that is wrong, from $, the whole file."""
    where = f"line {line}, " if line is not None else ""
    return f"{source}, {where}{path.removeprefix('$.').removeprefix('$') or 'the whole file'}: {sentence}"


def unknown_member(name: str, known: Iterable[str]) -> str:
    return f"{name} is unknown here. Known: {', '.join(known)}."


def member_missing(name: str) -> str:
    return f"{name} is missing."


def not_one_of(given: str, choices: Iterable[str]) -> str:
    return f"{given!r} must be one of {', '.join(choices)}."


def no_match(form: str) -> str:
    return f"It must be {form}."


def plain(sentence: str) -> str:
    """What msgspec says of a wrong type or a number out of range, in other words."""
    matched = re.fullmatch(r"Expected `([^`]*)`(?:, got `([^`]*)`|(.*))", sentence, re.DOTALL)
    if matched is None:
        return f"{sentence}."
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in matched[1].split(" | "))
    if matched[2] is not None:
        return f"It must be {wanted}, not {_KINDS.get(matched[2], matched[2])}."
    return f"It must be {wanted}{matched[3]}."


def name_twice(name: str) -> str:
    return f"The name {name} is used twice."


def shares_above_one() -> str:
    return "stale and bought together are more than 1."


def no_such_tenant(name: str, examples: Iterable[str]) -> str:
    return f"There is no tenant or group {name}. There are: {', '.join(examples)}."


def after_the_end(moment: str, days: int) -> str:
    return f"{moment} is after the end: the scenario has {days} days."


def no_limit() -> str:
    return "An expectation needs at_least or at_most."


def not_a_tenant_here(name: str, examples: Iterable[str]) -> str:
    """The value of --without."""
    return (
        f"--without {name}: the scenario has no tenant or group of this name. It has: {', '.join(examples)}."
    )


def cannot_write(path: str, reason: str) -> str:
    return f"{path} cannot be written: {reason}."


def fine(path: str, tenants: int, mails: float, days: int) -> str:
    """`seslocal world check` found nothing wrong. `mails`: expected in all days."""
    return f"{path} is a scenario of {tenants} tenants and about {mails:,.0f} mails in {days} days."


def summary(mails: int, attempts: int, cpu: float, seconds: float, python: str) -> str:
    """The last line of a run. `mails`: that left. `cpu`: seconds of CPU time, of which the rate is."""
    return (
        f"{mails:,} mails left, in {attempts:,} delivery attempts. It took {cpu:.1f} s of CPU time ({seconds:.1f} s): "
        f"{mails / cpu * 60:,.0f} mails a minute on one core ({python})."
    )


def expectations_missed(missed: Iterable[str], count: int) -> str:
    """With --check. `missed`: names of expectations, `count`: how many there are."""
    named = list(missed)
    return f"{len(named)} of {count} expectations are missed: {'; '.join(named)}."


def progress(days: float, mails: int) -> str:
    """On standard error, if that is a terminal."""
    return f"day {days:.0f}: {mails:,} mails"


def not_a_number(text: str, least: int) -> str:
    """The value of --seed or --days."""
    return f"{text!r} is not a whole number of at least {least}"


def not_a_factor(text: str) -> str:
    """The value of --scale."""
    return f"{text!r} is not a number above 0 and at most 1,000,000"
