"""The ledger: every mail that was really accepted, whatever the client was told. It judges the senders that
are tested against us, so it takes a line before the answer is written. It keeps the newest mails up to a
stated number, and their content up to a stated number of bytes; what it dropped, it counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any


@dataclass(slots=True, eq=False)
class Accepted:
    """One mail that SES took."""

    number: int  #: counts from 1
    message_id: str
    at: float  #: seconds since the epoch
    tenant: str | None
    configuration_set: str | None
    source: str  #: From, as given
    recipients: tuple[str, ...]
    subject: str
    tags: dict[str, list[str]]  #: those of the caller, without SES's own
    headers: list[dict[str, str]]
    size: int  #: bytes of content
    fates: dict[str, tuple[str, str]]  #: recipient -> fate, sub-type
    content: Mapping[str, Any] | None  #: as the caller gave it; None when dropped for room

    def shown(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "at": self.at,
            "tenant": self.tenant,
            "configuration_set": self.configuration_set,
            "from": self.source,
            "recipients": self.recipients,
            "subject": self.subject,
            "tags": self.tags,
            "headers": self.headers,
            "size": self.size,
            "fates": {
                address: {"fate": fate, "subtype": subtype or None}
                for address, (fate, subtype) in self.fates.items()
            },
        }


class Ledger:
    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most  #: mails kept
        self.most_bytes = most_bytes  #: bytes of content kept
        self.total = 0  #: accepted since the start, kept or not
        self._lines: deque[Accepted] = deque()
        self._with_content: deque[Accepted] = deque()
        self._content_bytes = 0
        self._by_id: dict[str, Accepted] = {}

    def add(self, line: Accepted) -> None:
        self.total += 1
        self._lines.append(line)
        self._by_id[line.message_id] = line
        self._with_content.append(line)
        self._content_bytes += line.size
        while self._content_bytes > self.most_bytes and len(self._with_content) > 1:
            self._drop_content()
        if len(self._lines) > self.most:
            oldest = self._lines.popleft()
            del self._by_id[oldest.message_id]
            if self._with_content and self._with_content[0] is oldest:
                self._drop_content()

    def get(self, message_id: str) -> Accepted | None:
        return self._by_id.get(message_id)

    def newest_first(self) -> Iterator[Accepted]:
        return reversed(self._lines)

    def since(self, number: int) -> Iterator[Accepted]:
        """Those after this number, oldest first."""
        if not self._lines:
            return iter(())
        skip = max(0, number - self._lines[0].number + 1)
        return islice(self._lines, skip, None)

    def __len__(self) -> int:
        return len(self._lines)

    def _drop_content(self) -> None:
        oldest = self._with_content.popleft()
        oldest.content = None
        self._content_bytes -= oldest.size
