"""Reads a template in SES's language into a tree, in linear time and with bounded depth. An error has the line of its tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.messages import templates

MOST_DEPTH: Final = 64  #: of blocks, partials, parentheses and printed values inside each other
BLOCKS: Final = ("if", "unless", "each", "with")

_LONGEST_TAG = 4096  #: characters; comments may be longer
_SPACE = " \t\r\n\f\v"
#: What ends a tag, by how it begins.
_COMMENT, _COMMENT_END = re.compile(r"\{\{~?!--"), re.compile(r"--~?\}\}")
_TRIPLE, _TRIPLE_END = re.compile(r"\{\{~?\{"), re.compile(r"\}~?\}\}")
_WORD = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?)(?=[\s)]|$)
      | (?P<open>\()
      | (?P<close>\))
      | as\s*\|(?P<names>[^|]*)\|
      | (?P<hash>[^\s()=|"'{}\[\]]+)=
      | (?P<path>(?:@|\.\./|\./|\[[^\]]*\]|[^\s()=|"'{}!\#%&*+,;<>@\[\]^`~])(?:\[[^\]]*\]|[^\s()=|"'{}\[\]])*)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\[[^\]]*\]|[^./\[\]]+")


@dataclass(frozen=True, slots=True)
class Path:
    text: str  #: as written
    up: int  #: how often it begins with ../
    parts: tuple[str, ...]  #: empty: the value itself
    is_data: bool  #: it begins with @
    is_bare: bool  #: a plain name, which is looked for around the value too


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """`(lookup of key)`."""

    of: Argument
    key: Argument


Argument = Path | Literal | Lookup


@dataclass(frozen=True, slots=True)
class Value:
    line: int
    of: Argument


@dataclass(frozen=True, slots=True)
class Block:
    """`{{#kind of as |names|}} inner {{else}} other {{/kind}}`. A block of any other name is a `section` of that value."""

    line: int
    kind: str
    of: Argument
    names: tuple[str, ...]
    inner: tuple[Node, ...]
    other: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Inline:
    """`{{#* inline "name"}} inner {{/inline}}`. It is defined in the whole block that it is in."""

    line: int
    name: str
    inner: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """`{{> name context key=value}}`."""

    line: int
    name: str
    context: Argument | None
    more: tuple[tuple[str, Argument], ...]


Node = str | Value | Block | Inline | Partial


@dataclass(frozen=True, slots=True)
class _Tag:
    line: int
    kind: str  #: # ^ / > or empty
    inner: str


def parse(part: str, source: str) -> tuple[Node, ...]:
    """Raises RenderingFault. `part` is the name of the source in the fault."""
    return _Parser(part, source).all()


def shown(of: Argument) -> str:
    """An argument as a fault names it."""
    if isinstance(of, Path):
        return of.text
    if isinstance(of, Lookup):
        return f"lookup {shown(of.of)} {shown(of.key)}"
    return "null" if of.value is None else str(of.value)


class _Parser:
    def __init__(self, part: str, source: str) -> None:
        self._part = part
        self._source = source
        self._items: list[str | _Tag] = []
        self._next = 0
        self._depth = 0

    def all(self) -> tuple[Node, ...]:
        self._scan()
        nodes, end = self._nodes()
        if end is not None:
            raise self._wrong(end.line, templates.block_closed_wrongly(f"{end.kind}{end.inner}"[:80], None))
        return nodes

    def _wrong(self, line: int, why: str) -> RenderingFault:
        return RenderingFault(self._part, why, line=line)

    def _unclear(self, tag: _Tag) -> RenderingFault:
        return self._wrong(tag.line, templates.tag_unclear(f"{tag.kind}{tag.inner}"[:80]))

    # Text and tags

    def _scan(self) -> None:
        source, done, line, trims = self._source, 0, 1, False
        while (at := source.find("{{", done)) >= 0:
            slashes = len(source[max(done, at - 2) : at]) - len(source[max(done, at - 2) : at].rstrip("\\"))
            if slashes == 1:  # \{{ is text
                self._text(source[done : at - 1] + "{{", trims, False)
                line += source.count("\n", done, at)
                done, trims = at + 2, False
                continue
            line += source.count("\n", done, at)
            end = self._end(at, line)
            body = source[at + 2 : end - 2]
            self._text(source[done : at - (slashes == 2)], trims, body.startswith("~"))
            self._tag(body, line)
            trims = body.endswith("~")
            line += source.count("\n", at, end)
            done = end
        self._text(source[done:], trims, False)

    def _end(self, at: int, line: int) -> int:
        end = None
        for opens, closes in ((_COMMENT, _COMMENT_END), (_TRIPLE, _TRIPLE_END)):
            if opens.match(self._source, at):
                found = closes.search(self._source, at + 3)
                end = -1 if found is None else found.end()
                break
        if end is None:
            end = self._source.find("}}", at + 2) + 2
        if end < at + 2:
            raise self._wrong(line, templates.tag_not_closed(self._source[at : at + 40]))
        return end

    def _text(self, text: str, trims_left: bool, trims_right: bool) -> None:
        text = text.lstrip(_SPACE) if trims_left else text
        text = text.rstrip(_SPACE) if trims_right else text
        if text:
            self._items.append(text)

    def _tag(self, body: str, line: int) -> None:
        inner = body.removeprefix("~")
        inner = inner[:-1] if inner.endswith("~") else inner
        if inner.startswith("!"):
            return
        if inner.startswith("{") and inner.endswith("}"):  # nothing is escaped, so three braces are as two
            inner = inner[1:-1]
        inner = inner.strip()
        kind = inner[:1] if inner[:1] in ("#", "^", "/", ">", "&") else ""
        tag = _Tag(line, kind.replace("&", ""), inner[len(kind) :].strip())
        if len(inner) > _LONGEST_TAG:
            raise self._unclear(tag)
        self._items.append(tag)

    # The tree

    def _nodes(self) -> tuple[tuple[Node, ...], _Tag | None]:
        """What comes up to a closing tag or an else, and that tag; None at the end."""
        partials: list[Node] = []
        nodes: list[Node] = []
        while self._next < len(self._items):
            item = self._items[self._next]
            self._next += 1
            if isinstance(item, str):
                nodes.append(item)
            elif item.kind == "/" or _is_else(item):
                return (*partials, *nodes), item
            else:
                node = self._node(item)
                (partials if isinstance(node, Inline) else nodes).append(node)
        return (*partials, *nodes), None

    def _node(self, tag: _Tag) -> Node:
        if tag.kind in ("#", "^"):
            self._deeper(tag)
            node = self._inline(tag) if tag.inner.startswith("*") else self._block(tag)
            self._depth -= 1
            return node
        words, more, names = self._words(tag, tag.inner)
        if names or not words:
            raise self._unclear(tag)
        if tag.kind == ">":
            name = words[0]
            if len(words) > 2 or isinstance(name, Lookup):
                raise self._unclear(tag)
            return Partial(tag.line, shown(name), words[1] if len(words) == 2 else None, tuple(more.items()))
        if len(words) == 3 and shown(words[0]) == "lookup":
            return Value(tag.line, Lookup(words[1], words[2]))
        if (len(words) > 1 or more) and not isinstance(words[0], Path):
            raise self._unclear(tag)
        return Value(tag.line, words[0])  # SES takes a helper that it does not have as a name

    def _deeper(self, tag: _Tag) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._wrong(tag.line, templates.nested_too_deep(MOST_DEPTH))

    def _inline(self, tag: _Tag) -> Inline:
        words, _, _ = self._words(tag, tag.inner[1:].strip())
        if len(words) != 2 or shown(words[0]) != "inline" or not isinstance(words[1], Literal):
            raise self._unclear(tag)
        inner, end = self._nodes()
        self._must_close(tag, end, "inline")
        return Inline(tag.line, str(words[1].value), inner)

    def _block(self, tag: _Tag) -> Block:
        kind, of, names = self._opening(tag, tag.inner)
        inner, end = self._nodes()
        other: tuple[Node, ...] = ()
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        self._must_close(tag, end, tag.inner.split(maxsplit=1)[0])
        if tag.kind == "^":
            inner, other = other, inner
        return Block(tag.line, kind, of, names, inner, other)

    def _otherwise(self, tag: _Tag) -> tuple[tuple[Node, ...], _Tag | None]:
        """What follows an else. `{{else if x}}` opens a block that the same closing tag closes."""
        chained = tag.inner.removeprefix("else").strip()
        if not chained:
            nodes, end = self._nodes()
            if end is not None and _is_else(end):
                raise self._unclear(end)
            return nodes, end
        kind, of, names = self._opening(tag, chained)
        inner, end = self._nodes()
        other: tuple[Node, ...] = ()
        self._deeper(tag)
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        self._depth -= 1
        return (Block(tag.line, kind, of, names, inner, other),), end

    def _must_close(self, tag: _Tag, end: _Tag | None, name: str) -> None:
        if end is None:
            raise self._wrong(tag.line, templates.block_not_closed(name[:80]))
        if end.kind != "/" or end.inner != name:
            raise self._wrong(
                end.line, templates.block_closed_wrongly(f"{end.kind}{end.inner}"[:80], name[:80])
            )

    def _opening(self, tag: _Tag, text: str) -> tuple[str, Argument, tuple[str, ...]]:
        words, more, names = self._words(tag, text)
        if not words or more:
            raise self._unclear(tag)
        if (name := shown(words[0])) in BLOCKS and isinstance(words[0], Path):
            if len(words) != 2:
                raise self._unclear(tag)
            return name, words[1], names
        if len(words) != 1:
            raise self._unclear(tag)
        return "section", words[0], names

    # In a tag

    def _words(self, tag: _Tag, text: str) -> tuple[list[Argument], dict[str, Argument], tuple[str, ...]]:
        reader = _Words(text)
        try:
            words, more = reader.group(0)
        except ValueError:
            raise self._unclear(tag) from None
        return words, more, reader.names


class _Words:
    """Raises ValueError for what is not understood."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._at = 0
        self.names: tuple[str, ...] = ()

    def group(self, depth: int) -> tuple[list[Argument], dict[str, Argument]]:
        """Up to the end, or in parentheses up to the closing one."""
        words: list[Argument] = []
        more: dict[str, Argument] = {}
        key = ""
        while self._at < len(self._text):
            found = _WORD.match(self._text, self._at)
            if found is None or self.names or depth > MOST_DEPTH:
                raise ValueError
            self._at = found.end()
            if found["close"]:
                if depth == 0 or key:
                    raise ValueError
                return words, more
            if found["names"] is not None:
                if depth or key:
                    raise ValueError
                self.names = tuple(found["names"].split())
            elif found["hash"]:
                if key:
                    raise ValueError
                key = found["hash"]
            elif key:
                more[key], key = self._word(found, depth), ""
            else:
                words.append(self._word(found, depth))
        if key or depth:
            raise ValueError
        return words, more

    def _word(self, found: re.Match[str], depth: int) -> Argument:
        if found["open"]:
            words, more = self.group(depth + 1)
            if len(words) == 3 and shown(words[0]) == "lookup" and not more:
                return Lookup(words[1], words[2])
            if not words or ((len(words) > 1 or more) and not isinstance(words[0], Path)):
                raise ValueError
            return words[0]
        if (quoted := found["string"]) is not None:
            return Literal(quoted[1:-1].replace("\\" + quoted[0], quoted[0]))
        if (number := found["number"]) is not None:
            return Literal(float(number) if "." in number else int(number[:18]))
        name = found["path"]
        if name in ("true", "false"):
            return Literal(name == "true")
        return Literal(None) if name in ("null", "undefined") else _path(name)


def _is_else(tag: _Tag) -> bool:
    if tag.kind == "^":
        return not tag.inner
    return tag.kind == "" and tag.inner.split(maxsplit=1)[:1] == ["else"]


def _path(text: str) -> Path:
    rest, up = text.removeprefix("@"), 0
    is_data = rest != text
    while rest.startswith("../") or rest == "..":
        rest, up = rest[3:], up + 1
    here = re.match(r"\./|this[./]|(?:this|\.)$", rest)
    rest = rest if here is None else rest[here.end() :]
    parts = tuple(part[1:-1] if part.startswith("[") else part for part in _STEP.findall(rest))
    return Path(text, up, parts, is_data, not (here or up or is_data))
