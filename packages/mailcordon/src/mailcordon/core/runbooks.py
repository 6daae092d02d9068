"""The runbooks that ship with Mailcordon: docs/runbooks/ of the sources, a Markdown page for each kind of incident."""

from importlib.resources import files

from mailcordon.core.incident import Kind

_PAGES = files("mailcordon") / "runbooks"
_INDEX = "index"


def text(kind: Kind | None = None) -> str:
    """Markdown. Without a kind: what to do first whatever it is, and the list of all."""
    name = _INDEX if kind is None else kind.value
    return (_PAGES / f"{name}.md").read_text(encoding="utf-8")
