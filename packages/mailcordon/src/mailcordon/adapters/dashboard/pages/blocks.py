"""Pages made of sections: facts, tables, text and buttons, all in one form. What a cell has is escaped by the template."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
from litestar import Response

from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.messages.phrases import at_least

Tabs = Sequence[tuple[str, str, str]]  #: key, path, words


@dataclass(frozen=True, slots=True)
class Cell:
    """One value. `kind` says how it looks; blocks/page.html has the kinds."""

    kind: str
    value: Any
    href: str = ""
    note: str = ""  #: below it, softly
    needs: str = ""  #: `operate` or `admin`: shown to who may, as the link to an action


@dataclass(frozen=True, slots=True)
class Button:
    href: str
    words: str
    needs: str = ""  #: `operate` or `admin`: shown to who may; empty: to everybody
    is_dangerous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    heading: str = ""
    says: Sequence[str] = ()
    warns: Sequence[str] = ()
    facts: Sequence[tuple[str, Cell]] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    empty: str = ""  #: said if there are no rows
    text: str = ""  #: as it is, in a fixed font
    diff: Sequence[tuple[str, str]] = ()  #: a sign (`+`, `-`, `~` or a space) and a line
    buttons: Sequence[Button] = ()
    more: str = ""  #: the next page
    more_words: str = "Older"
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    name: str
    label: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()  #: of a select; without them it is a text
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    title: str
    crumbs: Sequence[tuple[str, str]] = ()  #: path and words
    tabs: Sequence[tuple[str, str, bool]] = ()  #: path, words, whether it is this page
    sentence: str = ""
    tone: str = "good"  #: of the sentence: good, slow or bad
    filters: Sequence[Filter] = ()
    sections: Sequence[Section] = ()
    buttons: Sequence[Button] = field(default_factory=tuple[Button, ...])


def shown(site: Site, request: PageRequest, section: str, page: Page) -> Response[str]:
    visitor = visitor_of(request)
    may = {"": True, "operate": visitor.may_operate, "admin": visitor.may_administer}
    data = asdict(page)
    for one in (data, *data["sections"]):
        one["buttons"] = [button for button in one["buttons"] if may[button["needs"]]]
        for row in one.get("rows", ()):
            for cell in row:
                if not may[cell["needs"]]:
                    cell.update(kind="text", value="", href="")
    return site.page(
        request, "blocks/page.html", title=page.title, section=section, block=data, path=request.url.path
    )


def tabs(every: Tabs, current: str) -> list[tuple[str, str, bool]]:
    return [(path, words, key == current) for key, path, words in every]


def counted(found: Any) -> str:
    """How many a list has of which this is the first page: `20`, or `100 or more`."""
    return at_least(len(found["items"]), bool(found["next"]))


def text(value: object, href: str = "", note: str = "") -> Cell:
    return Cell("text", "" if value is None else str(value), href, note)


def said(value: object, note: str = "") -> Cell:
    """A sentence of ours: what stands in backticks is code."""
    return Cell("said", "" if value is None else str(value), note=note)


def act(words: str, href: str, needs: str) -> Cell:
    """A link to an action, for who may do it."""
    return Cell("text", words, href, needs=needs)


def code(value: object, href: str = "") -> Cell:
    return Cell("code", "" if value is None else str(value), href)


def ago(value: str | None, note: str = "") -> Cell:
    return Cell("ago", value, note=note)


def clock(value: str | None) -> Cell:
    return Cell("clock", value)


def state(value: str, href: str = "") -> Cell:
    return Cell("state", value, href)


def tone(value: str, colour: str) -> Cell:
    """A word with a colour: good, slow, bad, or none."""
    return Cell("tone", value, note=colour)


def severity(value: str) -> Cell:
    return Cell("severity", value)


def number(value: float | None) -> Cell:
    return Cell("number", value)


def percent(value: float | None) -> Cell:
    return Cell("percent", value)


def duration(value: float | None) -> Cell:
    return Cell("duration", value)


def tenant(slug: str | None) -> Cell:
    return Cell("tenant", slug)


def lane(slug: str, type: str | None) -> Cell:
    return Cell("lane", {"tenant": slug, "type": type}) if type else Cell("tenant", slug)


def document(value: object) -> str:
    """JSON for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def yes(value: object) -> Cell:
    return text("yes" if value else "no")
