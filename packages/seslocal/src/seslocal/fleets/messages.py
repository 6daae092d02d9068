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


def too_many_tenants(count: int, most: int) -> str:
    return f"These are {count:,} tenants. A scenario has at most {most:,}."


def file_too_large(path: str, most: int) -> str:
    return f"The scenario {path} is larger than {most:,} bytes."


def nested_too_deeply() -> str:
    return "it is nested too deeply"


def too_large(tenants: int, mails: float, busiest: float, days: int, needed: float, most: float) -> str:
    """A run that would need too much memory. `busiest`: mails of the busiest hour, `needed` and `most`: bytes."""
    return (
        f"This run would need about {needed / 1e9:,.0f} GB of memory, and {most / 1e9:.0f} GB are allowed: {tenants:,} tenants, "
        f"about {mails:,.0f} mails in {days} days, and {busiest:,.0f} of them in the busiest hour. Take fewer or smaller "
        "tenants or incidents, fewer days, or a smaller --scale."
    )


def incident_named_twice(name: str, tenant: str) -> str:
    return f"{tenant} has two incidents called {name}. Give each a name of its own."


def name_reserved(name: str) -> str:
    """An incident's name that its tenant's ordinary mail has."""
    return f"An incident cannot be called {name}: the tenant's ordinary mail is called so."


def name_of_a_list(name: str, tenant: str) -> str:
    """A tenant's name that is the name of another tenant's list of addresses."""
    return f"The name {name} is that of a list of {tenant}. Choose another one."


def limits_crossed(least: float, most: float) -> str:
    return f"at_least {least:g} is above at_most {most:g}."


def not_finite(member: str) -> str:
    return f"{member} must be a finite number."


def until_before_since(since: str, until: str) -> str:
    return f"It ends ({until}) before it begins ({since})."


def cannot_print(reason: str) -> str:
    """Standard output cannot be written."""
    return f"The result cannot be printed: {reason}."


def answered_for(given: int, asked: int, tenant: str) -> str:
    """For the author of an operator."""
    return f"The operator was asked about {asked} mails of {tenant}, and answered for {given}."


def answered_nan(tenant: str) -> str:
    """For the author of an operator."""
    return f"The operator answered NaN for a mail of {tenant}. It must be a time, or math.inf for never."


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


def not_a_number(text: str, least: int, most: int) -> str:
    """The value of --seed or --days."""
    return f"{text!r} is not a whole number from {least} to {most:,}"


def not_a_factor(text: str) -> str:
    """The value of --scale."""
    return f"{text!r} is not a number above 0 and at most 1,000,000"
