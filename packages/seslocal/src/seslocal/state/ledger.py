"""The ledger: every mail that was accepted, even if the client got another response. Tests of senders rely on it, so an entry is
added before the response is written. It keeps the newest mails up to a number, and their content up to a number of bytes. Entries
are stored encoded, so that a hundred thousand fit into a small machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class LedgerEntry(msgspec.Struct, eq=False):
    """An accepted mail."""

    number: int  #: counts from 1
    message_id: str
    at: float  #: seconds since the epoch
    tenant: str | None
    configuration_set: str | None
    recipients: Sequence[str]
    facts: bytes  #: JSON: from, subject, tags, headers, size, fates
    content: bytes | None  #: JSON, as the caller gave it; None: dropped to save memory

    def shown(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "at": self.at,
            "tenant": self.tenant,
            "configuration_set": self.configuration_set,
            "recipients": self.recipients,
            **msgspec.json.decode(self.facts),
        }

    def has_tag(self, name: str, value: str) -> bool:
        if _encode(value) not in self.facts:
            return False  # avoids decoding nearly every entry
        return value in msgspec.json.decode(self.facts)["tags"].get(name, ())


class Ledger:
    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most  #: mails kept
        self.most_bytes = most_bytes  #: bytes of content kept
        self.total = 0  #: accepted since the start, kept or not
        self.added: Callable[[LedgerEntry], None] = lambda entry: None  #: called with each new entry
        self.cleared: Callable[[], None] = lambda: None  #: called after `clear`
        self._entries: deque[LedgerEntry] = deque()
        self._with_content: deque[LedgerEntry] = deque()
        self._content_bytes = 0
        self._by_id: dict[str, LedgerEntry] = {}

    def add(
        self,
        *,
        message_id: str,
        at: float,
        tenant: str | None,
        configuration_set: str | None,
        recipients: Sequence[str],
        facts: Mapping[str, Any],
        content: Mapping[str, Any],
    ) -> None:
        self.total += 1
        kept = _encode(content)
        entry = LedgerEntry(
            self.total, message_id, at, tenant, configuration_set, recipients, _encode(facts), kept
        )
        self.added(entry)
        self._append(entry)

    def restore(self, entries: Iterable[LedgerEntry], total: int) -> None:
        """Adds the entries of an earlier run, oldest first, to an empty ledger."""
        for entry in entries:
            self._append(entry)
        self.total = total

    def _append(self, entry: LedgerEntry) -> None:
        self._entries.append(entry)
        self._by_id[entry.message_id] = entry
        if entry.content is not None:
            self._with_content.append(entry)
            self._content_bytes += len(entry.content)
        while self._content_bytes > self.most_bytes and len(self._with_content) > 1:
            self._drop_content()
        if len(self._entries) > self.most:
            oldest = self._entries.popleft()
            del self._by_id[oldest.message_id]
            if self._with_content and self._with_content[0] is oldest:
                self._drop_content()

    def get(self, message_id: str) -> LedgerEntry | None:
        return self._by_id.get(message_id)

    def newest_first(self) -> Iterator[LedgerEntry]:
        return reversed(self._entries)

    def since(self, number: int) -> Iterator[LedgerEntry]:
        """Returns the entries after this number, oldest first."""
        if not self._entries:
            return iter(())
        skip = max(0, number - self._entries[0].number + 1)
        return islice(self._entries, skip, None)

    def clear(self) -> None:
        """Drops all entries. `total` keeps its value."""
        self._entries.clear()
        self._by_id.clear()
        self._with_content.clear()
        self._content_bytes = 0
        self.cleared()

    def __len__(self) -> int:
        return len(self._entries)

    def _drop_content(self) -> None:
        oldest = self._with_content.popleft()
        self._content_bytes -= len(oldest.content or b"")
        oldest.content = None
