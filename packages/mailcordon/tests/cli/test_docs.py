"""docs/cli.md names every command and exit code, and its examples are command lines that are understood."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer import core
from typer.main import get_command

from mailcordon.__main__ import command_line

PAGE = (Path(__file__).parents[4] / "docs" / "cli.md").read_text()
AWS_PAGE = (Path(__file__).parents[4] / "docs" / "aws.md").read_text()
FENCED = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()
]
#: Whole command lines in the text. Those with a word in capitals or "..." stand for others.
INLINE = [
    line for line in re.findall(r"`(mailcordon [^`]+)`", PAGE) if not re.search(r"\b[A-Z]{2,}\b|\|", line)
]
#: The whole command lines of the page about AWS, without what the shell does with their output.
ON_AWS = [
    re.split(r"\s(?:#|>|>>)\s", line)[0]
    for block in re.findall(r"^```sh\n(.*?)^```", AWS_PAGE, re.M | re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("mailcordon ")
]


@pytest.fixture(scope="module")
def commands() -> object:
    """Those of this machine are the real ones: the page shows their options too."""
    return get_command(command_line())


def parse(commands: object, line: str, *, whole: bool) -> None:
    at, words = commands, shlex.split(line)[1:]
    while words and isinstance(at, core.TyperGroup):
        first, two = words[0], " ".join(words[:2])
        words = words[2:] if two in at.commands else words[1:]
        at = at.commands[two if two in at.commands else first]
    if whole and isinstance(at, core.TyperCommand):
        at.make_context("x", words)


def misunderstood(commands: object, lines: Iterable[str], *, whole: bool = True) -> dict[str, str]:
    """`whole`: with their arguments also where no option is named."""
    found: dict[str, str] = {}
    for line in lines:
        try:
            parse(commands, line, whole=whole or " --" in line)
        except Exception as error:  # typer's own are of a package that it hides
            found[line] = repr(error)
    return found


def test_each_line_of_a_block_of_examples_is_understood(commands: object) -> None:
    assert misunderstood(commands, (line for line in FENCED if line.startswith("mailcordon "))) == {}


def test_each_command_in_the_text_exists(commands: object) -> None:
    lines = [line for line in INLINE if not line.startswith("mailcordon -")]
    assert misunderstood(commands, lines, whole=False) == {}


def test_each_command_of_the_page_about_aws_is_understood(commands: object) -> None:
    assert misunderstood(commands, ON_AWS) == {}


def test_the_page_has_examples() -> None:
    assert len(FENCED) > 3
    assert len(INLINE) > 20
    assert len(ON_AWS) > 8
