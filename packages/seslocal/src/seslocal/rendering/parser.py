"""Parses a Handlebars template into a tree, or raises a TemplateError that says where it is wrong. SES renders with Handlebars'
Java edition and its helpers; no Python library behaves like it, above all in its errors, so it has its own parser. An unknown
helper is not an error here: SES reports it when it renders. Pure, with bounded depth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seslocal.rendering.scanner import Tag, TemplateError, Words, scan

MOST_DEPTH: Final = 64  #: of nested blocks
BLOCKS: Final = ("if", "unless", "each", "with")

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?)(?=[\s)|]|$)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<as>as\s*\|(?P<names>[^|]*)\|)
      | (?P<hash>[^\s()=|"'{}\[\]]+)=
      | (?P<path>(?:@|\.\./|\./|\[[^\]]*\]|[^\s()=|"'{}!\#%&*+,;<>@\[\]^`~])(?:\[[^\]]*\]|[^\s()=|"'{}\[\]])*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Path:
    """A path into the data."""

    text: str  #: as written, for error messages
    up: int  #: number of `../`
    parts: tuple[str, ...]  #: empty: `this`
    data: bool  #: starts with @
    bare: bool  #: a plain name, which is looked up in the enclosing contexts too


@dataclass(frozen=True, slots=True)
class Literal:
    value: object


@dataclass(frozen=True, slots=True)
class Lookup:
    """`(lookup object key)`."""

    of: Argument
    key: Argument


@dataclass(frozen=True, slots=True)
class UnknownHelper:
    """`(helper …)` of a helper that SES does not have: the data's value of that name, or an error."""

    name: Path


Argument = Path | Literal | Lookup | UnknownHelper


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Value:
    of: Argument


@dataclass(frozen=True, slots=True)
class Block:
    """`{{#kind of as |names|}} inner {{else}} other {{/kind}}`; the kind "section" is a block of a plain name."""

    kind: str
    of: Argument
    names: tuple[str, ...]
    inner: tuple[Node, ...]
    other: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Inline:
    """`{{#* inline "name"}}`: a partial defined in the template."""

    name: str
    inner: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """`{{> name context key=value}}`."""

    name: Argument
    context: Argument | None
    more: tuple[tuple[str, Argument], ...]


Node = Text | Value | Block | Inline | Partial


def parse(template: str) -> tuple[Node, ...]:
    """Returns the tree of a template. Raises TemplateError."""
    return _Reader(scan(template)).all()


class _Reader:
    def __init__(self, items: list[Words | Tag]) -> None:
        self._items = items
        self._next = 0
        self._depth = 0

    def all(self) -> tuple[Node, ...]:
        nodes, end = self._nodes()
        if end is not None:
            raise _wrong(end, f"found '{{{{{end.kind}{end.inner}}}}}' where no block is open")
        return nodes

    def _nodes(self) -> tuple[tuple[Node, ...], Tag | None]:
        """Parses up to the tag that ends the nodes: a closing tag, an else, or none at the end. Partials come first, because
        they are defined in their whole block."""
        partials: list[Node] = []
        nodes: list[Node] = []
        while self._next < len(self._items):
            item = self._items[self._next]
            self._next += 1
            if isinstance(item, Words):
                nodes.append(Text(item.text))
            elif item.kind == "/" or _is_else(item):
                return (*partials, *nodes), item
            else:
                node = self._node(item)
                (partials if isinstance(node, Inline) else nodes).append(node)
        return (*partials, *nodes), None

    def _node(self, tag: Tag) -> Node:
        if tag.kind in ("#", "^"):
            self._deeper(tag)
            node = self._inline(tag) if tag.inner.startswith("*") else self._block(tag)
            self._depth -= 1
            return node
        words, more, names = _arguments(tag, tag.inner)
        if names:
            raise _wrong(tag, "'as' belongs to a block")
        return _partial(tag, words, more) if tag.kind == ">" else Value(_called(tag, words, more))

    def _inline(self, tag: Tag) -> Inline:
        words, _, _ = _arguments(tag, tag.inner[1:].strip())
        if len(words) != 2 or not _is_name(words[0], "inline") or not isinstance(words[1], Literal):
            raise _wrong(tag, 'a partial is made by {{#* inline "name"}}')
        inner, end = self._nodes()
        _must_close(tag, end, "inline")
        return Inline(str(words[1].value), inner)

    def _block(self, tag: Tag) -> Block:
        kind, of, names = _opening(tag, tag.inner)
        inner, end = self._nodes()
        other: tuple[Node, ...] = ()
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        _must_close(tag, end, tag.inner.split()[0])
        if tag.kind == "^":
            inner, other = other, inner
        return Block(kind, of, names, inner, other)

    def _otherwise(self, tag: Tag) -> tuple[tuple[Node, ...], Tag | None]:
        """Parses what follows an else, which may open a further block that the same tag closes."""
        chained = tag.inner[4:].strip() if tag.inner.startswith("else") else ""
        if not chained:
            nodes, end = self._nodes()
            if end is not None and _is_else(end):
                raise _wrong(end, "a second else")
            return nodes, end
        kind, of, names = _opening(tag, chained)
        inner, end = self._nodes()
        other: tuple[Node, ...] = ()
        self._deeper(tag)
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        self._depth -= 1
        return (Block(kind, of, names, inner, other),), end

    def _deeper(self, tag: Tag) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _wrong(tag, f"more than {MOST_DEPTH} blocks inside each other")


# tags


def _wrong(tag: Tag, why: str) -> TemplateError:
    return TemplateError(f"line {tag.line}: {why}")


def _is_else(tag: Tag) -> bool:
    if tag.kind == "^":
        return not tag.inner
    return tag.kind == "" and tag.inner.split(maxsplit=1)[:1] == ["else"]


def _must_close(tag: Tag, end: Tag | None, name: str) -> None:
    if end is None:
        raise _wrong(tag, f"'{name}' is not closed")
    if end.kind != "/" or end.inner != name:
        raise _wrong(end, f"found '{{{{{end.kind}{end.inner}}}}}' where '{{{{/{name}}}}}' was expected")


def _opening(tag: Tag, text: str) -> tuple[str, Argument, tuple[str, ...]]:
    words, _, names = _arguments(tag, text)
    if not words:
        raise _wrong(tag, "a block needs a name")
    first = words[0]
    if isinstance(first, Path) and first.text in BLOCKS:
        if len(words) == 1:
            raise _wrong(tag, f"'{first.text}' takes a value")
        return first.text, words[1], names
    return "section", first, names


def _partial(tag: Tag, words: list[Argument], more: dict[str, Argument]) -> Partial:
    if not 1 <= len(words) <= 2:
        raise _wrong(tag, "a partial has a name and at most one value")
    name = words[0]
    if isinstance(name, Path):
        name = Literal(name.text)
    return Partial(name, words[1] if len(words) == 2 else None, tuple(more.items()))


def _called(tag: Tag, words: list[Argument], more: dict[str, Argument]) -> Argument:
    """Returns a value, or a call of a helper."""
    if not words:
        raise _wrong(tag, "a tag needs a name")
    if _is_name(words[0], "lookup") and len(words) == 3:
        return Lookup(words[1], words[2])
    if len(words) == 1 and not more:
        return words[0]
    if not isinstance(words[0], Path):
        raise _wrong(tag, "a helper has a name")
    return UnknownHelper(words[0])


# inside a tag


def _arguments(tag: Tag, text: str) -> tuple[list[Argument], dict[str, Argument], tuple[str, ...]]:
    found = _Arguments(tag, text.strip())
    words, more = found.group()
    if not (words or more or found.names):
        raise _wrong(tag, "a tag is empty")
    return words, more, found.names


class _Arguments:
    def __init__(self, tag: Tag, text: str) -> None:
        self._tag = tag
        self._text = text
        self._at = 0
        self._depth = 0
        self.names: tuple[str, ...] = ()

    def group(self) -> tuple[list[Argument], dict[str, Argument]]:
        """Parses up to the end, or to the closing parenthesis."""
        words: list[Argument] = []
        more: dict[str, Argument] = {}
        key = ""
        while self._at < len(self._text):
            found = _TOKEN.match(self._text, self._at)
            if found is None or self.names:
                raise self._unclear(self._text[self._at :])
            self._at = found.end()
            if found["close"]:
                self._depth -= 1
                break
            if found["as"] and not (key or self._depth):
                self.names = tuple(found["names"].split())
            elif found["hash"] and not key:
                key = found["hash"]
            elif key:
                more[key], key = self._word(found), ""
            else:
                words.append(self._word(found))
        if key or self._depth < 0:
            raise self._unclear(f"{key}=" if key else ")")
        return words, more

    def _word(self, found: re.Match[str]) -> Argument:
        if found["open"]:
            return self._sub()
        if (quoted := found["string"]) is not None:
            return Literal(quoted[1:-1].replace("\\" + quoted[0], quoted[0]))
        if (number := found["number"]) is not None:
            return Literal(float(number) if "." in number else int(number[:18]))
        name = found["path"]
        if name is None:
            raise self._unclear(found[0])
        if name in ("true", "false"):
            return Literal(name == "true")
        return Literal(None) if name in ("null", "undefined") else _path(name)

    def _sub(self) -> Argument:
        depth = self._depth
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._unclear("(")
        words, more = self.group()
        if self._depth != depth:
            raise _wrong(self._tag, "a parenthesis is not closed")
        called = _called(self._tag, words, more)
        return UnknownHelper(called) if isinstance(called, Path) else called

    def _unclear(self, text: str) -> TemplateError:
        return _wrong(self._tag, f"'{text.strip()[:40]}' is not understood")


def _is_name(word: Argument, name: str) -> bool:
    return isinstance(word, Path) and word.text == name


def _path(text: str) -> Path:
    rest, up = text, 0
    data = rest.startswith("@")
    rest = rest[data:]
    while rest.startswith("../") or rest == "..":
        rest, up = rest[3:], up + 1
    here = rest.startswith(("./", "this.", "this/")) or rest in (".", "this")
    rest = re.sub(r"^(?:\./|this[./]|this$|\.$)", "", rest)
    parts = tuple(
        part[1:-1] if part.startswith("[") else part for part in re.findall(r"\[[^\]]*\]|[^./\[\]]+", rest)
    )
    return Path(text, up, parts, data, bare=not (here or up or data))
