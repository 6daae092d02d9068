"""What SES is known to do, row by row, and which test holds the local SES to it. Each index_*.toml lists the rows of one
section: `says` in our words, and either `tests` (file::name) or `cannot`, the reason why a server has nothing to show."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
INDEXES = sorted(HERE.glob("index_*.toml"))


def rows(index: Path) -> list[dict[str, Any]]:
    return tomllib.loads(index.read_text())["row"]


def named(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(file, name) for file, _, name in (test.partition("::") for test in row.get("tests", []))]


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def where(file: str) -> Path:
    return HERE / file if (HERE / file).exists() else HERE.parent / file


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.stem)
def test_every_row_is_held_by_a_test_that_exists_or_says_why_none_can(index: Path) -> None:
    for row in rows(index):
        assert row["section"], row
        assert row["says"], row
        assert bool(row.get("tests")) != bool(row.get("cannot")), row
        for file, name in named(row):
            assert name in names_in(where(file)), f"{index.name}: there is no {file}::{name}"


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.stem)
def test_no_row_is_there_twice(index: Path) -> None:
    said = [(row["section"], row["says"]) for row in rows(index)]
    assert len(said) == len(set(said))


def test_every_test_of_the_contract_holds_a_row() -> None:
    held = {one for index in INDEXES for row in rows(index) for one in named(row)}
    for path in sorted(HERE.glob("test_*_contract.py")):
        for name in sorted(names_in(path)):
            assert (path.name, name) in held, f"no row names {path.name}::{name}"
