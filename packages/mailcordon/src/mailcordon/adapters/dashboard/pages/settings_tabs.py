"""The parts of Settings, each one click from the others."""

from typing import Any

from mailcordon.adapters.dashboard.pages import blocks
from mailcordon.adapters.dashboard.pages.blocks import Page

PATH = "/settings"
_TABS = (
    ("system", PATH, "System"),
    ("policy", PATH + "/policy", "Policy"),
    ("tiers", PATH + "/tiers", "Tiers"),
    ("types", PATH + "/types", "Message types"),
    ("alerts", PATH + "/alerts", "Alerts"),
    ("contacts", PATH + "/contacts", "Contacts"),
    ("webhooks", PATH + "/webhooks", "Webhooks"),
    ("keys", PATH + "/keys", "API keys"),
    ("ses-door", PATH + "/ses-door", "SES door"),
    ("people", PATH + "/people", "People"),
    ("templates", PATH + "/templates", "Templates"),
    ("signals", PATH + "/signals", "Outside signals"),
    ("providers", PATH + "/providers", "Providers"),
)


def page(tab: str, title: str, **over: Any) -> Page:
    return Page(title=title, tabs=blocks.tabs(_TABS, tab), **over)
