"""Filling a template in: a tree and data become text, or a RenderingError says what was missing. As SES does, nothing is
escaped, and a value that the data does not have ends it all, unless a condition asks for it. Work and
output are bounded: what a stranger's template asks for is refused, never suffered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

from seslocal.mail.rendering.reading import (
    Argument,
    Block,
    Inline,
    Literal,
    Lookup,
    Node,
    Partial,
    Path,
    Text,
    Value,
)

MOST_STEPS: Final = 100_000  #: nodes that are visited while one template is filled in
MOST_OUTPUT: Final = 10 * 1024 * 1024  #: characters of one part
MOST_PARTIALS: Final = 32  #: inside each other


class RenderingError(Exception):
    """The template cannot be filled in with this data. Its text is what SES tells."""


class _Missing:
    pass


_MISSING: Final = _Missing()


@dataclass(slots=True)
class _Scope:
    """One context and those around it."""

    value: Any
    around: _Scope | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])  #: @index, @key, @first, @last
    names: dict[str, Any] = field(default_factory=dict[str, Any])  #: of `as |…|` and of a partial's key=value


def fill(nodes: tuple[Node, ...], data: dict[str, Any]) -> str:
    """Raises RenderingError."""
    return _Filling(data).text(nodes)


class _Filling:
    def __init__(self, data: dict[str, Any]) -> None:
        self._root = _Scope(data)
        self._steps = 0
        self._size = 0
        self._depth = 0
        self._out: list[str] = []
        self._partials: dict[str, tuple[Node, ...]] = {}

    def text(self, nodes: tuple[Node, ...]) -> str:
        self._all(nodes, self._root)
        return "".join(self._out)

    def _all(self, nodes: tuple[Node, ...], scope: _Scope) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise RenderingError(f"The template asks for more than {MOST_STEPS} steps.")
            match node:
                case Text(text):
                    self._put(text)
                case Value(of):
                    self._put(_printed(self._needed(of, scope)))
                case Block():
                    self._block(node, scope)
                case Inline(name, inner):
                    self._partials[name] = inner
                case Partial():
                    self._partial(node, scope)

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > MOST_OUTPUT:
            raise RenderingError(f"The rendered part is longer than {MOST_OUTPUT} characters.")
        self._out.append(text)

    # blocks

    def _block(self, block: Block, scope: _Scope) -> None:
        value = self._value(block.of, scope)
        found = None if value is _MISSING else value
        match block.kind:
            case "if":
                self._all(block.inner if _holds(found) else block.other, scope)
            case "unless":
                self._all(block.other if _holds(found) else block.inner, scope)
            case "each":
                self._each(block, self._needed(block.of, scope), scope)
            case "with":
                self._with(block, self._needed(block.of, scope), scope)
            case _:
                self._section(block, found, scope)

    def _section(self, block: Block, value: Any, scope: _Scope) -> None:
        """A block of a plain name: a list is gone through, an object stepped into, anything else a condition."""
        if not _holds(value):
            self._all(block.other, scope)
        elif isinstance(value, list):
            self._each(block, value, scope)
        elif isinstance(value, dict):
            self._with(block, value, scope)
        else:
            self._all(block.inner, scope)

    def _with(self, block: Block, value: Any, scope: _Scope) -> None:
        if not _holds(value):
            self._all(block.other, scope)
            return
        names = {block.names[0]: value} if block.names else {}
        self._all(block.inner, _Scope(value, scope, scope.data, names))

    def _each(self, block: Block, value: Any, scope: _Scope) -> None:
        if isinstance(value, dict):
            items = list(cast("dict[str, Any]", value).items())
        elif isinstance(value, list):
            items = list(enumerate(cast("list[Any]", value)))
        else:
            items = []
        if not items:
            self._all(block.other, scope)
            return
        last = len(items) - 1
        for index, (key, item) in enumerate(items):
            data = {"index": index, "key": key, "first": index == 0, "last": index == last}
            names = dict(zip(block.names, (item, key), strict=False))
            self._all(block.inner, _Scope(item, scope, data, names))

    def _partial(self, partial: Partial, scope: _Scope) -> None:
        name = _printed(self._needed(partial.name, scope))
        nodes = self._partials.get(name)
        if nodes is None:
            raise RenderingError(f"The partial '{name}' could not be found.")
        names = {key: self._needed(of, scope) for key, of in partial.more}
        value = scope.value if partial.context is None else self._needed(partial.context, scope)
        self._depth += 1
        if self._depth > MOST_PARTIALS:
            raise RenderingError(f"More than {MOST_PARTIALS} partials inside each other, at '{name}'.")
        self._all(nodes, _Scope(value, scope, scope.data, names))
        self._depth -= 1

    # values

    def _needed(self, of: Argument, scope: _Scope) -> Any:
        value = self._value(of, scope)
        if value is _MISSING or value is None:
            raise RenderingError(f"Attribute '{_named(of)}' is not present in the rendering data.")
        return value

    def _value(self, of: Argument, scope: _Scope) -> Any:
        match of:
            case Literal(value):
                return value
            case Lookup(inner, key):
                return _member(self._value(inner, scope), _printed(self._value(key, scope)))
            case Path():
                return self._at(of, scope)

    def _at(self, path: Path, scope: _Scope) -> Any:
        for _ in range(path.up):
            scope = scope.around or scope
        if path.data:
            return self._data(path, scope)
        if not path.parts:
            return scope.value
        found = _first(path, scope)
        for part in path.parts[1:]:
            found = _member(found, part)
        return found

    def _data(self, path: Path, scope: _Scope) -> Any:
        first, *rest = path.parts or ("",)
        found = self._root.value if first == "root" else scope.data.get(first, _MISSING)
        for part in rest:
            found = _member(found, part)
        return found


def _first(path: Path, scope: _Scope) -> Any:
    """Java's Handlebars looks for a plain name in the contexts around as well."""
    name = path.parts[0]
    around: _Scope | None = scope
    while around is not None:
        if path.bare and name in around.names:
            return around.names[name]
        found = _member(around.value, name)
        if found is not _MISSING or not path.bare:
            return found
        around = around.around
    return _MISSING


def _member(of: Any, name: str) -> Any:
    if isinstance(of, dict):
        return cast("dict[str, Any]", of).get(name, _MISSING)
    if isinstance(of, list):
        items = cast("list[Any]", of)
        if name in ("length", "size"):
            return len(items)
        if name.isascii() and name.isdigit() and int(name[:9]) < len(items):
            return items[int(name[:9])]
    return _MISSING


def _holds(value: Any) -> bool:
    return value not in (None, False, 0, "") and value != [] and value is not _MISSING


def _named(of: Argument) -> str:
    if isinstance(of, Path):
        return of.text
    return f"lookup {_named(of.of)} {_named(of.key)}" if isinstance(of, Lookup) else str(of.value)


def _printed(value: Any) -> str:
    """As Java prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value is _MISSING:
        return ""
    if isinstance(value, list):
        return "[" + ", ".join(_printed(item) for item in cast("list[Any]", value)) + "]"
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{key}={_printed(item)}" for key, item in members) + "}"
    return str(value)
