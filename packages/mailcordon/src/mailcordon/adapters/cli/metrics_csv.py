"""Lines of `mailcordon metrics` as CSV (RFC 4180), safe to open in a spreadsheet.

A text that begins like a formula is run by spreadsheets: it gets an apostrophe in front, which they show as text. Campaigns and
lists are named by the app, and may hold what its customers typed.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from mailcordon.adapters.cli.document import Document, child
from mailcordon.core.bounce_reason import Group

_NAMES = (
    *("tenant", "type", "class", "provider", "campaign", "list", "domain", "pool"),
    *("day", "hour", "minute"),
)
_COUNTS = (
    *(
        "sent",
        "send_events",
        "delivered",
        "hard_bounced",
        "soft_bounced",
        "complained",
        "delayed",
        "rejected",
    ),
    *("suppressed_at_ses", "opened", "clicked", "machine_opened", "machine_clicked", "unclear"),
)
_SIGNALS = ("bounces", "complaints", "blocks", "delays")
_RATE = ("exposure", "rate", "low", "high", "young", "usual", "standing")
_REASONS = tuple(group.word for group in Group)
#: A cell that begins with one of these is a formula, or becomes one when white space is dropped.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def text(items: Iterable[Document], *, head: bool) -> str:
    """The lines, after the names of the columns if `head`. Each ends with CR and LF."""
    out = io.StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(_columns())
    writer.writerows([_safe(value) for value in _values(item)] for item in items)
    return out.getvalue()


def _columns() -> Iterator[str]:
    yield from (*_NAMES, *_COUNTS, *_REASONS)
    for signal in _SIGNALS:
        yield from (f"{signal}_{name}" for name in _RATE)
    yield from ("complaints_left_out", "unreliable")


def _values(item: Document) -> Iterator[object]:
    yield from (item.get(name) for name in (*_NAMES, *_COUNTS))
    reasons = child(item, "bounce_reasons")
    yield from (reasons.get(name, 0) for name in _REASONS)
    rates = child(item, "rates")
    for signal in _SIGNALS:
        yield from (child(rates, signal).get(name) for name in _RATE)
    yield child(rates, "complaints").get("left_out")
    yield bool(item.get("notes"))


def _safe(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        return "'" + value
    return "" if value is None else value
