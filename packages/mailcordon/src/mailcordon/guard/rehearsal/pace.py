"""The paced release of a rehearsed mailing, by the rules that the control role runs (guard/release). The week's own campaigns
are in the record as they left, after their pace."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mailcordon.core.limit import Mode
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.guard import release
from mailcordon.guard.breaker.engine import SILENT
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.policy.effective import ReleasePolicy
from mailcordon.guard.rehearsal.mailing import Due

MINUTE_MS = 60_000
EXPIRY = (
    CLASS_DEFAULTS[Class.MARKETING].expiry_ms // MINUTE_MS
)  #: minutes after which mail that still waits is given up


@dataclass(frozen=True, slots=True)
class Closed:
    minute: int
    why: release.Why
    out: int  #: mails that had left


class Pace:
    """`warned`: whether the breaker warns of the mailing now."""

    def __init__(
        self, policy: ReleasePolicy, due: Sequence[Due], busy_day: float, warned: Callable[[], bool]
    ) -> None:
        self._policy = policy
        self._due = due
        self._next = 0
        self._size = self._out = self._last_due = 0
        self._busy_day = busy_day
        self._warned = warned
        self._standing: release.Release | None = None
        self._minutes: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 5)
        self._looked = -1
        self.closed: list[Closed] = []

    def room(self, minute: int) -> int | None:
        """How many mails may leave now; None: as many as there are."""
        if self._policy.mode is not Mode.ENFORCE:
            return None
        self._look(minute)
        assert self._standing is not None
        allowed = release.allowed(self._standing, self._facts(minute), self._policy)
        return None if allowed is None else max(0, allowed - self._out)

    def left(self, mails: int) -> None:
        self._out += mails

    def hear(self, deltas: Iterable[Delta | DomainDelta]) -> None:
        """Of the mailing alone."""
        for delta in deltas:
            if isinstance(delta, DomainDelta):
                continue
            counts = self._minutes[delta.minute]
            counts[0] += delta.sent
            counts[1] += delta.delivered + delta.hard_bounces + delta.blocks
            counts[2] += delta.hard_bounces
            counts[3] += delta.complaints
            counts[4] += 0 if delta.provider in SILENT else delta.sent

    def _look(self, minute: int) -> None:
        while self._next < len(self._due) and self._due[self._next].minute <= minute:
            self._size += self._due[self._next].mails
            self._last_due = self._due[self._next].minute
            self._next += 1
        if self._standing is None or self._standing.phase is release.Phase.OVER:
            self._standing = release.begin(self._policy, minute * MINUTE_MS)
            self._minutes.clear()
            self._size -= self._out
            self._out = 0
        if minute <= self._looked:
            return
        self._looked = minute
        before = self._standing.phase
        self._standing = release.decide(self._standing, self._facts(minute), self._policy)
        if self._standing.phase is release.Phase.CLOSED and before is not release.Phase.CLOSED:
            self.closed.append(Closed(minute, self._standing.why, self._out))

    def _facts(self, minute: int) -> release.Facts:
        return release.Facts(
            now=minute * MINUTE_MS,
            size=self._size,
            last_accepted=self._last_due * MINUTE_MS,
            queued=self._size > self._out and minute - self._last_due < EXPIRY,
            minutes=[release.Minute(at, *counts) for at, counts in sorted(self._minutes.items())],
            busy_day=self._busy_day,
            warned=self._warned(),
            fresh_list=True,
        )
