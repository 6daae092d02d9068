"""URLs of the dashboard's own pages that carry a choice: whose mail, and where to go back to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

#: What names a part of a tenant's mail, as the API has it.
TARGET = ("tenant", "type", "class", "provider", "campaign", "list")


def link(path: str, **query: str | int | None) -> str:
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def lift(hold: Mapping[str, Any], back: str) -> str:
    """To the page that lifts a hold."""
    target = {name: hold[name] for name in TARGET}
    return link("/holds/lift", id=hold["id"], owner=hold["owner"], back=back, **target)


def cordon(target: Mapping[str, Any], back: str) -> str:
    """To the page that holds mail."""
    return link("/holds/new", back=back, **{name: target.get(name) for name in TARGET})


def own_path(target: str, otherwise: str) -> str:
    """A path of ours, from a query: where to go back to. Anything else becomes `otherwise`."""
    if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable():
        return target
    return otherwise
