"""Renders a parsed template with data, or raises a RenderingError that says what was missing. As at SES, nothing is escaped, not
even in HTML, and a name missing in the data is an error, except in `if`, `unless`, `each` and `with`, which treat it as empty, as
the helpers of Handlebars' Java edition do. Work, depth and output are bounded, because templates are untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from seslocal.rendering.parser import (
    Argument,
    Block,
    Inline,
    Literal,
    Lookup,
    Node,
    Partial,
    Path,
    Text,
    UnknownHelper,
    Value,
)

MOST_STEPS: Final = 100_000  #: nodes visited and values printed, in all parts of a mail
MOST_OUTPUT: Final = 10 * 1024 * 1024  #: characters, in all parts of a mail
MOST_INSIDE: Final = 100  #: of nested blocks and partials, and of nested values in print
#: SES inserts the link after it rendered the template, so the data need not contain it.
UNSUBSCRIBE: Final = "amazonSESUnsubscribeUrl"


class RenderingError(Exception):
    """The template cannot be rendered with this data. Its text is SES's message."""


class _Missing:
    pass


_MISSING: Final = _Missing()


@dataclass(slots=True)
class _Scope:
    """A context and its enclosing contexts."""

    value: Any
    around: _Scope | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])  #: @index, @key, @first, @last
    names: dict[str, Any] = field(default_factory=dict[str, Any])  #: of `as |…|` and of a partial's key=value


def render(trees: Mapping[str, tuple[Node, ...]], data: dict[str, Any]) -> dict[str, str]:
    """Returns the rendered parts of a mail. Raises RenderingError."""
    filling = _Filling(data)
    return {part: filling.text(nodes) for part, nodes in trees.items()}


class _Filling:
    def __init__(self, data: dict[str, Any]) -> None:
        self._root = _Scope(data)
        self._steps = 0
        self._size = 0
        self._inside = 0
        self._out: list[str] = []
        self._partials: dict[str, tuple[Node, ...]] = {}

    def text(self, nodes: tuple[Node, ...]) -> str:
        self._out = []
        self._all(nodes, self._root)
        return "".join(self._out)

    def _all(self, nodes: tuple[Node, ...], scope: _Scope) -> None:
        self._inside += 1
        if self._inside > MOST_INSIDE:
            raise RenderingError(f"More than {MOST_INSIDE} blocks and partials are inside each other.")
        outer = self._partials
        for node in nodes:
            self._step()
            match node:
                case Text(text):
                    self._put(text)
                case Value(of):
                    self._put(self._print(of, scope))
                case Block():
                    self._block(node, scope)
                case Inline(name, inner):
                    if self._partials is outer:
                        self._step(len(outer))
                        self._partials = dict(outer)
                    self._partials[name] = inner
                case Partial():
                    self._partial(node, scope)
        self._partials = outer
        self._inside -= 1

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise RenderingError(f"The template asks for more than {MOST_STEPS} steps.")

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > MOST_OUTPUT:
            raise RenderingError(f"The rendered mail is longer than {MOST_OUTPUT} characters.")
        self._out.append(text)

    # blocks

    def _block(self, block: Block, scope: _Scope) -> None:
        if block.kind == "section":
            self._section(block, self._needed(block.of, scope), scope)
            return
        value = self._value(block.of, scope)
        match block.kind:
            case "if":
                self._all(block.inner if _holds(value) else block.other, scope)
            case "unless":
                self._all(block.other if _holds(value) else block.inner, scope)
            case "each":
                self._each(block, value, scope)
            case _:
                self._with(block, value, scope)

    def _section(self, block: Block, value: Any, scope: _Scope) -> None:
        """A block of a plain name: iterates over a list, enters an object, and treats anything else as a condition."""
        if isinstance(value, list):
            self._each(block, value, scope)
        elif isinstance(value, dict):
            self._with(block, value, scope)
        else:
            self._all(block.inner if _holds(value) else block.other, scope)

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
        self._step(len(items))
        last = len(items) - 1
        for index, (key, item) in enumerate(items):
            data = {"index": index, "key": key, "first": index == 0, "last": index == last}
            names = dict(zip(block.names, (item, key), strict=False))
            self._all(block.inner, _Scope(item, scope, data, names))

    def _partial(self, partial: Partial, scope: _Scope) -> None:
        self._step(len(partial.more))
        name = self._print(partial.name, scope)
        nodes = self._partials.get(name)
        if nodes is None:
            raise RenderingError(f"The partial '{name}' could not be found.")
        names = {key: self._needed(of, scope) for key, of in partial.more}
        value = scope.value if partial.context is None else self._needed(partial.context, scope)
        self._all(nodes, _Scope(value, scope, scope.data, names))

    # values

    def _needed(self, of: Argument, scope: _Scope) -> Any:
        value = self._value(of, scope)
        if value is None or value is _MISSING:
            raise _absent(_named(of))
        return value

    def _value(self, of: Argument, scope: _Scope) -> Any:
        match of:
            case Path():
                return self._at(of, scope)
            case Literal(value):
                return value
            case Lookup(inner, key):
                self._step()
                return _member(self._value(inner, scope), self._text(self._value(key, scope)))
            case UnknownHelper(name):
                return self._needed(name, scope)

    def _at(self, path: Path, scope: _Scope) -> Any:
        if path.up:
            self._step(path.up)
            for _ in range(path.up):
                scope = scope.around or scope
        if not path.parts:
            return _MISSING if path.data else scope.value
        first = path.parts[0]
        if not path.data:
            found = self._first(path, scope)
        else:
            found = self._root.value if first == "root" else scope.data.get(first, _MISSING)
        for part in path.parts[1:]:
            if found is _MISSING:
                break
            found = _member(found, part)
        return found

    def _first(self, path: Path, scope: _Scope) -> Any:
        """Java's Handlebars looks up a plain name in the enclosing contexts too."""
        name = path.parts[0]
        around: _Scope | None = scope
        while around is not None:
            if path.bare and name in around.names:
                return around.names[name]
            found = _member(around.value, name)
            if found is not _MISSING or not path.bare:
                return found
            around = around.around
            self._step()
        return _MISSING

    def _print(self, of: Argument, scope: _Scope) -> str:
        value = self._value(of, scope)
        if isinstance(value, str):
            return value
        if value is None or value is _MISSING:
            if _named(of) == UNSUBSCRIBE:
                return f"{{{{{UNSUBSCRIBE}}}}}"
            raise _absent(_named(of))
        return self._text(value)

    def _text(self, value: Any, inside: int = 0) -> str:
        """Returns a value as Java prints it."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None or value is _MISSING:
            return ""
        if not isinstance(value, list | dict):
            return str(value)
        if inside > MOST_INSIDE:
            raise RenderingError(f"A value that is to be printed is more than {MOST_INSIDE} levels deep.")
        self._step(len(cast("list[Any] | dict[str, Any]", value)) + 1)
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return "[" + ", ".join([self._text(item, inside + 1) for item in items]) + "]"
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join([f"{key}={self._text(item, inside + 1)}" for key, item in members]) + "}"


def _absent(name: str) -> RenderingError:
    return RenderingError(f"Attribute '{name}' is not present in the rendering data.")


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
    if isinstance(value, dict):
        return True
    return bool(value) and value is not _MISSING


def _named(of: Argument) -> str:
    match of:
        case Path():
            return of.text
        case Literal(value):
            return "null" if value is None else str(value)
        case Lookup(inner, key):
            return f"lookup {_named(inner)} {_named(key)}"
        case UnknownHelper(name):
            return name.text
