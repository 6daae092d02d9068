"""Where the due turns and the ready mail began when a claim last looked at everything.

A long snapshot keeps every old version of the queue's rows, and they lie before the live ones. Claims that begin behind them miss
only what was put before these marks since: mail that goes back to the head of its lane waits for the next full look.
"""

from collections.abc import Sequence

import asyncpg

from mailcordon.core import ids
from mailcordon.core.priority import Class

_MOST_HEADS = 20_000  #: lanes whose head is remembered


class Look:
    """The marks. `late_ms`: what commits this much later than its stamp is still seen by every claim."""

    def __init__(self, late_ms: int) -> None:
        self.late_ms = late_ms
        self.crowded = False
        self.at = float("-inf")
        self.turns: dict[int, int] = {}
        self.heads: dict[int, int] = {}

    def note(
        self,
        classes: Sequence[Class],
        rows: Sequence[asyncpg.Record],
        claimed: Sequence[asyncpg.Record],
        *,
        blocked: bool,
    ) -> None:
        """After a full look. Turns of blocked tenants were not looked at: then the marks of before still hold."""
        if not blocked:
            begins: int = rows[0]["us"] - 1000 * self.late_ms
            self.turns = {int(class_): begins for class_ in classes}
            for row in rows:
                class_: int = row["class"]
                self.turns[class_] = min(self.turns[class_], row["next_at"])
        heads: dict[int, int] = {}
        for row in claimed:
            heads[row["lane"]] = min(heads.get(row["lane"], row["id"]), row["id"])
        late = ids.first_of(self.late_ms) - ids.first_of(0)
        self.heads.update((lane, id - late) for lane, id in heads.items())
        if len(self.heads) > _MOST_HEADS:
            self.heads = {lane: id - late for lane, id in heads.items()}
