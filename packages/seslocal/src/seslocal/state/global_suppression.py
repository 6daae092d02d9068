"""The global suppression list: addresses that hard bounced for any of SES's customers (ses.md 2.1). SES has no API for it. An
entry lasts longer each time its address bounces, up to fourteen days, so expired entries are kept too. The newest hundred
thousand are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

DAY: Final = 86400.0
LONGEST: Final = 14 * DAY  # maximum seconds that an entry lasts
MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    until: float
    bounces: int


class GlobalSuppressionList:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}  #: by the address in lower case; some have expired
        self.changed: Callable[[str, Entry | None], None] = lambda folded, entry: (
            None
        )  #: called after each change

    def bounced(self, folded: str, now: float) -> Entry:
        """Adds an entry: for one day the first time, twice as long each further time."""
        before = self.entries.pop(folded, None)
        bounces = before.bounces + 1 if before else 1
        entry = Entry(now + min(LONGEST, DAY * 2 ** min(bounces - 1, 10)), bounces)
        self.put(folded, entry)
        return entry

    def put(self, folded: str, entry: Entry) -> None:
        self.entries[folded] = entry
        self.changed(folded, entry)
        if len(self.entries) > MOST:
            self.delete(next(iter(self.entries)))

    def delete(self, folded: str) -> bool:
        if self.entries.pop(folded, None) is None:
            return False
        self.changed(folded, None)
        return True

    def holds(self, folded: str, now: float) -> bool:
        entry = self.entries.get(folded)
        return entry is not None and now < entry.until
