"""AWS's Query protocol as botocore's models describe it: reads a form whose dotted names describe structures and lists, checks
it, and writes the output as XML. Unknown names are ignored, as AWS does."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.loaders import Loader

from seslocal.errors import ApiError
from seslocal.wire.model import Check, Model, Shapes, validation_text
from seslocal.wire.params import Params

_MOST_FIELDS: Final = 5000
_MOST_DEPTH: Final = 12
_LINES: Final = {ord("\r"): None, ord("\n"): None}
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueryOperation:
    name: str
    input: str | None  #: name of the shape
    output: str | None
    result: str | None  #: the element around the output's members
    check: Check | None


class QueryModel:
    """A service that uses the Query protocol."""

    def __init__(self, model: Model) -> None:
        self.namespace: str = model["metadata"]["xmlNamespace"]
        self.version: str = model["metadata"]["apiVersion"]
        shapes = self._shapes = Shapes(model["shapes"])
        self._raw: Mapping[str, Model] = model["shapes"]
        self.operations: dict[str, QueryOperation] = {}
        for name, spec in model["operations"].items():
            given: str | None = spec.get("input", {}).get("shape")
            output: Model = spec.get("output", {})
            check = shapes.check(given) if given else None
            operation = QueryOperation(name, given, output.get("shape"), output.get("resultWrapper"), check)
            self.operations[name] = operation

    def read(self, operation: QueryOperation, form: Tree) -> Params:
        """Returns the operation's checked input. Raises ApiError."""
        if operation.input is None or operation.check is None:
            return {}
        params = cast(Params, self._read(operation.input, form, operation.input))
        problems: list[str] = []
        params = operation.check(params, None, problems)
        if problems:
            raise ApiError("ValidationError", validation_text(problems))
        return params

    def write(self, operation: QueryOperation, result: Params, request_id: str) -> bytes:
        body = self._xml(operation.output, result) if operation.output else ""
        if operation.result:
            body = f"<{operation.result}>{body}</{operation.result}>"
        return (
            f'<{operation.name}Response xmlns="{self.namespace}">{body}<ResponseMetadata><RequestId>{request_id}'
            f"</RequestId></ResponseMetadata></{operation.name}Response>"
        ).encode()

    def refuse(self, error: ApiError, request_id: str) -> bytes:
        whose = "Receiver" if error.status >= 500 else "Sender"
        return (
            f'<ErrorResponse xmlns="{self.namespace}"><Error><Type>{whose}</Type><Code>{error.code}</Code><Message>'
            f"{text(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()

    # reading

    def _read(self, name: str, node: Any, at: str) -> Any:
        shape = self._raw[name]
        kind: str = shape["type"]
        if kind == "structure":
            tree = _tree(node, at)
            members: Mapping[str, Model] = shape.get("members", {})
            return {
                member: self._read(ref["shape"], tree[member], member)
                for member, ref in members.items()
                if member in tree
            }
        if kind == "list":
            items = _numbered(_tree(node, at).get("member", {}), at)
            return [self._read(shape["member"]["shape"], item, at) for item in items]
        if kind == "map":
            entries = [_tree(entry, at) for entry in _numbered(_tree(node, at).get("entry", {}), at)]
            return {
                _leaf(entry.get("key", ""), at): self._read(
                    shape["value"]["shape"], entry.get("value", ""), at
                )
                for entry in entries
            }
        leaf = _leaf(node, at)
        if kind == "blob":
            return leaf.translate(_LINES)  # older clients break base64 into lines, as in mail
        if kind == "boolean":
            return _boolean(leaf, at)
        if kind in ("integer", "long", "double", "float"):
            return _number(leaf, at, whole=kind in ("integer", "long"))
        return leaf

    # writing

    def _xml(self, name: str, value: Any) -> str:
        shape = self._raw[name]
        match shape["type"]:
            case "structure":
                return "".join(
                    f"<{member}>{self._xml(ref['shape'], value[member])}</{member}>"
                    for member, ref in shape.get("members", {}).items()
                    if value.get(member) is not None
                )
            case "list":
                return "".join(
                    f"<member>{self._xml(shape['member']['shape'], one)}</member>" for one in value
                )
            case "map":
                return "".join(
                    f"<entry><key>{text(key)}</key><value>{self._xml(shape['value']['shape'], one)}</value></entry>"
                    for key, one in value.items()
                )
            case "boolean":
                return "true" if value else "false"
            case "timestamp":
                return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
            case "blob":
                return b64encode(value).decode()
            case _:
                return text(str(value))


def read_form(data: bytes) -> Tree:
    """Returns the tree that a form's dotted names describe. Raises ApiError."""
    try:
        pairs = parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except (UnicodeDecodeError, ValueError):
        raise _malformed("The form is not UTF-8 or has too many fields.") from None
    tree: Tree = {}
    for name, value in pairs:
        parts = name.split(".")
        if len(parts) > _MOST_DEPTH:
            raise _malformed("The form has a name with too many parts.")
        node = tree
        for part in parts[:-1]:
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                raise _malformed(f"The form has both {part} and a member inside it.")
            node = cast(Tree, inner)
        if isinstance(node.get(parts[-1]), dict):
            raise _malformed(f"The form has both {parts[-1]} and a member inside it.")
        node[parts[-1]] = value
    return tree


def text(value: str) -> str:
    """Escapes, and removes characters that XML cannot contain."""
    return escape(_NO_XML.sub("\ufffd", value))


def _malformed(sentence: str) -> ApiError:
    return ApiError("MalformedInput", sentence)


def _tree(node: Any, at: str) -> Tree:
    if isinstance(node, dict):
        return cast(Tree, node)
    if node == "":
        return {}
    raise _malformed(f"Unexpected value for {at}.")


def _leaf(node: Any, at: str) -> str:
    if isinstance(node, str):
        return node
    raise _malformed(f"Unexpected structure for {at}.")


def _numbered(node: Any, at: str) -> list[Any]:
    tree = _tree(node, at)
    if not all(re.fullmatch(r"[0-9]{1,9}", key) for key in tree):
        raise _malformed(f"{at} has a list index that is not a number.")
    return [tree[key] for key in sorted(tree, key=int)]


def _boolean(leaf: str, at: str) -> bool:
    if leaf.lower() not in ("true", "false"):
        raise _malformed(f"{leaf[:64]} is not a boolean value for {at}.")
    return leaf.lower() == "true"


def _number(leaf: str, at: str, *, whole: bool) -> int | float:
    if not re.fullmatch(r"-?[0-9]{1,15}" if whole else r"-?[0-9]{1,15}(\.[0-9]{1,15})?", leaf):
        raise _malformed(f"{leaf[:64]} is not a number for {at}.")
    return int(leaf) if whole else float(leaf)


@cache
def ses_v1() -> QueryModel:
    return QueryModel(Loader().load_service_model("ses", "service-2"))
