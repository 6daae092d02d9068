"""Which module of seslocal may import which, read from the sources: a module imports its own package and lower layers only, and
no modules import each other in a circle. Imports in functions and under TYPE_CHECKING count (docs/decisions/014)."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.import_reader import imports, modules, nodes, packages

ROOT = Path(__file__).resolve().parent.parent / "packages" / "seslocal"
SOURCES = ROOT / "src"
#: packages and top-level modules, the lowest layer first; "" is the package itself
LAYERS = (
    ("due",),
    ("errors", "ids", "clock", "messages", "rendering", "world"),
    ("tagging", "wire", "iam"),
    ("state",),
    ("events", "authentication", "fleets"),
    ("mail", "dns"),
    ("authorization",),
    ("sesv2", "sqs", "sns", "faulted_calls"),
    ("sesv1", "smtp", "cloudwatch", "eventbridge", "sts_and_iam", "page", "admission"),
    ("admin", "web"),
    ("front", "kept"),
    ("server",),
    ("testing", "options"),
    ("", "__main__", "pytest_plugin"),
)
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def part_of(module: str) -> str:
    """The package or the top-level module that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def graph(sources: Mapping[str, str], package_names: Iterable[str] = ()) -> dict[str, dict[str, int]]:
    """Module -> the modules of seslocal that it imports, each with a line."""
    known, inner = set(sources), set(package_names)
    return {
        module: {
            imported: line
            for line, imported in imports(module, source, known, package=module in inner)
            if imported.partition(".")[0] == "seslocal" and imported != module
        }
        for module, source in sources.items()
    }


def layer_breaches(edges: Mapping[str, Mapping[str, int]]) -> list[str]:
    found = [f"{module} belongs to no layer" for module in edges if part_of(module) not in LEVELS]
    for module, imported in edges.items():
        part = part_of(module)
        for other, line in imported.items():
            there = part_of(other)
            if part != there and LEVELS.get(there, len(LAYERS)) >= LEVELS.get(part, 0):
                found.append(
                    f"{module} ({part}) imports {other} ({there}), which is not below it (line {line})"
                )
    return found


def cycles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle: strongly connected components of more than one module."""
    reached = {module: _reachable(edges, module) for module in edges}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached.get(other, ())))
        for module in edges
        if module in reached[module]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = list(edges[start])
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left.extend(edges.get(module, ()))
    return found


@pytest.fixture(scope="module")
def edges() -> dict[str, dict[str, int]]:
    return graph(modules(SOURCES), packages(SOURCES))


def test_modules_import_lower_layers_only(edges: dict[str, dict[str, int]]):
    assert layer_breaches(edges) == []


def test_no_modules_import_each_other_in_a_circle(edges: dict[str, dict[str, int]]):
    assert cycles(edges) == []


def test_every_part_of_the_layers_exists(edges: dict[str, dict[str, int]]):
    assert set(LEVELS) == {part_of(module) for module in edges}


def test_the_documented_layers_are_the_tested_ones():
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Layers")[2]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ") and "`" in line]
    documented = [tuple(name.strip(" `") for name in row.split(",")) for row in rows]
    assert documented == [tuple(part or "seslocal" for part in layer) for layer in reversed(LAYERS)]


#: what a world may not import: clocks, chance of another kind than its draws, and anything that waits or talks
IMPURE = frozenset(
    {"aiohttp", "asyncio", "concurrent", "multiprocessing", "os", "random", "secrets", "select"}
    | {"signal", "socket", "ssl", "subprocess", "threading", "time", "urllib", "uuid"}
)
#: calls whose result differs between two runs
UNSTEADY = frozenset({"hash", "now", "utcnow", "today"})


def impurities(sources: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for module, source in sources.items():
        for imported, line in ((name, line) for line, name in imports(module, source, set())):
            if imported.partition(".")[0] in IMPURE:
                found.append(f"{module} imports {imported} (line {line})")
        for node in nodes(source):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                if called in UNSTEADY:
                    found.append(f"{module} calls {called} (line {node.lineno})")
    return found


def test_the_world_has_no_clock_no_chance_of_its_own_and_no_network():
    worlds = {name: source for name, source in modules(SOURCES).items() if name.startswith("seslocal.world")}
    assert len(worlds) > 10
    assert impurities(worlds) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "def f():\n    from random import random",
        "import asyncio.events",
        "import datetime\ndatetime.datetime.now()",
        "x = hash('a')",
    ],
)
def test_impurities_are_found(source: str):
    assert len(impurities({"seslocal.world.x": source})) == 1


#: a small tree to try the checks on
KNOWN = {
    "seslocal": "",
    "seslocal.errors": "",
    "seslocal.wire": "",
    "seslocal.wire.protocol": "",
    "seslocal.state": "",
    "seslocal.state.account": "",
    "seslocal.events": "",
    "seslocal.mail": "",
    "seslocal.mail.sending": "",
    "seslocal.sesv2": "",
    "seslocal.sesv2.identities": "",
    "seslocal.admin": "",
    "seslocal.server": "",
}


class TestTheChecks:
    """Each check finds a small breach."""

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("seslocal.state.x", "from seslocal.mail import sending"),
            ("seslocal.state.x", "from seslocal.mail.sending import submit"),
            ("seslocal.state.x", "import seslocal.sesv2.identities"),
            ("seslocal.state.x", "from ..events import publishing"),
            ("seslocal.state.x", "def f():\n    from seslocal.admin import api"),
            (
                "seslocal.state.x",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from seslocal.mail.sending import Submission",
            ),
            ("seslocal.state.x", "import importlib\nimportlib.import_module('seslocal.server')"),
            ("seslocal.wire.x", "from seslocal.state.account import Account"),
            ("seslocal.mail.x", "from seslocal.sesv2 import identities"),
            ("seslocal.mail.x", "from seslocal.dns import strict"),
            ("seslocal.sesv2.x", "from seslocal import server"),
            ("seslocal.admin.x", "from seslocal import Settings"),
            ("seslocal.errors", "from seslocal.wire import protocol"),
            ("seslocal.x", "import os"),
        ],
    )
    def test_a_forbidden_import_is_found(self, module: str, source: str):
        assert layer_breaches(graph({**KNOWN, module: source}, {"seslocal"}))

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            (
                "seslocal.state.x",
                "from seslocal.state import account\nfrom seslocal.wire.protocol import Response",
            ),
            ("seslocal.sesv2.x", "from seslocal.sesv2 import identities\nfrom seslocal.mail import sending"),
            ("seslocal.mail.x", "import msgspec\nfrom seslocal import errors"),
            ("seslocal.pytest_plugin", "from seslocal.server import start"),
        ],
    )
    def test_an_allowed_import_passes(self, module: str, source: str):
        assert layer_breaches(graph({**KNOWN, module: source}, {"seslocal"})) == []

    @pytest.mark.parametrize(
        ("sources", "expected"),
        [
            ({"a": "from seslocal.mail import b", "b": "from seslocal.mail import a"}, ["a", "b"]),
            ({"a": "from seslocal.mail import b", "b": "def f():\n    import seslocal.mail.a"}, ["a", "b"]),
            (
                {
                    "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from seslocal.mail.b import B",
                    "b": "from . import c",
                    "c": "from seslocal.mail.a import A",
                    "d": "from seslocal.mail.a import A",
                },
                ["a", "b", "c"],
            ),
        ],
    )
    def test_a_circle_is_found(self, sources: dict[str, str], expected: list[str]):
        tree = {"seslocal.mail": "", **{f"seslocal.mail.{name}": text for name, text in sources.items()}}
        assert cycles(graph(tree, {"seslocal.mail"})) == [[f"seslocal.mail.{name}" for name in expected]]

    def test_imports_in_one_direction_are_no_circle(self):
        tree = {"seslocal.mail.a": "from seslocal.mail import b", "seslocal.mail.b": "", "seslocal.mail": ""}
        assert cycles(graph(tree)) == []
