"""JSON as the API gives it: an object whose members may be missing, because an older server does not send newer members."""

from typing import Any, cast

Document = dict[str, Any]


def as_document(found: object) -> Document:
    """Decoded JSON as an object; {} for anything else."""
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def child(document: Document, name: str) -> Document:
    """A member that is an object; {} where it is missing or null."""
    return as_document(document.get(name))


def children(document: Document, name: str) -> list[Document]:
    """A member that is a list of objects; [] where it is missing or null."""
    found = document.get(name)
    return [as_document(item) for item in cast("list[object]", found)] if isinstance(found, list) else []


def strings(document: Document, name: str) -> list[str]:
    """A member that is a list of texts; [] where it is missing or null."""
    found = document.get(name)
    return [str(item) for item in cast("list[object]", found)] if isinstance(found, list) else []
