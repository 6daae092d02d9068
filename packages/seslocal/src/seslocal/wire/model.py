"""Routes and input checks made at startup from botocore's service models: a route for every operation, a compiled check
for every shape. A check walks a decoded JSON value, converts blobs and timestamps, and drops nulls and unknown members.
Its errors are worded as AWS's: a wrong JSON type is a SerializationException, a violated constraint a validation text
that names the member."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

import msgspec
from botocore.loaders import Loader

from seslocal.errors import ApiError, bad_request, serialization
from seslocal.wire import typed_input
from seslocal.wire.params import Params

#: position of a value in the input: its parent's, and its member name or index. Formatted only for an error.
Position = tuple[Any, str | int] | None
Check = Callable[[Any, Position, list[str]], Any]
Model = Mapping[str, Any]

_NAME_RULE: Final[Params] = {"max": 64, "pattern": "^[a-zA-Z0-9_-]+$"}
# Rules that SES enforces and the model lacks.
_EXTRA: Final[dict[str, Params]] = {
    "TenantName": _NAME_RULE,
    "ConfigurationSetName": _NAME_RULE,
    "EventDestinationName": _NAME_RULE,
}
# Older clients list with GET and query parameters.
_OLD_SPELLINGS: Final = {
    "ListEmailIdentities": "/v2/email/identities",
    "ListConfigurationSets": "/v2/email/configuration-sets",
}


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    segments: tuple[str, ...]  #: of the path; a parameter is written {Member}
    check: Check  #: of the whole input
    path_members: tuple[tuple[int, str], ...]  #: segment number, member
    query_members: Mapping[str, tuple[str, bool, str]]  #: query name -> member, is a list, type of its values
    located: frozenset[str]  #: members that the body must not carry
    read: Callable[[bytes], Params | None] | None = None  #: reads and checks a body faster, or returns None


class _Node:
    __slots__ = ("children", "operation", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.operation: Operation | None = None


class Routes:
    """Finds the operation of a REST model by method and path."""

    def __init__(self, model: Model) -> None:
        self.operations: dict[str, Operation] = {}
        self._roots: dict[str, _Node] = {}
        shapes = Shapes(model["shapes"])
        for name, spec in model["operations"].items():
            operation = _operation(name, spec["http"]["method"], spec["http"]["requestUri"], spec, shapes)
            self.operations[name] = operation
            self._add(operation)
        for name, uri in _OLD_SPELLINGS.items():
            if name in self.operations:
                self._add(_operation(name, "GET", uri, model["operations"][name], shapes, all_in_query=True))

    def find(self, method: str, path: str) -> Operation | None:
        node = self._roots.get(method)
        for segment in _segments(path):
            if node is None:
                return None
            node = node.children.get(segment) or (node.parameter if segment else None)
        return node.operation if node else None

    def _add(self, operation: Operation) -> None:
        node = self._roots.setdefault(operation.method, _Node())
        for segment in operation.segments:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        if node.operation is None:
            node.operation = operation


def read_input(operation: Operation, path: str, query: str, body: bytes) -> Params:
    """Returns the operation's checked input. Raises ApiError."""
    if operation.read is not None and (read := operation.read(body)) is not None:
        return read
    params = read_object(body)
    for member in operation.located:
        params.pop(member, None)
    if operation.path_members:
        segments = _segments(path)
        for index, member in operation.path_members:
            try:
                params[member] = unquote(segments[index], errors="strict")
            except UnicodeDecodeError:
                raise bad_request(f"The path holds bytes at {{{member}}} that are not UTF-8.") from None
    if query and operation.query_members:
        _read_query(operation, query, params)
    problems: list[str] = []
    params = operation.check(params, None, problems)
    if problems:
        raise bad_request(validation_text(problems))
    return params


def read_object(body: bytes) -> Params:
    if not body:
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise serialization(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise serialization("The body is not a JSON object.")
    return cast(Params, value)


def validation_text(problems: list[str]) -> str:
    count = len(problems)
    return f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(problems)}"


def _read_query(operation: Operation, query: str, params: Params) -> None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=2000)
    except ValueError:
        raise bad_request("The query string is not UTF-8 or has too many members.") from None
    for name, text in pairs:
        if (known := operation.query_members.get(name)) is None:
            continue
        member, many, kind = known
        value: Any = text
        if kind in ("integer", "long"):
            if not re.fullmatch(r"-?\d{1,18}", text):
                raise serialization(f"'{name}' is not a whole number.")
            value = int(text)
        elif kind == "boolean":
            value = text == "true"
        if many:
            params.setdefault(member, []).append(value)
        else:
            params[member] = value


def _segments(path: str) -> list[str]:
    return path.rstrip("/").split("/")[1:]


def _operation(
    name: str, method: str, uri: str, spec: Model, shapes: Shapes, *, all_in_query: bool = False
) -> Operation:
    segments = tuple(_segments(uri))
    input_name = cast(str, spec["input"]["shape"])
    shape = shapes.raw[input_name]
    in_path: list[tuple[int, str]] = []
    in_query: dict[str, tuple[str, bool, str]] = {}
    for member, ref in shape.get("members", {}).items():
        location = "querystring" if all_in_query else ref.get("location")
        if location == "uri":
            in_path.append((segments.index("{" + ref.get("locationName", member) + "}"), member))
        elif location == "querystring":
            kind = shapes.raw[ref["shape"]]
            many = kind["type"] == "list"
            inner = shapes.raw[kind["member"]["shape"]]["type"] if many else kind["type"]
            in_query[ref.get("locationName", member)] = (member, many, inner)
    located = frozenset(m for _, m in in_path) | frozenset(m for m, _, _ in in_query.values())
    in_body = name in typed_input.FREQUENT and not located
    return Operation(
        name,
        method,
        segments,
        shapes.check(input_name),
        tuple(in_path),
        in_query,
        frozenset(located),
        shapes.reader(input_name) if in_body else None,
    )


class Shapes:
    """Compiles each shape of a model once."""

    def __init__(self, raw: Mapping[str, Model]) -> None:
        self.raw = raw
        self._checks: dict[str, Check] = {}

    def check(self, name: str) -> Check:
        if name not in self._checks:
            # Registered before it is compiled, because a shape can contain itself.
            self._checks[name] = lambda value, at, problems: self._checks[name](value, at, problems)
            self._checks[name] = self._compile(name)
        return self._checks[name]

    def reader(self, name: str) -> Callable[[bytes], Params | None]:
        """Returns what reads and checks this shape faster, if it can."""
        return typed_input.reader(name, self.raw, _EXTRA)

    def _compile(self, name: str) -> Check:
        shape: Params = {**self.raw[name], **_EXTRA.get(name, {})}
        match shape["type"]:
            case "structure":
                return self._structure(shape)
            case "list":
                return _list(self.check(shape["member"]["shape"]), shape)
            case "map":
                return _map(self.check(shape["key"]["shape"]), self.check(shape["value"]["shape"]), shape)
            case "string":
                return _string(shape)
            case "boolean":
                return _boolean
            case "integer" | "long" | "double" | "float":
                return _number(shape)
            case "blob":
                return _blob
            case "timestamp":
                return _timestamp
            case other:
                raise ValueError(f"the model has a type seslocal does not know: {other}")

    def _structure(self, shape: Params) -> Check:
        members = {
            name: (self.check(ref["shape"]), name[:1].lower() + name[1:])
            for name, ref in shape.get("members", {}).items()
        }
        required: tuple[str, ...] = tuple(shape.get("required", ()))
        is_union = bool(shape.get("union"))

        def check(value: Any, at: Position, problems: list[str]) -> Any:
            if type(value) is not dict:
                raise serialization(f"{_json_type(value)} where a structure was expected{_at(at)}.")
            found = cast(Params, value)
            dropped = False
            for name, item in found.items():
                known = members.get(name)
                if item is None or known is None:
                    dropped = True
                else:
                    inner = known[0](item, (at, known[1]), problems)
                    if inner is not item:
                        found[name] = inner
            if dropped:
                found = {name: item for name, item in found.items() if item is not None and name in members}
            for name in required:
                if name not in found:
                    where = members[name][1]
                    problems.append(
                        f"Value null at '{_dotted_path((at, where))}' failed to satisfy constraint: "
                        "Member must not be null"
                    )
            if is_union and sum(name in members for name in found) != 1:
                problems.append(
                    f"Value at '{_dotted_path(at)}' failed to satisfy constraint: Member must hold one choice"
                )
            return found

        return check


def _string(shape: Params) -> Check:
    low, high = shape.get("min"), shape.get("max")
    enum = frozenset(shape["enum"]) if "enum" in shape else None
    choices = ", ".join(shape.get("enum", ()))
    pattern = shape.get("pattern")
    fits = re.compile(pattern).fullmatch if pattern else None

    def check(value: Any, at: Position, problems: list[str]) -> Any:
        if type(value) is not str:
            raise serialization(f"{_json_type(value)} can not be converted to a String{_at(at)}.")
        if enum is not None:
            if value not in enum:
                problems.append(_violation(value, at, f"satisfy enum value set: [{choices}]"))
            return value
        if low is not None and len(value) < low:
            problems.append(_violation(value, at, f"have length greater than or equal to {low}"))
        if high is not None and len(value) > high:
            problems.append(_violation(value, at, f"have length less than or equal to {high}"))
        if fits is not None and not fits(value):
            problems.append(_violation(value, at, f"satisfy regular expression pattern: {pattern}"))
        return value

    return check


def _number(shape: Params) -> Check:
    low, high = shape.get("min"), shape.get("max")
    whole = shape["type"] in ("integer", "long")

    def check(value: Any, at: Position, problems: list[str]) -> Any:
        if type(value) is not int and (whole or type(value) is not float):
            raise serialization(f"{_json_type(value)} can not be converted to a number{_at(at)}.")
        if low is not None and value < low:
            problems.append(_violation(value, at, f"have value greater than or equal to {low}"))
        if high is not None and value > high:
            problems.append(_violation(value, at, f"have value less than or equal to {high}"))
        return value

    return check


def _list(item_check: Check, shape: Params) -> Check:
    low, high = shape.get("min"), shape.get("max")

    def check(value: Any, at: Position, problems: list[str]) -> Any:
        if type(value) is not list:
            raise serialization(f"{_json_type(value)} can not be converted to a List{_at(at)}.")
        items = cast(list[Any], value)
        _check_size(len(items), low, high, at, problems)
        for index, item in enumerate(items):
            inner = item_check(item, (at, index), problems)
            if inner is not item:
                items[index] = inner
        return items

    return check


def _map(key_check: Check, value_check: Check, shape: Params) -> Check:
    low, high = shape.get("min"), shape.get("max")

    def check(value: Any, at: Position, problems: list[str]) -> Any:
        if type(value) is not dict:
            raise serialization(f"{_json_type(value)} can not be converted to a Map{_at(at)}.")
        found = cast(Params, value)
        _check_size(len(found), low, high, at, problems)
        for key, item in found.items():
            key_check(key, (at, "key"), problems)
            found[key] = value_check(item, (at, f"{key}.member"), problems)
        return found

    return check


def _check_size(size: int, low: int | None, high: int | None, at: Position, problems: list[str]) -> None:
    if low is not None and size < low:
        problems.append(_violation(f"{size} members", at, f"have length greater than or equal to {low}"))
    if high is not None and size > high:
        problems.append(_violation(f"{size} members", at, f"have length less than or equal to {high}"))


def _boolean(value: Any, at: Position, problems: list[str]) -> Any:
    if type(value) is not bool:
        raise serialization(f"{_json_type(value)} can not be converted to a Boolean{_at(at)}.")
    return value


def _blob(value: Any, at: Position, problems: list[str]) -> Any:
    if type(value) is not str:
        raise serialization(f"{_json_type(value)} can not be converted to a Blob{_at(at)}.")
    try:
        return binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are subclasses
        raise serialization(f"The value is not base64{_at(at)}.") from None


def _timestamp(value: Any, at: Position, problems: list[str]) -> Any:
    if type(value) in (int, float) and abs(value) < 1e12:
        return float(value)
    if type(value) is not str:
        raise serialization(f"{_json_type(value)} can not be converted to a Timestamp{_at(at)}.")
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise serialization(f"The value is not an ISO 8601 time{_at(at)}.") from None


def _violation(value: object, at: Position, rule: str) -> str:
    return (
        f"Value '{str(value)[:512]}' at '{_dotted_path(at)}' failed to satisfy constraint: Member must {rule}"
    )


def _at(at: Position) -> str:
    return f" at '{_dotted_path(at)}'" if at else ""


def _dotted_path(at: Position) -> str:
    """`destination.toAddresses.1.member`."""
    parts: list[str] = []
    while at is not None:
        at, step = at
        parts.append(f"{step + 1}.member" if isinstance(step, int) else step)
    return ".".join(reversed(parts))


def _json_type(value: object) -> str:
    kinds: dict[type, str] = {
        bool: "BOOLEAN_VALUE",
        str: "STRING_VALUE",
        dict: "Start of structure",
        list: "Start of list",
    }
    return "NULL_VALUE" if value is None else kinds.get(type(value), "NUMBER_VALUE")


@cache
def ses_routes() -> Routes:
    return Routes(Loader().load_service_model("sesv2", "service-2"))


SqsInput = tuple[Check, Callable[[bytes], Params | None] | None]  #: the check, and what reads a body faster


@cache
def sqs_checks() -> Mapping[str, SqsInput]:
    """Checks for SQS. Its JSON 1.0 protocol names the operation in a header; the body is the whole input."""
    model: Model = Loader().load_service_model("sqs", "service-2")
    shapes = Shapes(model["shapes"])
    names = {name: spec["input"]["shape"] for name, spec in model["operations"].items()}
    return {
        name: (shapes.check(shape), shapes.reader(shape) if name in typed_input.FREQUENT else None)
        for name, shape in names.items()
    }


def check_sqs(given: SqsInput, body: bytes) -> Params:
    check, read = given
    if read is not None and (found := read(body)) is not None:
        return found
    problems: list[str] = []
    params = check(read_object(body), None, problems)
    if not problems:
        return params
    missing = re.match(r"Value null at '(?:.*\.)?(\w+)'", problems[0])
    if missing:
        name = missing[1][:1].upper() + missing[1][1:]
        raise ApiError("MissingParameter", f"The request must contain the parameter {name}.")
    unknown = re.match(r"Value '(.*)' at 'attribute(?:s\.key|Names\.\d+\.member)'", problems[0])
    if unknown:
        raise ApiError("InvalidAttributeName", f"Unknown Attribute {unknown[1]}.")
    raise ApiError("InvalidParameterValue", validation_text(problems))
