"""The newest events of all mail, whether or not a destination takes them. An entry is a function that builds the event's
document, so that keeping one costs almost nothing and only whoever reads pays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

MOST: Final = 10_000  #: events that are kept

Document = dict[str, Any]


class EventLog:
    def __init__(self) -> None:
        self.total = 0  #: events since the start, kept or not
        self._entries: deque[tuple[str, Callable[[], Document]]] = deque(maxlen=MOST)

    def add(self, event: str, build: Callable[[], Document]) -> None:
        """`event` is the eventType; `build` returns the document as SES publishes it, whenever it is called."""
        self.total += 1
        self._entries.append((event, build))

    def newest_first(self, event: str | None = None) -> Iterator[Document]:
        """Yields the documents, of one eventType or of all."""
        for kind, build in reversed(self._entries):
            if event is None or kind == event:
                yield build()


def recipients(document: Document) -> list[str]:
    """Returns the addresses that an event is about: those that bounced, complained, ..., or all of the mail's."""
    for member, listed in _ABOUT:
        if member in document:
            return [one["emailAddress"] for one in document[member][listed]]
    delivery: Document = document.get("delivery") or {}
    return delivery.get("recipients") or document["mail"]["destination"]


_ABOUT: Final = (
    ("bounce", "bouncedRecipients"),
    ("complaint", "complainedRecipients"),
    ("deliveryDelay", "delayedRecipients"),
)
