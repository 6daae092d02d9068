"""Arguments of the tools: their types give the input schema that an assistant sees, and what is refused before a request."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from mailcordon.adapters.mcp.ports import Document, Refused
from mailcordon.messages import mcp as messages

MOST_ITEMS = 50

Slug = Annotated[str, Meta(min_length=1, max_length=64, description="The tenant's slug.")]
OfTenant = (
    Annotated[
        str,
        Meta(max_length=64, description="Only this tenant, by its slug. Default: all that the key may see."),
    ]
    | None
)
Type = Annotated[str, Meta(min_length=1, max_length=64, description="The message type, as in newsletter.")]
OfType = Annotated[str, Meta(max_length=64, description="Only this message type. Default: all.")] | None
Open = Annotated[bool, Meta(description="Only what is open (true) or over (false). Default: both.")] | None
Limit = Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="How many items at most.")]
Minutes = Annotated[int, Meta(ge=1, le=129_600, description="Mail of the last so many minutes.")]
Number = Annotated[int, Meta(ge=1, le=2**53)]

T = TypeVar("T")


class Arguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Of one tool."""


def schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, as an object without references."""
    (_,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    found = dict(parts[kind.__name__])
    found.pop("title", None)
    found.pop("description", None)  # the tool has it
    found["properties"] = {name: _flat(one) for name, one in found["properties"].items()}
    found["additionalProperties"] = False
    return found


def _flat(field: dict[str, Any]) -> dict[str, Any]:
    """A field that may be left out, as its one type: some clients understand no `anyOf`."""
    if "default" not in field or field["default"] is not None:
        return field
    (kind,) = (one for one in field["anyOf"] if one.get("type") != "null")
    return kind


def parse(kind: type[T], given: Document | None) -> T:
    """Raises Refused for arguments that are not as the schema says."""
    try:
        return msgspec.convert(given or {}, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Refused(messages.bad_arguments(why=str(error).rstrip(".")), "bad-arguments") from None
