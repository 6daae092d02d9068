"""docs/reference/commands.md is the help of every command, whole, at 80 columns."""

import functools
import re
from pathlib import Path

from mailcordon import __main__ as program
from mailcordon.adapters.cli import reference

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "commands.md"


@functools.cache
def helps() -> dict[str, str]:
    """Of every command and group. Made when the first test needs them: each worker imports this module."""
    return dict(reference.helps(program.command_line()))


def commands() -> dict[str, str]:
    return {path: help for path, help in helps().items() if "\nCommands:\n" not in help}


def test_the_page_shows_the_commands_as_they_are() -> None:
    assert PAGE.read_text() == reference.page(program.command_line()), "run `./dev messages`"


def test_a_help_fits_80_columns_and_is_not_cut_short() -> None:
    for path, help in helps().items():
        lines = help.splitlines()
        assert [line for line in lines if len(line) > 80] == [], path
        # "..." is text in examples and in COMMAND [ARGS]...; at the end of a line the formatter has cut it.
        cut = [line for line in lines if line.endswith("...") and not line.startswith("Usage:")]
        assert cut == [], path


def test_a_usage_line_names_its_arguments_in_capitals_without_braces() -> None:
    for path, help in commands().items():
        form = rf"Usage: {path} \[OPTIONS\]( [A-Z_]+(\.\.\.)?| \[[A-Z_]+\](\.\.\.)?)*"
        usage = help.splitlines()[0]
        assert re.fullmatch(form, usage), usage


def options(help: str) -> dict[str, str]:
    """Each option with its help on one line."""
    section = help.partition("\nOptions:\n")[2].partition("\n\n")[0]
    entries = re.split(r"\n  (?=-)", "\n" + section)[1:]
    return {entry.split("  ")[0].strip(): " ".join(entry.split()) for entry in entries}


def test_each_option_with_a_value_says_what_happens_without_it() -> None:
    flag = re.compile(r"^(-\w, )?--[\w-]+(, -\w)?$")
    unclear = {
        (path, name): help
        for path, shown in commands().items()
        if path.split()[1] != "up"
        for name, help in options(shown).items()
        if not flag.match(name) and "efault" not in help and "required]" not in help
    }
    assert unclear == {}
