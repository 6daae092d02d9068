"""The dialect `ses`: SES's template language, the subset of Handlebars that its Java edition and SES's documentation have.

As at SES nothing is escaped, in HTML neither, and a name that the data does not have is an error; `if`, `unless`, `each` and
`with` take it as empty (ses.md 3.3). Steps, depth and output are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import MOST_OUTPUT, Rendered
from mailcordon.messages import templates
from mailcordon.send.rendering import ses_parser
from mailcordon.send.rendering.ses_parser import MOST_DEPTH, Block, Inline, Lookup, Node, Partial, Path, Value

MOST_STEPS: Final = 100_000  #: in subject, text and HTML together
#: SES puts its own link in this place after it has rendered the template.
UNSUBSCRIBE: Final = "amazonSESUnsubscribeUrl"


class _Missing:
    pass


_MISSING: Final = _Missing()


class Template:
    """A parsed version. Raises RenderingFault for a source that is not well-formed."""

    def __init__(self, subject: str, text: str | None, html: str | None) -> None:
        sources = {"subject": subject, "text": text, "html": html}
        self._parts = {
            part: ses_parser.parse(part, source) for part, source in sources.items() if source is not None
        }

    def render(self, data: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
        """Subject, text and HTML. Raises RenderingFault."""
        filling = _Filling(data)
        done = {part: filling.text(part, nodes) for part, nodes in self._parts.items()}
        return done["subject"], done.get("text"), done.get("html")


def render_ses(subject: str, text: str | None, html: str | None, data: Mapping[str, Any]) -> Rendered:
    """What SES makes of these sources and this data. No text is derived. Raises RenderingFault."""
    return Rendered(*Template(subject, text, html).render(data))


@dataclass(slots=True)
class _Scope:
    value: Any
    around: _Scope | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])  #: @index, @key, @first, @last
    names: dict[str, Any] = field(
        default_factory=dict[str, Any]
    )  #: of `as |item index|`, and of a partial's key=value


class _Filling:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self._root = _Scope(dict(data))
        self._steps = self._size = self._depth = 0
        self._part = ""
        self._line = 1
        self._out: list[str] = []
        self._partials: dict[str, tuple[Node, ...]] = {}

    def text(self, part: str, nodes: tuple[Node, ...]) -> str:
        self._part, self._out, self._partials = part, [], {}
        self._all(nodes, self._root)
        return "".join(self._out)

    def _all(self, nodes: tuple[Node, ...], scope: _Scope) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._fault(templates.nested_too_deep(MOST_DEPTH))
        outer = self._partials
        for node in nodes:
            self._step()
            if isinstance(node, str):
                self._put(node)
                continue
            self._line = node.line
            if isinstance(node, Value):
                self._put(self._printed(node, scope))
            elif isinstance(node, Block):
                self._block(node, scope)
            elif isinstance(node, Inline):
                self._step(len(self._partials))
                self._partials = {**self._partials, node.name: node.inner}
            else:
                self._partial(node, scope)
        self._partials = outer
        self._depth -= 1

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise self._fault(templates.too_many_steps(MOST_STEPS))

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > MOST_OUTPUT:
            raise self._fault(templates.output_too_long(MOST_OUTPUT))
        self._out.append(text)

    def _fault(self, problem: str, variable: str | None = None) -> RenderingFault:
        return RenderingFault(self._part, problem, line=self._line, variable=variable)

    # Blocks

    def _block(self, block: Block, scope: _Scope) -> None:
        kind = block.kind
        value = self._found(block.of, scope)
        if kind == "section":
            if value is None or value is _MISSING:
                raise self._absent(block.of)
            # A list is looped over, an object entered; anything else is a condition.
            kind = "each" if isinstance(value, list) else "with" if isinstance(value, dict) else "if"
        if kind == "each":
            self._each(block, value, scope)
        elif kind == "with" and _holds(value):
            names: dict[str, Any] = {block.names[0]: value} if block.names else {}
            self._all(block.inner, _Scope(value, scope, scope.data, names))
        else:
            self._all(block.inner if _holds(value) is (kind != "unless") else block.other, scope)

    def _each(self, block: Block, value: Any, scope: _Scope) -> None:
        items: list[tuple[Any, Any]] = []
        if isinstance(value, dict):
            items = list(cast("dict[str, Any]", value).items())
        elif isinstance(value, list):
            items = list(enumerate(cast("list[Any]", value)))
        if not items:
            self._all(block.other, scope)
            return
        self._step(len(items))
        last = len(items) - 1
        for index, (key, item) in enumerate(items):
            data = {"index": index, "key": key, "first": index == 0, "last": index == last}
            self._all(
                block.inner, _Scope(item, scope, data, dict(zip(block.names, (item, key), strict=False)))
            )

    def _partial(self, partial: Partial, scope: _Scope) -> None:
        nodes = self._partials.get(partial.name)
        if nodes is None:
            raise self._fault(templates.no_partial(partial.name[:80]))
        self._step(len(partial.more))
        names = {key: self._needed(of, scope) for key, of in partial.more}
        value = scope.value if partial.context is None else self._needed(partial.context, scope)
        self._all(nodes, _Scope(value, scope, scope.data, names))

    # Values

    def _needed(self, of: ses_parser.Argument, scope: _Scope) -> Any:
        value = self._found(of, scope)
        if value is None or value is _MISSING:
            raise self._absent(of)
        return value

    def _printed(self, value: Value, scope: _Scope) -> str:
        if isinstance(value.of, Path) and value.of.text == UNSUBSCRIBE:
            found = self._found(value.of, scope)
            return f"{{{{{UNSUBSCRIBE}}}}}" if found is None or found is _MISSING else self._shown(found)
        return self._shown(self._needed(value.of, scope))

    def _absent(self, of: ses_parser.Argument) -> RenderingFault:
        name = ses_parser.shown(of)[:80]
        return self._fault(templates.variable_missing(name), name)

    def _found(self, of: ses_parser.Argument, scope: _Scope) -> Any:
        if isinstance(of, Path):
            return self._at(of, scope)
        if isinstance(of, Lookup):
            self._step()
            return _member(self._found(of.of, scope), self._shown(self._found(of.key, scope)))
        return of.value

    def _at(self, path: Path, scope: _Scope) -> Any:
        self._step(path.up)
        for _ in range(path.up):
            scope = scope.around or scope
        if not path.parts:
            return _MISSING if path.is_data else scope.value
        first, *rest = path.parts
        if path.is_data:
            found = self._root.value if first == "root" else scope.data.get(first, _MISSING)
        else:
            found = self._first(first, scope, bare=path.is_bare)
        for part in rest:
            found = _member(found, part)
        return found

    def _first(self, name: str, scope: _Scope, *, bare: bool) -> Any:
        """Handlebars' Java edition looks for a plain name around the current value too."""
        around: _Scope | None = scope
        while around is not None:
            if bare and name in around.names:
                return around.names[name]
            found = _member(around.value, name)
            if found is not _MISSING or not bare:
                return found
            around = around.around
            self._step()
        return _MISSING

    def _shown(self, value: Any, depth: int = 0) -> str:
        """As Java prints it."""
        if isinstance(value, str):
            return value
        if value is None or value is _MISSING:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, list | dict):
            return str(value)
        if depth > MOST_DEPTH:
            raise self._fault(templates.nested_too_deep(MOST_DEPTH))
        self._step(len(cast("list[Any]", value)) + 1)
        if isinstance(value, list):
            return f"[{', '.join([self._shown(one, depth + 1) for one in cast('list[Any]', value)])}]"
        members = cast("dict[str, Any]", value).items()
        return f"{{{', '.join([f'{key}={self._shown(one, depth + 1)}' for key, one in members])}}}"


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
    return isinstance(value, dict) or (value is not _MISSING and bool(value))
