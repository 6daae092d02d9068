"""docs/cli.md names every command and exit code, and its examples are command lines that are understood."""

import re
import shlex
from pathlib import Path

import pytest
import typer
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
def app() -> typer.Typer:
    """The commands of this machine are the real ones: the page shows their options too."""
    return command_line()


def parsed(app: typer.Typer, words: list[str], *, whole: bool) -> None:
    at: object = get_command(app)
    while words and isinstance(at, core.TyperGroup):
        first, two = words[0], " ".join(words[:2])
        words = words[2:] if two in at.commands else words[1:]
        at = at.commands[two if two in at.commands else first]
    if whole and isinstance(at, core.TyperCommand):
        at.make_context("x", words)


@pytest.mark.parametrize("line", [line for line in FENCED if line.startswith("mailcordon ")])
def test_a_block_of_examples_is_understood(app: typer.Typer, line: str) -> None:
    parsed(app, shlex.split(line)[1:], whole=True)


@pytest.mark.parametrize("line", INLINE)
def test_a_command_in_the_text_exists(app: typer.Typer, line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0].startswith("-"):
        return
    parsed(app, words, whole=any(word.startswith("--") for word in words))


@pytest.mark.parametrize("line", ON_AWS)
def test_a_command_of_the_page_about_aws_is_understood(app: typer.Typer, line: str) -> None:
    parsed(app, shlex.split(line)[1:], whole=True)


def test_the_page_has_examples() -> None:
    assert len(FENCED) > 3
    assert len(INLINE) > 20
    assert len(ON_AWS) > 8
