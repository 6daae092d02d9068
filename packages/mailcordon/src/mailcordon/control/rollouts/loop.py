"""Decides each rollout again and again, and carries the decision out.

What decides is guard/rollouts. A decision is carried out in one transaction with the shares, the audit and the step, and
only if the rollout is as it was when it was looked at. So a process may die anywhere: the next look decides the same again.
Mail that waits follows a way back in batches, whose place is in the lane's row.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mailcordon.control.rollouts import facts as checks
from mailcordon.control.rollouts.facts import LaneFacts
from mailcordon.core.errors import Conflict
from mailcordon.core.path_choice import SHARED
from mailcordon.guard.objectives import MAY_BE_LATE, first_late
from mailcordon.guard.rollouts import course, gates
from mailcordon.guard.rollouts.nouns import (
    Decision,
    Facts,
    Freeze,
    Item,
    Measure,
    Override,
    Standing,
    Stratum,
    Verdict,
)

_LOG = logging.getLogger(__name__)

MOST = 50  #: rollouts of one round; those that were looked at longest ago
EVERY_MS = 5_000  #: between two looks at a rollout
#: A large rollout is looked at less often, by what a look costs: 18,000 strata are 0.4 s of CPU, and reading them about as much.
MS_OF_STRATUM = 1.0
LONGEST_PAUSE_MS = 15_000
BATCHES = 20  #: of a lane's waiting mail, in one round
#: Between two checks of a domain that a rollout is moving mail to. Others are checked once a day (docs/identities.md).
CHECK_EVERY_MS = 600_000
#: What was being accepted when the shares changed is stored by then (docs/send-path.md).
SETTLED_MS = 15_000
BY = "rollout"  #: the actor of what it does by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A rollout with what it is decided by, but for counts and checklist."""

    id: int
    tenant: int
    slug: str
    version: int
    standing: Standing
    lanes: tuple[int, ...]
    types: tuple[str, ...]  #: of the lanes, in the same order
    reference: Mapping[Measure, float]
    overrides: tuple[Override, ...]
    freezes: tuple[Freeze, ...]
    broken: Mapping[str, int]  #: by key of the checklist: since when it does not hold, as it was seen last
    looked_at: int  #: 0: not since its share or state changed
    now: int


@dataclass(frozen=True, slots=True)
class Moving:
    """Mail of a lane that follows a way back."""

    rollout: int
    lane: int
    after: int
    until: int  #: ms since 1970; before, it is looked for again
    now: int


class RolloutStore(Protocol):
    async def due(self, most: int, every_ms: int) -> Sequence[Open]: ...

    async def strata(self, lanes: Sequence[int], since: int) -> tuple[Stratum, ...]:
        """What was counted since a minute (since 1970)."""
        ...

    async def late(self, first_late: Mapping[int, int], since: int) -> tuple[Stratum, ...]:
        """Deliveries since a minute, and the late ones, of each lane by day. `first_late`: by lane, the first class of time
        (guard/objectives.py) that is late."""
        ...

    async def first_mail(self, lanes: Sequence[int]) -> int | None:
        """The minute of the first mail of the new path."""
        ...

    async def lane_facts(self, lanes: Sequence[int]) -> Sequence[LaneFacts]: ...

    async def check_soon(self, lanes: Sequence[int]) -> None:
        """The domains of their own paths are checked now, unless they were in the last CHECK_EVERY_MS."""
        ...

    async def seen(self, one: Open, decision: Decision, checklist: Sequence[Item]) -> None:
        """For people, unless the rollout changed meanwhile."""
        ...

    async def carry_out(self, one: Open, decision: Decision, after: Standing, *, what: str, by: str) -> bool:
        """One transaction: shares, step, audit. False: the rollout changed meanwhile, and nothing was done."""
        ...

    async def moving(self, most: int) -> Sequence[Moving]: ...

    async def moved(self, moving: Moving, after: int | None) -> None:
        """None: all of it is where it belongs."""
        ...

    async def leave_retired(self, most: int) -> None:
        """Lanes that were retired leave their rollout. One without lanes is given up."""
        ...

    async def finish_dropped(self, most: int) -> None:
        """Rollouts whose lanes have one path left are finished."""
        ...


class Mover(Protocol):
    async def move_back(self, lane: int, to: str, after: int = 0) -> tuple[int | None, int, int]: ...


class Rollouts:
    """`every_ms`: between two looks at the same rollout."""

    def __init__(self, store: RolloutStore, mover: Mover, *, every_ms: int = EVERY_MS) -> None:
        self._store = store
        self._mover = mover
        self._every_ms = every_ms
        self._strata: dict[int, int] = {}  #: how many the last look at each rollout had

    async def advance(self) -> None:
        """One round. Without open rollouts it is a handful of queries of small tables."""
        await self._store.finish_dropped(MOST)
        await self._store.leave_retired(MOST)
        for one in await self._store.due(MOST, self._every_ms):
            if one.now - one.looked_at < pause_ms(self._strata.get(one.id, 0)):
                continue
            try:
                await self.look(one)
            except Conflict as problem:
                # A plan was applied meanwhile. The next round finds the rollout as it is.
                _LOG.warning("rollout %s of %s: %s", one.id, one.slug, problem)
        for moving in await self._store.moving(MOST):
            await self._move(moving)

    async def look(self, one: Open) -> Decision:
        if one.standing.share > 0:
            await self._store.check_soon(one.lanes)
        facts, standing = await self.facts(one)
        self._strata[one.id] = len(facts.strata)
        # Not in the loop, which does all else that control does.
        decision = await asyncio.to_thread(course.look, standing, facts)
        await self._store.seen(replace(one, standing=standing), decision, facts.checklist)
        if decision.verdict is not Verdict.WAIT:
            after = course.after(standing, decision, one.now)
            done = await self._store.carry_out(one, decision, after, what=decision.verdict.value, by=BY)
            if done and decision.verdict is Verdict.BACK:
                _LOG.warning("rollout %s of %s: %s", one.id, one.slug, decision.sentence)
        return decision

    async def facts(self, one: Open) -> tuple[Facts, Standing]:
        """What it is decided by now."""
        standing = one.standing
        if standing.share > 0 and standing.first_mail is None:
            standing = replace(standing, first_mail=await self._store.first_mail(one.lanes))
        lanes = await self._store.lane_facts(one.lanes)
        strata: tuple[Stratum, ...] = ()
        if standing.share > 0:
            since = standing.since // 60_000
            strata = await self._store.strata(one.lanes, since)
            strata += await self._store.late(late_from(lanes), since)
        mailings = gates.mailings(strata)
        target = course.next_share(standing) or 100
        facts = Facts(
            now=one.now,
            strata=strata,
            reference=one.reference,
            ceilings=ceilings(lanes),
            checklist=checks.items(lanes, target, one.now, one.broken),
            overrides=one.overrides,
            freezes=one.freezes,
            repeats=gates.repeats(mailings),
            mailings=mailings,
        )
        return facts, standing

    async def _move(self, moving: Moving) -> None:
        after: int | None = moving.after
        for _ in range(BATCHES):
            if after is None:
                break
            after, _, _ = await self._mover.move_back(moving.lane, SHARED, after)
        if after is None and moving.now < moving.until:
            after = 0  # what was accepted meanwhile may have come behind it
        await self._store.moved(moving, after)


def pause_ms(strata: int) -> int:
    """So long there is no further look at a rollout with so many strata. 0: as often as at any other."""
    pause = round(MS_OF_STRATUM * strata)
    return 0 if pause <= EVERY_MS else min(LONGEST_PAUSE_MS, pause)


def late_from(lanes: Sequence[LaneFacts]) -> Mapping[int, int]:
    """By lane: the first class of time that is late. A lane without that objective has nobody who waits for its mail."""
    asked = {lane.lane: lane.policy.objectives.delivered_seconds for lane in lanes}
    return {lane: first_late(seconds) for lane, seconds in asked.items() if seconds is not None}


def ceilings(lanes: Sequence[LaneFacts]) -> Mapping[Measure, float]:
    """The most that the lanes' objectives allow: of several lanes the strictest."""
    found: dict[Measure, float] = {}
    for lane in lanes:
        asked = lane.policy.objectives
        for measure, bad in (
            (Measure.UNDELIVERED, None if asked.delivered is None else 1 - asked.delivered),
            (Measure.BOUNCED, asked.bounces),
            (Measure.COMPLAINED, asked.complaints),
            (Measure.LATE, None if asked.delivered_seconds is None else MAY_BE_LATE),
        ):
            if bad is not None:
                found[measure] = min(found.get(measure, 1.0), bad)
    return found
