"""The newest events of all mail, whether or not a destination takes them. An entry is a function that builds the event's
document, so that keeping one costs almost nothing and only whoever reads pays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

MOST: Final = 10_000  #: events that are kept

Document = dict[str, Any]
#: eventType, MessageId, time in seconds since the epoch, what builds the document
Entry = tuple[str, str, float, Callable[[], Document]]


class EventLog:
    def __init__(self) -> None:
        self.total = 0  #: events since the start, kept or not
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def add(self, event: str, message_id: str, at: float, build: Callable[[], Document]) -> None:
        """`event` is the eventType; `build` returns the document as SES publishes it, whenever it is called."""
        self.total += 1
        self._entries.append((event, message_id, at, build))

    def newest_first(self, event: str | None = None) -> Iterator[Document]:
        """Yields the documents, of one eventType or of all."""
        for kind, _, _, build in reversed(self._entries):
            if event is None or kind == event:
                yield build()

    def by_mail(self) -> dict[str, list[Entry]]:
        """Returns the entries of each mail by its MessageId, oldest first. Builds no documents."""
        found: dict[str, list[Entry]] = {}
        for entry in self._entries:
            found.setdefault(entry[1], []).append(entry)
        return found


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
