"""Reads from source files which module imports which. Used by the tests of all packages' import rules."""

import ast
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path


def modules(*roots: Path) -> dict[str, str]:
    """Every module's source, by its dotted name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for root in roots
        for path in sorted(root.rglob("*.py"))
    }


def packages(*roots: Path) -> set[str]:
    """The dotted names of all packages."""
    return {
        ".".join(path.parent.relative_to(root).parts) for root in roots for path in root.rglob("__init__.py")
    }


@functools.cache
def nodes(source: str) -> Sequence[ast.AST]:
    """All nodes of a module. Kept, as several tests read all modules."""
    return tuple(ast.walk(ast.parse(source)))


def imports(module: str, source: str, known: set[str], *, package: bool = False) -> Iterator[tuple[int, str]]:
    """Every module that is imported, wherever in the file, by its full name. `from package import module` counts as
    the module, a relative import as what it means, and a computed name as itself if it is a plain text."""
    base = module if package else module.rpartition(".")[0]
    for node in nodes(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = base.split(".")[: len(base.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if inner in known else origin
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0]
            if called in ("import_module", "__import__") and isinstance(name, ast.Constant):
                yield node.lineno, str(name.value)
