"""Reading a Handlebars template: the text becomes a tree, or a TemplateError says where it is wrong. SES renders by
Handlebars' Java edition with a few of its helpers; no Python library follows that, least of all in how it fails, so
the reader is our own. Pure; bounded in depth, since templates are strangers' text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MOST_DEPTH: Final = 64  #: blocks inside each other
BLOCKS: Final = ("if", "unless", "each", "with")

_TAG: Final = re.compile(r"(\\*)(\{\{)(!--.*?--~?\}\}|\{[^{}]*\}?\}\}|[^{].*?\}\}|\}\})", re.DOTALL)
_SPACE: Final = " \t\r\n"
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


class TemplateError(Exception):
    """The template cannot be read. Its text says why and at which line."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where in the data something stands."""

    text: str  #: as written, for messages
    up: int  #: how many `../`
    parts: tuple[str, ...]  #: empty: `this`
    data: bool  #: begins with @
    bare: bool  #: a plain first name, which is looked for in the contexts around as well


@dataclass(frozen=True, slots=True)
class Literal:
    value: object


@dataclass(frozen=True, slots=True)
class Lookup:
    """`(lookup object key)`."""

    of: Argument
    key: Argument


Argument = Path | Literal | Lookup


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
    """`{{#* inline "name"}}`: a partial made on the spot."""

    name: str
    inner: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """`{{> name context key=value}}`."""

    name: Argument
    context: Argument | None
    more: tuple[tuple[str, Argument], ...]


Node = Text | Value | Block | Inline | Partial


def read(template: str) -> tuple[Node, ...]:
    """The tree of a template. Raises TemplateError."""
    return _Reader(template).all()


@dataclass(slots=True)
class _Tag:
    kind: str  #: one of # ^ / > or "" for a value
    inner: str
    at: int
    trims_before: bool
    trims_after: bool


class _Reader:
    def __init__(self, template: str) -> None:
        self._template = template
        self._items: list[Text | _Tag] = list(self._split())
        self._next = 0
        self._depth = 0

    def all(self) -> tuple[Node, ...]:
        nodes, end = self._nodes()
        if end is not None:
            raise self._wrong(end, f"found '{{{{{end.kind}{end.inner}}}}}' where no block is open")
        return nodes

    # text and tags

    def _split(self) -> list[Text | _Tag]:
        items: list[Text | _Tag] = []
        done = 0
        trim = False

        def text(to: int, *, before: bool) -> None:
            nonlocal trim
            piece = self._template[done:to]
            piece = piece.lstrip(_SPACE) if trim else piece
            piece = piece.rstrip(_SPACE) if before else piece
            if piece:
                items.append(Text(piece))
            trim = False

        for found in _TAG.finditer(self._template):
            if found.start() < done:
                continue
            slashes = len(found[1])
            if slashes % 2:  # \{{ is text
                text(found.start(2) - 1, before=False)
                items.append(Text(found[2] + found[3]))
                done = found.end()
                continue
            tag = self._tag(found.start(2), found[3])
            text(found.start(2) - slashes // 2, before=tag.trims_before)
            trim = tag.trims_after
            if tag.kind != "!":
                items.append(tag)
            done = found.end()
        rest = self._template[done:]
        if "{{" in rest.replace("\\{{", ""):
            raise TemplateError(f"{self._line(done + rest.index('{{'))}: a tag is not closed")
        text(len(self._template), before=False)
        return items

    def _tag(self, at: int, body: str) -> _Tag:
        if body.startswith("{"):
            if not body.endswith("}}}"):
                raise TemplateError(f"{self._line(at)}: '{{{{{{' needs '}}}}}}'")
            return _Tag("", body[1:-3].strip(), at, False, False)
        inner = body[:-2]
        before, after = inner.startswith("~"), inner.endswith("~")
        inner = inner[before : len(inner) - after if after else None].strip()
        if inner.startswith("!"):
            return _Tag("!", "", at, before, after)
        kind = inner[:1] if inner[:1] in "#^/>&" and inner else ""
        return _Tag("" if kind == "&" else kind, inner[len(kind) :].strip(), at, before, after)

    def _line(self, at: int) -> str:
        return f"line {self._template.count(chr(10), 0, at) + 1}"

    def _wrong(self, tag: _Tag, why: str) -> TemplateError:
        return TemplateError(f"{self._line(tag.at)}: {why}")

    # the tree

    def _nodes(self) -> tuple[tuple[Node, ...], _Tag | None]:
        """Up to the tag that ends them: a closing one, an else, or none at the end."""
        nodes: list[Node] = []
        while self._next < len(self._items):
            item = self._items[self._next]
            self._next += 1
            if isinstance(item, Text):
                nodes.append(item)
            elif item.kind == "/" or _is_else(item):
                return tuple(nodes), item
            else:
                nodes.append(self._node(item))
        return tuple(nodes), None

    def _node(self, tag: _Tag) -> Node:
        if tag.kind in ("#", "^"):
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise self._wrong(tag, f"more than {MOST_DEPTH} blocks inside each other")
            node = self._inline(tag) if tag.inner.startswith("*") else self._block(tag)
            self._depth -= 1
            return node
        words, more, names = self._arguments(tag, tag.inner)
        if names:
            raise self._wrong(tag, "'as' belongs to a block")
        if tag.kind == ">":
            return self._partial(tag, words, more)
        if len(words) == 3 and _is_name(words[0], "lookup") and not more:
            return Value(Lookup(words[1], words[2]))
        if len(words) != 1 or more:
            raise self._wrong(tag, f"could not find helper: '{tag.inner.split()[0] if tag.inner else ''}'")
        return Value(words[0])

    def _inline(self, tag: _Tag) -> Inline:
        words, _, _ = self._arguments(tag, tag.inner[1:].strip())
        if len(words) != 2 or not _is_name(words[0], "inline") or not isinstance(words[1], Literal):
            raise self._wrong(tag, 'a partial is made by {{#* inline "name"}}')
        inner, end = self._nodes()
        self._must_close(tag, end, "inline")
        return Inline(str(words[1].value), inner)

    def _block(self, tag: _Tag) -> Block:
        kind, of, names = self._opening(tag, tag.inner)
        inner, end = self._nodes()
        name = tag.inner.split()[0] if tag.inner else ""
        other: tuple[Node, ...] = ()
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        self._must_close(tag, end, name)
        if tag.kind == "^":
            inner, other = other, inner
        return Block(kind, of, names, inner, other)

    def _otherwise(self, tag: _Tag) -> tuple[tuple[Node, ...], _Tag | None]:
        """What follows an else, which may open a further block that the same tag closes."""
        chained = tag.inner[4:].strip() if tag.inner.startswith("else") else ""
        if not chained:
            nodes, end = self._nodes()
            if end is not None and _is_else(end):
                raise self._wrong(end, "a second else")
            return nodes, end
        kind, of, names = self._opening(tag, chained)
        inner, end = self._nodes()
        other: tuple[Node, ...] = ()
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._wrong(tag, f"more than {MOST_DEPTH} blocks inside each other")
        if end is not None and _is_else(end):
            other, end = self._otherwise(end)
        self._depth -= 1
        return (Block(kind, of, names, inner, other),), end

    def _opening(self, tag: _Tag, text: str) -> tuple[str, Argument, tuple[str, ...]]:
        words, more, names = self._arguments(tag, text)
        if not words or more:
            raise self._wrong(tag, "a block needs a name")
        first = words[0]
        if isinstance(first, Path) and first.text in BLOCKS:
            if len(words) != 2:
                raise self._wrong(tag, f"'{first.text}' takes one value")
            return first.text, words[1], names
        if len(words) != 1:
            raise self._wrong(tag, f"could not find helper: '{text.split()[0]}'")
        return "section", first, names

    def _partial(self, tag: _Tag, words: list[Argument], more: dict[str, Argument]) -> Partial:
        if not 1 <= len(words) <= 2:
            raise self._wrong(tag, "a partial has a name and at most one value")
        name = words[0]
        if isinstance(name, Path):
            name = Literal(name.text)
        return Partial(name, words[1] if len(words) == 2 else None, tuple(more.items()))

    def _must_close(self, tag: _Tag, end: _Tag | None, name: str) -> None:
        if end is None:
            raise self._wrong(tag, f"'{name}' is not closed")
        if end.kind != "/" or end.inner != name:
            raise self._wrong(
                end, f"found '{{{{{end.kind}{end.inner}}}}}' where '{{{{/{name}}}}}' was expected"
            )

    # what stands in a tag

    def _arguments(self, tag: _Tag, text: str) -> tuple[list[Argument], dict[str, Argument], tuple[str, ...]]:
        words: list[Argument] = []
        more: dict[str, Argument] = {}
        names: tuple[str, ...] = ()
        at, key = 0, ""
        while at < len(text) and text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or names:
                raise self._wrong(tag, f"'{text[at:].strip()[:40]}' is not understood")
            at = found.end()
            if found["as"]:
                names = tuple(found["names"].split())
            elif found["hash"]:
                key = found["hash"]
            else:
                if found["open"]:
                    word, at = self._sub(tag, text, at)
                else:
                    word = self._word(tag, found)
                if key:
                    more[key], key = word, ""
                else:
                    words.append(word)
        if key or not (words or names):
            raise self._wrong(tag, "a tag is empty" if not key else f"'{key}=' has no value")
        return words, more, names

    def _sub(self, tag: _Tag, text: str, at: int) -> tuple[Argument, int]:
        end = text.find(")", at)
        words, more, names = self._arguments(tag, text[at:end] if end >= 0 else "")
        if len(words) != 3 or not _is_name(words[0], "lookup") or more or names or "(" in text[at:end]:
            raise self._wrong(tag, "of helpers inside helpers only (lookup object key) is known")
        return Lookup(words[1], words[2]), end + 1

    def _word(self, tag: _Tag, found: re.Match[str]) -> Argument:
        if (quoted := found["string"]) is not None:
            return Literal(quoted[1:-1].replace("\\" + quoted[0], quoted[0]))
        if (number := found["number"]) is not None:
            return Literal(float(number) if "." in number else int(number[:18]))
        if found["path"] is None:
            raise self._wrong(tag, f"'{found[0].strip()}' is not understood")
        name = found["path"]
        if name in ("true", "false"):
            return Literal(name == "true")
        return Literal(None) if name in ("null", "undefined") else _path(name)


def _is_else(tag: _Tag) -> bool:
    if tag.kind == "^":
        return not tag.inner
    return tag.kind == "" and (tag.inner == "else" or tag.inner.startswith(("else ", "else\n", "else\t")))


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
