"""URLs of the dashboard's own pages that carry a choice: whose mail, and where to go back to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

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


def cancel(target: Mapping[str, Any]) -> str:
    """To the page that drops waiting mail."""
    parts = {name: target.get(name) for name in TARGET if name != "tenant"}
    return link(f"/tenants/{quote(target['tenant'], safe='')}/cancel", **parts)


def own_path(target: str, otherwise: str) -> str:
    """The path and query of a page of ours, whatever a link asked for. Anything else, such as another site's URL in any disguise,
    becomes `otherwise`.

    Browsers take a backslash for a slash and ignore control characters, so `/\\evil.example` is another site's URL to them.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return otherwise
    try:
        parts = urlsplit(target)
    except ValueError:
        return otherwise
    return otherwise if parts.scheme or parts.netloc else target
