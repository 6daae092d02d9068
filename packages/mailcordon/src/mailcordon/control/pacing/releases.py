"""Opens the steps of releases, closes those whose feedback is bad, and ends those that are out.

What decides is guard/release.py. Each decision is stored with the row of `send_limit` that dispatchers obey, in one transaction.
A process that dies or is late only keeps mail waiting.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.guard import release as rules
from mailcordon.guard.policy.effective import ReleasePolicy
from mailcordon.guard.release import Facts, Feedback, Minute, Phase, Release
from mailcordon.messages import pacing as messages

MOST = 50  #: releases of one round; those that were looked at longest ago
BUSY_DAY_MS = 600_000  #: for so long a lane's busy day is not read again
QUEUED_MS = 60_000  #: between two looks whether a quiet batch still has mail in the queue
PURGE_SECONDS = 3_600.0
OWNER = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A release that is not over, with what is known of it but for its counts."""

    id: int
    tenant: int
    lane: int
    kind: str  #: campaign, list or lane
    name: str
    fresh: bool
    release: Release
    policy: ReleasePolicy
    use_before: int  #: what the limit's counter had counted when the release began
    limit_cap: int | None
    limit_mode: Mode
    because: str
    now: int
    size: int
    last_accepted: int
    rate: float | None
    warned: bool
    looked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a round found of one release, to be stored unless another process was faster."""

    before: Open
    after: Release
    feedback: Feedback
    use_before: int
    limit_cap: int | None
    limit_mode: Mode
    because: str

    @property
    def changes_limit(self) -> bool:
        old = self.before
        return (old.limit_cap, old.limit_mode, old.because) != (self.limit_cap, self.limit_mode, self.because)


class ReleaseStore(Protocol):
    async def due(self, most: int) -> Sequence[Open]: ...

    async def minutes(self, releases: Sequence[Open]) -> Mapping[int, Sequence[Minute]]:
        """What was counted of each, by its id, since it began."""
        ...

    async def busy_days(self, lanes: Sequence[int]) -> Mapping[int, float]:
        """The 90th percentile of the mail of the lanes' last 28 days with mail."""
        ...

    async def queued(self, release: Open) -> bool:
        """Whether mail of it is in the queue."""
        ...

    async def used(self, release: Open) -> int:
        """What the counter of its limit says."""
        ...

    async def spent(self, release: Open) -> int | None:
        """The same without calls whose outcome is unknown. None: the counts of the latest calls may not be complete yet."""
        ...

    async def save(self, looks: Sequence[Look]) -> None: ...

    async def purge(self, keep_ms: int) -> None:
        """Forgets releases that have been over for so long."""
        ...


class Releases:
    def __init__(self, store: ReleaseStore, *, keep_days: float = 90.0) -> None:
        self._store = store
        self._keep_ms = round(keep_days * 86_400_000)
        self._purge_at = 0.0
        self._busy: dict[int, tuple[int, float]] = {}  #: by lane: when it was read, mails
        self._queued: dict[int, tuple[int, bool]] = {}  #: by release

    async def advance(self) -> None:
        """One round. Without open releases it is one query."""
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + PURGE_SECONDS
            await self._store.purge(self._keep_ms)
        due = await self._store.due(MOST)
        if not due:
            return
        minutes = await self._store.minutes(due)
        busy = await self._busy_days(due)
        looks: list[Look] = []
        for one in due:
            facts = Facts(
                now=one.now,
                size=one.size,
                last_accepted=one.last_accepted,
                queued=await self._is_queued(one),
                minutes=minutes.get(one.id, ()),
                busy_day=busy[one.lane],
                rate=one.rate,
                warned=one.warned,
                fresh_list=one.fresh,
            )
            looks.append(await self._look(one, facts))
        await self._store.save(looks)

    async def _look(self, one: Open, facts: Facts) -> Look:
        after = rules.decide(one.release, facts, one.policy)
        feedback = rules.feedback(facts.minutes, facts.now)
        use_before = one.use_before
        if after.phase is Phase.STEPS and one.release.phase is not Phase.STEPS:
            # While nothing limited it, nothing was counted.
            use_before = await self._store.used(one) - facts.out
        elif after.phase is Phase.STEPS and after.why in (rules.Why.NOTHING_LEFT, rules.Why.UNUSED):
            # Calls that failed were counted. Without them back, a step whose calls fail would be used up, and open no other one.
            spent = await self._store.spent(one)
            use_before = use_before if spent is None else max(use_before, spent - facts.out)
        allowed = rules.allowed(after, facts, one.policy)
        return Look(
            before=one,
            after=after,
            feedback=feedback,
            use_before=use_before,
            limit_cap=None if allowed is None else max(0, use_before + allowed) if allowed else 0,
            limit_mode=one.policy.mode,
            because=one.because
            if closed_as_before(one.release, after)
            else because(one.kind, one.name, after, feedback, allowed),
        )

    async def _busy_days(self, due: Sequence[Open]) -> Mapping[int, float]:
        now = due[0].now
        wanted = sorted(
            {one.lane for one in due if abs(now - self._busy.get(one.lane, (0, 0.0))[0]) > BUSY_DAY_MS}
        )
        if wanted:
            found = await self._store.busy_days(wanted)
            self._busy = {
                lane: kept for lane, kept in self._busy.items() if abs(now - kept[0]) <= BUSY_DAY_MS
            }
            self._busy.update({lane: (now, found.get(lane, 0.0)) for lane in wanted})
        return {one.lane: self._busy[one.lane][1] for one in due}

    async def _is_queued(self, one: Open) -> bool:
        """Only a batch to which nothing was added for long may be over, so only then it is worth a look at the queue."""
        if one.now - one.last_accepted < rules.QUIET_MS:
            self._queued.pop(one.id, None)
            return True
        looked_at, queued = self._queued.get(one.id, (0, True))
        if abs(one.now - looked_at) >= QUEUED_MS:
            queued = await self._store.queued(one)
            self._queued = {
                id: kept for id, kept in self._queued.items() if abs(one.now - kept[0]) < QUEUED_MS
            }
            self._queued[one.id] = (one.now, queued)
        return queued


def because(kind: str, name: str, at: Release, feedback: Feedback, allowed: int | None) -> str:
    """Why mail of it waits: the reason of its limit."""
    if at.phase is Phase.CLOSED:
        return messages.waits_since(kind, name, bad(at, feedback))
    if at.why is rules.Why.CANARY and allowed is not None:
        return messages.canary_first(kind, name, allowed, at.next_at)
    return messages.leaves_in_steps(kind, name, at.cap)


def closed_as_before(before: Release, after: Release) -> bool:
    """Counts move on, but the reason of mail that waits is what was seen when it closed."""
    return before.phase is after.phase is Phase.CLOSED and before.why is after.why


def bad(at: Release, feedback: Feedback) -> str:
    """What closes it."""
    if at.why is rules.Why.BOUNCES:
        return messages.bad_bounces(feedback.bounces, feedback.out, feedback.usual_bounces)
    if at.why is rules.Why.COMPLAINTS:
        return messages.bad_complaints(feedback.complaints, feedback.out, feedback.usual_complaints)
    return messages.warned()


def limit(tenant: int, lane: int, kind: str, name: str, cap: int, mode: Mode, because: str) -> Limit:
    return Limit(
        id=0,
        tenant=tenant,
        owner=OWNER,
        scope=LimitScope(kind),
        per=Per.EVER,
        cap=cap,
        mode=mode,
        because=because,
        lane=lane,
        campaign=name if kind == "campaign" else None,
        list=name if kind == "list" else None,
    )


def opened_by_hand(one: Open, feedback: Feedback) -> Look:
    """What a person changes who lets all of it leave. `feedback` stays as it was seen last."""
    return Look(
        before=one,
        after=rules.opened_by_hand(one.release),
        feedback=feedback,
        use_before=one.use_before,
        limit_cap=None,
        limit_mode=one.limit_mode,
        because=one.because,
    )
