"""Collects the messages with their examples, and prints them as one page.

An example is only kept when its module is imported. Its text is made when the page is, so that processes pay nothing for it.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import ParamSpec, cast

P = ParamSpec("P")
Message = Callable[P, str]

#: The modules with messages, in the order of the page.
SUBJECTS = (
    *(
        "reasons",
        "status",
        "now",
        "queues",
        "event_doors",
        "holds",
        "limits",
        "sharing",
        "providers",
        "bounces",
    ),
    "identities",
    "incidents",
    "alarms",
    *("plans", "policies", "document", "lifecycle", "drift", "audit", "proofs", "feedback", "isolation"),
    *("alerts", "notices", "webhooks"),
    *("ungoverned", "outside_signals"),
    *("assess", "assess_page", "dangers"),
    "metrics",
    "rate_alarms",
    "pacing",
    "rollouts",
    "pools",
    "advice",
    "objectives",
    *("backtests", "rehearsals"),
    *("breaker", "breaker_probes", "arming"),
    "paths",
    "machine_metrics",
    "search",
    "previews",
    *("api", "mail", "content", "keys", "door", "suppressions", "suppression_split"),
    "raw_mail",
    "templates",
    "ses_door",
    "unsubscribe",
    "smtp",
    "dashboard",
    "lane_pages",
    *("dashboard_actions", "dashboard_forms"),
    *("ses_pages", "migration_pages", "settings_pages", "template_pages", "tenant_pages"),
    "sign_in",
    "observing",
    *("cli", "mcp", "drill", "drill_incident"),
    *("system", "settings", "database", "restorations", "aws", "doctor_aws"),
)

_examples: dict[object, list[Callable[[], str]]] = {}  #: by message, in the order they are written


def example(*args: object, **kwargs: object) -> Callable[[Message[P]], Message[P]]:
    """Shows a message with these values on the reference page. May be used more than once, for each form of a text."""

    def register(message: Message[P]) -> Message[P]:
        # No type can say that these values fit the message; making the page fails if they do not.
        call = cast("Callable[..., str]", message)
        # Decorators apply from the bottom up: the one written first is shown first.
        _examples.setdefault(message, []).insert(0, functools.partial(call, *args, **kwargs))
        return message

    return register


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    when: str  #: when a user sees it
    examples: tuple[str, ...]


def messages(subject: str) -> Iterator[Entry]:
    """The messages of one subject, in the order they are written. One without an example has an empty tuple."""
    module = importlib.import_module(f"mailcordon.messages.{subject}")
    for name, value in vars(module).items():
        if _is_message(module, name, value):
            yield Entry(name, inspect.getdoc(value) or "", tuple(text() for text in _examples.get(value, ())))


def page() -> str:
    """docs/reference/messages.md."""
    lines = [
        "# Messages",
        "",
        "Every sentence that Mailcordon shows to a person, with example values. `./dev messages` writes this page from",
        "`mailcordon/messages/`; a test fails when the page and the code differ.",
    ]
    for subject in SUBJECTS:
        module = importlib.import_module(f"mailcordon.messages.{subject}")
        lines += ["", f"## {subject}", "", _paragraph(inspect.getdoc(module) or "")]
        for entry in messages(subject):
            lines += ["", f"### {entry.name}", "", _paragraph(entry.when)]
            for text in entry.examples:
                lines += ["", *(f"    {line}".rstrip() for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def _is_message(module: ModuleType, name: str, value: object) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")


def _paragraph(text: str) -> str:
    return " ".join(text.split())
