"""The text of a document, of tenants or a policy, in YAML or JSON, with the line of each member.

Faults of a document name a member by its path; here they get the line. YAML is read as plain data: no tags, no anchors, no merge
keys, and no name twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from mailcordon.core import document_path
from mailcordon.messages import document as messages

_DEEPEST = 32
_MAP, _SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_STR, _BOOL, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
#: What YAML 1.1 calls true and false, without `yes`, `no`, `on` and `off`: `no` is a language and a country.
_TRUTH = {"true": True, "false": False}


class Unreadable(ValueError):
    """It is not the YAML that a document may be. The text says where, and why."""


@dataclass(frozen=True, slots=True)
class Read:
    data: object
    name: str  #: of the file, as it was given
    lines: dict[str, int] = field(default_factory=dict[str, int])  #: by path, from 1

    def located(self, faults: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Faults with `FILE:LINE: ` before the path, in the order of the file."""
        placed = sorted((self.line(where), where, problem) for where, problem in faults)
        return [(f"{self.name}:{line}: {where}", problem) for line, where, problem in placed]

    def line(self, where: str) -> int:
        """The line of a member, else of the nearest one around it."""
        while where and where not in self.lines:
            where = where[: max(where.rfind("."), where.rfind("["))] if "." in where or "[" in where else ""
        return self.lines.get(where, 1)


#: The parser in C where the wheel has it: ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """Composes nodes only; nothing is constructed. `no`, `on`, `2026-11-29` and `1:20` are text, as in YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [
            (tag, pattern)
            for tag, pattern in pairs
            if tag in (_NULL, _INT, _FLOAT) or (tag == _BOOL and first in "tTfF")
        ]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse(text: str, name: str) -> Read:
    """`name`: what faults call the text. Raises Unreadable."""
    try:
        node: Any = _compose(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise Unreadable(messages.file_not_yaml(file=name, line=line, why=error.problem or "")) from None
    except yaml.YAMLError as error:
        raise Unreadable(messages.file_not_yaml(file=name, line=1, why=str(error))) from None
    except RecursionError:
        raise Unreadable(messages.file_too_deep(file=name, line=1)) from None
    if node is None:
        raise Unreadable(messages.file_empty(file=name))
    found = Read(None, name)
    seen: set[int] = set()
    return Read(_value(node, "", found, seen, 0), name, found.lines)


def _compose(text: str) -> Any:
    loader: Any = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _value(node: Any, where: str, found: Read, seen: set[int], depth: int) -> object:
    line = node.start_mark.line + 1
    found.lines.setdefault(where, line)
    if depth > _DEEPEST:
        raise Unreadable(messages.file_too_deep(file=found.name, line=line))
    if not isinstance(node, yaml.ScalarNode):
        if id(node) in seen:
            raise Unreadable(messages.file_has_alias(file=found.name, line=line))
        seen.add(id(node))
    if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
        return dict(_pairs(node, where, found, seen, depth))
    if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
        return [
            _value(each, document_path.path(where, index), found, seen, depth + 1)
            for index, each in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, found, line)
    raise Unreadable(messages.file_has_tag(file=found.name, line=line, tag=str(node.tag)))


def _pairs(node: Any, where: str, found: Read, seen: set[int], depth: int) -> Iterator[tuple[str, object]]:
    taken: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise Unreadable(messages.file_has_odd_key(file=found.name, line=line))
        name = str(key.value)
        if name in taken:
            said = messages.file_has_key_twice(file=found.name, line=line, name=name, first=taken[name])
            raise Unreadable(said)
        taken[name] = line
        own = document_path.path(where, name)
        found.lines[own] = line
        yield name, _value(value, own, found, seen, depth + 1)


def _scalar(node: Any, found: Read, line: int) -> object:
    match node.tag:
        case t if t == _NULL:
            return None
        case t if t == _BOOL and node.value.lower() in _TRUTH:
            return _TRUTH[node.value.lower()]
        case t if t == _INT and node.value.isdecimal() and len(node.value) < 10:
            return int(node.value)
        case t if t in (_STR, _INT, _FLOAT):
            return str(node.value)
        case _:
            raise Unreadable(messages.file_has_tag(file=found.name, line=line, tag=str(node.tag)))
