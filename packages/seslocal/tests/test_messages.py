"""Every sentence for users of the command line and the admin API is in its messages module, not where it is raised."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import seslocal
from seslocal_fixtures import message_examples

SOURCES = Path(seslocal.__file__).parent
PAGE = Path(__file__).parents[1] / "docs/messages.md"


def literal_sentences(path: Path, functions: set[str]) -> Iterator[str]:
    """Yields where one of these functions is called with a literal text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            for argument in node.args:
                if isinstance(argument, ast.JoinedStr) or (
                    isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                ):
                    yield f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", sorted((SOURCES / "admin").glob("*.py")), ids=lambda path: path.name)
def test_admin_errors_come_from_the_messages_module(path: Path) -> None:
    assert list(literal_sentences(path, {"Refused"})) == []


def test_printed_lines_come_from_the_messages_module() -> None:
    assert list(literal_sentences(SOURCES / "__main__.py", {"print"})) == []


def test_literal_sentences_are_found(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text('raise Refused(404, f"There is no {x}.")\nprint("hello")\nprint(messages.ready())\n')
    assert list(literal_sentences(path, {"Refused", "print"})) == ["bad.py:1", "bad.py:2"]


@pytest.mark.parametrize("module", message_examples.SURFACES.values(), ids=message_examples.SURFACES)
def test_every_message_has_an_example(module: ModuleType) -> None:
    messages = message_examples.functions(module)
    assert [message.__name__ for message in messages if not message_examples.examples(message)] == []


def test_messages_page_is_current() -> None:
    assert PAGE.read_text() == message_examples.markdown(), "run `./dev messages` and read what changed"
