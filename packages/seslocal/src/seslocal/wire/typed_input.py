"""Reads and checks the input of frequent operations in one step: a shape of the model becomes a type, and msgspec reads JSON as
that type. What it refuses is left to the checks in `model.py`, which know AWS's error texts, and so is what is not expressed
here: blobs, numbers, timestamps, maps and unions. A test holds both to the same results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, cast

import msgspec

from seslocal.wire.params import Params

FREQUENT: Final = ("SendEmail", "SendBulkEmail", "DeleteMessage", "DeleteMessageBatch")
_NONE: Final = Annotated[
    int, msgspec.Meta(gt=0, lt=0)
]  #: no value has this type: not even a string is read to its end

Model = Mapping[str, Any]


def reader(
    name: str, raw: Mapping[str, Model], extra: Mapping[str, Params]
) -> Callable[[bytes], Params | None]:
    """Returns a function that reads a body as the shape `name`, or returns None if the checks must read it. `extra`: rules that
    the model lacks, by shape."""
    kind = _type(name, raw, extra)
    decode = None if kind is _NONE else msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> Params | None:
        if decode is None:
            return None
        try:
            return cast(Params, decode(body))
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None

    return read


def _type(
    name: str, raw: Mapping[str, Model], extra: Mapping[str, Params], within: tuple[str, ...] = ()
) -> Any:
    shape: Params = {**raw[name], **extra.get(name, {})}
    if name in within:
        return _NONE
    within = (*within, name)
    match shape["type"]:
        case "structure" if not shape.get("union"):
            required: tuple[str, ...] = tuple(shape.get("required", ()))
            members = {
                member: _type(ref["shape"], raw, extra, within)
                for member, ref in shape.get("members", {}).items()
            }
            if any(members[member] is _NONE for member in required):
                return _NONE
            return _structure(name, members, required)
        case "list":
            item = _type(shape["member"]["shape"], raw, extra, within)
            return _NONE if item is _NONE else _limited(list[item], shape)
        case "string" if "enum" in shape:
            return Literal[tuple(shape["enum"])]  # pyright: ignore[reportInvalidTypeForm]
        case "string":
            return _limited(str, shape)
        case "boolean":
            return bool
        case _:
            return _NONE


def _structure(name: str, members: Mapping[str, Any], required: tuple[str, ...]) -> Any:
    make: Any = TypedDict  # a checker of types reads only the names of members that are written out
    return make(
        name, {member: kind if member in required else NotRequired[kind] for member, kind in members.items()}
    )


def _limited(kind: Any, shape: Params) -> Any:
    pattern = rf"\A(?:{shape['pattern']})\Z" if "pattern" in shape else None
    low, high = shape.get("min"), shape.get("max")
    if (pattern, low, high) == (None, None, None):
        return kind
    return Annotated[kind, msgspec.Meta(min_length=low, max_length=high, pattern=pattern)]
