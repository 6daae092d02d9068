"""Which requests the command line makes, read from its sources: method and path of each, `*` for a part that is not fixed."""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import mailcordon.adapters.cli

Request = tuple[str, tuple[str, ...]]

_CLIENT = {"get": "GET", "items": "GET", "post": "POST"}


def requests() -> tuple[set[Request], list[str]]:
    """All requests, and the places of those whose method or path could not be read."""
    found: set[Request] = set()
    unclear: list[str] = []
    for file in sorted(Path(mailcordon.adapters.cli.__file__).parent.rglob("*.py")):
        for call, read in _Module(ast.parse(file.read_text())).requests():
            found |= read
            if not read:
                unclear.append(f"{file.name}:{call.lineno}: {ast.unparse(call)[:80]}")
    return found, unclear


def matches(request: Request, method: str, route: str) -> bool:
    """Whether a request may be one for this route of OpenAPI. A part that is not fixed stands for a parameter alone."""
    parts = route.removeprefix("/v1/").split("/")
    return (
        request[0] == method
        and len(request[1]) == len(parts)
        and all(
            one == other if not other.startswith("{") else one == "*"
            for one, other in zip(request[1], parts, strict=True)
        )
    )


Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Module:
    """One file. What a function is given for a part of a path is looked up where the same file calls it."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
        self._calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]

    def requests(self) -> Iterator[tuple[ast.Call, set[Request]]]:
        for function in self._functions.values():
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                name, client = node.func.attr, ast.unparse(node.func.value)
                if client not in ("cli.api", "api") or name not in (*_CLIENT, "call"):
                    continue
                place, method = node.args[0], ast.Constant(_CLIENT.get(name, ""))
                if name == "call":
                    method, place = node.args[0], node.args[1]
                methods = self._words(method, function)
                paths = self._paths(place, function)
                yield node, {(one, segments) for one in methods - {"*"} for segments in paths}

    def _paths(self, place: ast.expr, function: Function | None) -> set[tuple[str, ...]]:
        if isinstance(place, ast.Name):
            set_here = [one.value for one in _assigned(function, place.id)]
            return {
                one
                for value in set_here or self._given(place.id, function)
                for one in self._paths(value, None)
            }
        if (
            isinstance(place, ast.Call)
            and (name := ast.unparse(place.func).removeprefix("client.")) != "path"
        ):
            returned = self._functions.get(name)
            returns = (
                [] if returned is None else [one for one in ast.walk(returned) if isinstance(one, ast.Return)]
            )
            return {one for each in returns if each.value for one in self._paths(each.value, returned)}
        if not isinstance(place, ast.Call) or any(isinstance(one, ast.Starred) for one in place.args):
            return set()
        return set(itertools.product(*(self._words(one, function) for one in place.args)))

    def _words(self, part: ast.expr, function: Function | None) -> set[str]:
        """The texts that it can be; `*` for one that is not fixed."""
        if isinstance(part, ast.Constant):
            return {str(part.value)}
        given = self._given(part.id, function) if isinstance(part, ast.Name) else []
        return {word for one in given for word in self._words(one, None)} or {"*"}

    def _given(self, name: str, function: Function | None) -> list[ast.expr]:
        """What this file gives to the function for its parameter of this name."""
        if function is None:
            return []
        names = [one.arg for one in function.args.args]
        if name not in names:
            return []
        calls = [one for one in self._calls if ast.unparse(one.func) == function.name]
        return [one.args[names.index(name)] for one in calls if len(one.args) > names.index(name)]


def _assigned(function: Function | None, name: str) -> list[ast.Assign]:
    inside = [] if function is None else [one for one in ast.walk(function) if isinstance(one, ast.Assign)]
    return [one for one in inside if isinstance(one.targets[0], ast.Name) and one.targets[0].id == name]
