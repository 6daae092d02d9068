"""The paced releases of a fleet's campaigns: counts what left and came back of each batch, and asks `guard.release`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.week.lanes import Lane
from mailcordon.core.limit import Mode
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.guard import release
from mailcordon.guard.breaker.engine import SILENT
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy.effective import LanePolicy
from mailcordon.send.batches import TRICKLE
from seslocal.fleets.operator import Waiting

MINUTE_MS = 60_000
#: Minutes between two looks at a batch of which nothing is due and nothing came back.
IDLE = 30
#: Minutes after which marketing mail that still waits is given up.
EXPIRY = CLASS_DEFAULTS[Class.MARKETING].expiry_ms // MINUTE_MS
#: Minutes until mail of a closed release is asked about again.
CLOSED = 60


@dataclass(slots=True)
class Batch:
    """One campaign of a lane. Minutes are since 1970."""

    standing: release.Release
    size: int = 0  #: mails that were due so far
    last_due: int = 0
    out: int = 0
    allowed: int | None = None  #: that may have left by the end of this minute; None: no limit
    asked: int = 0  #: minute in which mail of it was asked about
    minutes: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 5))


class Releases:
    """`policies`: by lane."""

    def __init__(self, policies: Mapping[int, LanePolicy]) -> None:
        self._policies = policies
        self._batches: dict[tuple[int, str], Batch] = {}
        self._arrived: dict[tuple[int, str], tuple[int, int]] = {}  #: minute, and mails of it that came in it
        self._days: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def until(self, lane: Lane, mail: Waiting, minute: int, *, fresh: bool) -> int | None:
        """The minute in which to ask again; None: it may leave. `fresh`: it is asked about for the first time."""
        policy = self._policies[lane.id].release
        if not mail.bulk or policy.mode is Mode.OBSERVE:
            return None
        key = lane.id, mail.campaign
        if fresh:
            since, count = self._arrived.get(key, (minute, 0))
            self._arrived[key] = minute, (count + 1 if since == minute else 1)
        batch = self._batches.get(key)
        if batch is None or batch.standing.phase is release.Phase.OVER:
            if not fresh or self._arrived[key][1] < TRICKLE:
                return None
            batch = self._batches[key] = Batch(release.begin(policy, minute * MINUTE_MS), last_due=minute)
            self._open(lane.id, batch, minute)
        if fresh:
            batch.size += 1
            batch.last_due = minute
        batch.asked = minute
        if policy.mode is not Mode.ENFORCE:
            return None
        if batch.allowed is None or batch.out < batch.allowed:
            return None
        return minute + (CLOSED if batch.standing.phase is release.Phase.CLOSED else 1)

    def sent(self, lane: Lane, mail: Waiting, minute: int) -> None:
        self._days[lane.id][minute // 1440] += 1
        if (batch := self._batches.get((lane.id, mail.campaign))) is not None and mail.bulk:
            batch.out += 1

    def turn(self, minute: int, deltas: Sequence[Delta], warned: Callable[[int, str | None], bool]) -> None:
        """A new minute begins. `warned`: whether the breaker warns of a lane's campaign."""
        moved: set[tuple[int, str]] = set()
        for delta in deltas:
            batch = self._batches.get((delta.lane, delta.campaign or ""))
            if batch is None:
                continue
            moved.add((delta.lane, delta.campaign or ""))
            counts = batch.minutes[delta.minute]
            counts[0] += delta.sent
            counts[1] += delta.delivered + delta.hard_bounces + delta.delays
            counts[2] += delta.hard_bounces
            counts[3] += delta.complaints
            counts[4] += 0 if delta.provider in SILENT else delta.sent
        for (lane, campaign), batch in list(self._batches.items()):
            idle = batch.asked < minute - 1
            if idle and minute % IDLE and (lane, campaign) not in moved:
                continue
            if batch.standing.phase is release.Phase.OVER:
                del self._batches[lane, campaign]
                continue
            facts = self._facts(lane, batch, minute, warned=warned(lane, campaign))
            batch.standing = release.decide(batch.standing, facts, self._policies[lane].release)
            self._open(lane, batch, minute)

    def _open(self, lane: int, batch: Batch, minute: int) -> None:
        facts = self._facts(lane, batch, minute, warned=False)
        batch.allowed = release.allowed(batch.standing, facts, self._policies[lane].release)

    def _facts(self, lane: int, batch: Batch, minute: int, *, warned: bool) -> release.Facts:
        today = minute // 1440
        days = [mails for day, mails in self._days[lane].items() if day < today]
        return release.Facts(
            now=minute * MINUTE_MS,
            size=batch.size,
            last_accepted=batch.last_due * MINUTE_MS,
            queued=batch.size > batch.out and minute - batch.last_due < EXPIRY,
            minutes=[release.Minute(at, *counts) for at, counts in sorted(batch.minutes.items())],
            busy_day=float(max(days, default=0)),
            warned=warned,
        )
