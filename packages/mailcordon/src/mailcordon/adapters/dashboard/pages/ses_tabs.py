"""The parts of the section SES, each one click from the others."""

from collections.abc import Sequence

from mailcordon.adapters.dashboard.pages import blocks
from mailcordon.adapters.dashboard.pages.blocks import Button, Filter, Page, Section

_TABS = (
    ("account", "/ses", "Account"),
    ("plans", "/ses/plans", "Plans"),
    ("drift", "/ses/drift", "Differences"),
    ("quarantine", "/ses/quarantine", "Quarantine"),
    ("ungoverned", "/ses/ungoverned", "Ungoverned"),
    ("feedback", "/ses/feedback", "Feedback"),
    ("lapses", "/ses/lapses", "Lapses"),
)


def page(
    tab: str,
    title: str,
    *,
    sections: Sequence[Section],
    crumbs: Sequence[tuple[str, str]] = (),
    sentence: str = "",
    tone: str = "good",
    filters: Sequence[Filter] = (),
    buttons: Sequence[Button] = (),
) -> Page:
    return Page(
        title=title,
        crumbs=crumbs,
        tabs=blocks.tabs(_TABS, tab),
        sentence=sentence,
        tone=tone,
        filters=filters,
        sections=sections,
        buttons=buttons,
    )
