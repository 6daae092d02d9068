"""The state is one object for each noun: no class collects the fields of all."""

from __future__ import annotations

import ast
from pathlib import Path

from seslocal import Clock, Settings
from seslocal.state import account as account_module
from seslocal.state.account import Account

MOST_FIELDS = 30
MODULES = sorted(Path(account_module.__file__).parent.glob("*.py"))


def fields(found: ast.ClassDef) -> set[str]:
    """The annotated fields of a class, and the attributes that its methods assign."""
    declared = {
        n.target.id for n in found.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    }
    assigned = {
        node.attr
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return declared | assigned


def crowded(source: str) -> list[str]:
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    return [found.name for found in classes if len(fields(found)) > MOST_FIELDS]


def test_no_class_has_too_many_fields() -> None:
    assert len(MODULES) > 20
    assert [(module.stem, name) for module in MODULES for name in crowded(module.read_text())] == []


def test_a_class_with_too_many_fields_is_found() -> None:
    assigned = "\n".join(f"        self.a{number} = 0" for number in range(MOST_FIELDS))
    source = f"class A:\n    b: int = 0\n    def __init__(self):\n{assigned}\n"
    assert crowded(source) == ["A"]
    assert crowded(source.replace("    b: int = 0\n", "")) == []


async def test_accounts_share_no_state() -> None:
    one, two = (Account(Settings(seed=1), Clock(0.0, 0)) for _ in range(2))
    shared = {
        name
        for name, value in vars(one).items()
        if value is vars(two)[name] and not isinstance(value, str | int | float)
    }
    assert shared == set()
