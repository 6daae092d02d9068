"""A campaign or a list of a lane: its mail by time, for its own evidence while it is new and to find who is guilty."""

from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.evidence import LOG_ALTERNATIVES, NOTHING, Fixed
from mailcordon.guard.breaker.measures import DAY, SIGNALS
from mailcordon.guard.breaker.nouns import Slice

KEEP_MINUTES = 14 * DAY
_NOTHING = Fixed(NOTHING, NOTHING, (NOTHING,) * len(LOG_ALTERNATIVES))


class Part:
    """`weighted`: it has a share of the lane's budget, as one of the first new ones of its day."""

    __slots__ = (
        "blocks",
        "cached",
        "events",
        "first",
        "heard",
        "held_from",
        "last",
        "sent",
        "slice",
        "stale",
        "version",
        "weighted",
    )

    def __init__(self, slice_: Slice, minute: int, columns: int, version: int, *, weighted: bool) -> None:
        self.slice = slice_
        self.first = self.last = minute
        self.version = version
        self.weighted = weighted
        self.held_from: int | None = None  #: judged: its mail from this minute on says nothing about the lane
        self.blocks = Blocks(minute, columns, KEEP_MINUTES, room=4)
        self.sent = 0  #: mails
        self.heard = 0  #: of them, those to providers that return complaints
        self.events = [0] * len(SIGNALS)
        self.stale = [False] * len(SIGNALS)
        self.cached: list[Fixed] = [_NOTHING] * len(SIGNALS)

    def held(self, minute: int) -> bool:
        return self.held_from is not None and minute >= self.held_from

    def add_sent(self, minute: int, column: int, mails: int, *, heard: bool) -> None:
        if minute > self.last:
            self.last = minute
        self.sent += mails
        if heard:
            self.heard += mails
        self.blocks.add_sent(minute, 0, 0, column, mails)

    def add_event(self, minute: int, signal: int, column: int, events: int) -> None:
        if self.blocks.add_event(minute, 0, signal, column, events):
            count = self.events[signal] + events
            self.events[signal] = count if count > 0 else 0
            self.stale[signal] = True
