"""docs/reference/commands.md is the help of every command, whole, at 80 columns."""

import re
from pathlib import Path

import pytest

from mailcordon import __main__ as program
from mailcordon.adapters.cli import reference

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "commands.md"
HELPS = dict(reference.helps(program.command_line()))
COMMANDS = {path: help for path, help in HELPS.items() if "\nCommands:\n" not in help}


def test_the_page_shows_the_commands_as_they_are() -> None:
    assert PAGE.read_text() == reference.page(program.command_line()), "run `./dev messages`"


@pytest.mark.parametrize("path", HELPS)
def test_a_help_fits_80_columns_and_is_not_cut_short(path: str) -> None:
    lines = HELPS[path].splitlines()
    assert [line for line in lines if len(line) > 80] == []
    # "..." is text in examples and in COMMAND [ARGS]...; at the end of a line the formatter has cut it.
    cut = [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]
    assert cut == []


@pytest.mark.parametrize("path", COMMANDS)
def test_a_usage_line_names_its_arguments_in_capitals_without_braces(path: str) -> None:
    usage = HELPS[path].splitlines()[0]
    assert re.fullmatch(rf"Usage: {path} \[OPTIONS\]( [A-Z_]+(\.\.\.)?| \[[A-Z_]+\](\.\.\.)?)*", usage)


def options(help: str) -> dict[str, str]:
    """Each option with its help on one line."""
    section = help.partition("\nOptions:\n")[2].partition("\n\n")[0]
    entries = re.split(r"\n  (?=-)", "\n" + section)[1:]
    return {entry.split("  ")[0].strip(): " ".join(entry.split()) for entry in entries}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path.split()[1] not in ("up",)])
def test_each_option_with_a_value_says_what_happens_without_it(path: str) -> None:
    flag = re.compile(r"^(-\w, )?--[\w-]+(, -\w)?$")
    unclear = {
        name: help
        for name, help in options(HELPS[path]).items()
        if not flag.match(name) and "efault" not in help and "required]" not in help
    }
    assert unclear == {}
