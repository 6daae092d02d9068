"""The index of facts about SES and the tests for them. Each index_*.toml lists the facts of one section: `says` is the fact in
our words, with either `tests` (file::name) or `cannot`, the reason why it cannot be tested here."""

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
def test_every_row_names_existing_tests_or_a_reason(index: Path) -> None:
    for row in rows(index):
        assert row["section"], row
        assert row["says"], row
        assert bool(row.get("tests")) != bool(row.get("cannot")), row
        for file, name in named(row):
            assert name in names_in(where(file)), f"{index.name}: there is no {file}::{name}"


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.stem)
def test_rows_are_unique(index: Path) -> None:
    said = [(row["section"], row["says"]) for row in rows(index)]
    assert len(said) == len(set(said))


def test_every_contract_test_is_named_by_a_row() -> None:
    held = {one for index in INDEXES for row in rows(index) for one in named(row)}
    for path in sorted(HERE.glob("test_*_contract.py")):
        for name in sorted(names_in(path)):
            assert (path.name, name) in held, f"no row names {path.name}::{name}"
