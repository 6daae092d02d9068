"""The global suppression list: addresses that hard bounced for any of SES's customers (ses.md 2.1). Nobody can query it
at SES; an entry lives longer each time its address bounces, up to fourteen days, and is remembered afterwards for that. It
keeps the newest hundred thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY: Final = 86400.0
LONGEST: Final = 14 * DAY  # seconds that an entry lives at most
MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    until: float
    bounces: int


class GlobalSuppressionList:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}  #: by the address in lower case; some are over

    def bounced(self, folded: str, now: float) -> Entry:
        """One day the first time, and twice as long each time again."""
        before = self.entries.pop(folded, None)
        bounces = before.bounces + 1 if before else 1
        entry = self.entries[folded] = Entry(now + min(LONGEST, DAY * 2 ** min(bounces - 1, 10)), bounces)
        if len(self.entries) > MOST:
            del self.entries[next(iter(self.entries))]
        return entry

    def holds(self, folded: str, now: float) -> bool:
        entry = self.entries.get(folded)
        return entry is not None and now < entry.until
