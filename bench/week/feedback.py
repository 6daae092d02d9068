"""What a sender is told, counted as Mailcordon counts it: changes of cohorts, by the minute of the call to SES."""

from __future__ import annotations

import zlib
from collections import defaultdict
from typing import Final

from bench.week.lanes import Lanes, campaign_of, list_of, provider_of
from mailcordon.core.bounce_reason import Group
from mailcordon.core.provider import Provider
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.observe import bounce_reasons
from seslocal.fleets.operator import Seen, Waiting

#: The groups of reasons whose bounces are blocks (guard/counts.py).
BLOCKS: Final = frozenset({Group.SENDER_REPUTATION, Group.CONTENT, Group.POLICY})

_SENT, _DELIVERED, _HARD, _COMPLAINTS, _BLOCKS, _DELAYS, _OPENS = range(7)
Cell = tuple[int, int, str | None, str | None, int]


class Feedback:
    """Counts what left and what came back. `start`: the minute since 1970 at which the week begins."""

    def __init__(self, lanes: Lanes, start: int) -> None:
        self._lanes = lanes
        self._start = start
        self._cells: defaultdict[Cell, list[int]] = defaultdict(lambda: [0] * 7)
        self._domains: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        #: Of mails that did not leave in the minute in which they were due: the minute in which they did.
        self._left: dict[str, int] = {}
        self._delayed: set[str] = set()

    def sent(self, mail: Waiting, minute: int) -> None:
        """It is handed to SES in this minute."""
        if minute != self._due(mail):
            self._left[mail.key] = minute
        self._cell(mail)[_SENT] += 1

    def minute_of(self, mail: Waiting) -> int:
        """In which it was handed to SES."""
        return self._left.get(mail.key) or self._due(mail)

    def see(self, seen: Seen) -> None:
        mail = seen.mail
        match seen.what:
            case "rejected" | "suppressed":
                self._cell(mail)[_SENT] -= 1  # SES did not take it
            case "delivery":
                self._delayed.discard(mail.key)
                self._cell(mail)[_DELIVERED] += 1
            case "delay":
                if mail.key not in self._delayed:
                    self._delayed.add(mail.key)
                    self._cell(mail)[_DELAYS] += 1
            case "bounce":
                self._bounced(seen)
            case "complaint":
                self._cell(mail)[_COMPLAINTS] += 1
            case "open":
                self._cell(mail)[_OPENS] += 1
            case _:
                pass

    def take(self) -> tuple[list[Delta], list[DomainDelta]]:
        """Returns the changes since the last call, in the order of their minutes."""
        deltas = [Delta(*cell, *counts) for cell, counts in self._cells.items() if any(counts)]
        domains = [DomainDelta(*key, count) for key, count in self._domains.items()]
        self._cells.clear()
        self._domains.clear()
        deltas.sort(key=lambda one: one.minute)
        return deltas, domains

    def _bounced(self, seen: Seen) -> None:
        mail = seen.mail
        self._delayed.discard(mail.key)
        cell = self._cell(mail)
        if seen.permanent:
            cell[_HARD] += 1
            if provider_of(mail) is Provider.OTHER:
                domain = zlib.crc32(mail.recipient.rpartition("@")[2].encode())
                self._domains[self.minute_of(mail), self._lanes.of(mail).id, domain] += 1
        reason = bounce_reasons.find(None, seen.status or None, seen.text).reason
        if reason.group in BLOCKS:
            cell[_BLOCKS] += 1

    def _cell(self, mail: Waiting) -> list[int]:
        return self._cells[
            self.minute_of(mail),
            self._lanes.of(mail).id,
            campaign_of(mail),
            list_of(mail),
            int(provider_of(mail)),
        ]

    def _due(self, mail: Waiting) -> int:
        return self._start + int(mail.due // 60)
