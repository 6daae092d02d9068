"""A claim of little mail in two round trips, beside the plain one of queue_store.py, which is a transaction of five.

It sees what is due without locks, decides as the plain claim does, and takes in one statement what it has seen. If any of that
has changed, nothing is taken. Then, and where there is much mail or anything that the plain claim has to look at, the plain claim
is made (docs/decisions/105).
"""

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg

from mailcordon.adapters.db import claimed_content, engine, queries
from mailcordon.adapters.db.count_arguments import counted
from mailcordon.adapters.db.limited_claim import LimitedClaim
from mailcordon.core.priority import WEIGHTS, Class
from mailcordon.guard.limits.counts import Counts
from mailcordon.send import limits, rotation
from mailcordon.send.ports import Batch, Bounds, Narrow
from mailcordon.send.rotation import DueLane, Plan, Returned, Visit

_SQL = queries.load("quick_claim.sql")
MOST_OF_A_LANE = 8  #: deliveries; a lane with as many may have more
MOST_TURNS = 48
PLAIN_SECONDS = 0.25  #: in which claims of these classes are plain, after one that could not be quick
_NOT_COUNTED = (None,) * 13


class Quick(NamedTuple):
    batch: Batch
    idle: Sequence[int]  #: turns that were set idle, unless they have got mail meanwhile


class QuickClaim:
    """One instance belongs to one dispatcher's claims. `limited`: its limits. `crowded_after`: seconds that the server may take
    to find the mail."""

    def __init__(self, limited: LimitedClaim, ramp_ms: int, crowded_after: float) -> None:
        self._limited = limited
        self._ramp_ms = ramp_ms
        self._longest_ms = 1000 * crowded_after
        self._plain_until: dict[tuple[Class, ...], float] = {}

    def may(self, classes: Sequence[Class], bounds: Bounds) -> bool:
        """Whether a quick claim of these classes is worth a try."""
        return bounds.reserve_left is None and self._plain_until.get(tuple(classes), 0.0) <= time.monotonic()

    async def claim(
        self,
        connection: engine.Connection,
        worker: int,
        classes: Sequence[Class],
        slots: int,
        bounds: Bounds,
        narrow: Narrow,
    ) -> Quick | None:
        """As `QueueStore.claim`. None: nothing was taken, and the claim has to be plain. Raises Unmet."""
        blocked = [tenant for tenant in bounds.in_flight if bounds.may_start(tenant) <= 0]
        rows = await connection.fetch(
            _SQL.see, [int(c) for c in classes], blocked, MOST_TURNS + 1, min(slots, MOST_OF_A_LANE)
        )
        if not rows:
            return Quick(Batch([], 0, bool(blocked)), ())
        found = await self._take(connection, worker, slots, rows, bounds, narrow, blocked)
        if found is None:
            self._plain_until[tuple(classes)] = time.monotonic() + PLAIN_SECONDS
        return found

    async def _take(
        self,
        connection: engine.Connection,
        worker: int,
        slots: int,
        rows: Sequence[asyncpg.Record],
        bounds: Bounds,
        narrow: Narrow,
        blocked: Sequence[int],
    ) -> Quick | None:
        us: int = rows[0]["us"]
        now, epoch = us // 1000, rows[0]["epoch"]
        turns = {row["turn"]: row for row in rows}
        if max(row["took"] for row in rows) > self._longest_ms:
            return None
        heads: dict[int, list[asyncpg.Record]] = {}
        for row in rows:
            if row["dead"]:
                return None
            if row["id"] is not None:
                heads.setdefault(row["lane"], []).append(row)
        if slots > MOST_OF_A_LANE and any(len(mails) == MOST_OF_A_LANE for mails in heads.values()):
            return None
        due = Counter(row["class"] for row in turns.values())
        if max(due.values()) > MOST_TURNS:
            return None
        shares = limits.shares(slots, due, WEIGHTS, random.random())
        lanes = [
            lane for class_ in due for lane in _served(rows, class_, shares[class_], min(slots, due[class_]))
        ]
        plan = rotation.plan(lanes, now, bounds.may_start, self._ramp_ms)
        if any(visit.tenant in narrow for visit in plan.visits):
            return None
        versions = {row["tenant"]: row["limits"] for row in turns.values()}
        rules = self._limited.far(versions, epoch, plan.visits)
        if rules is None:
            return None
        taken = chosen(plan, heads)
        counts = self._limited.count(taken, rules)
        contents, back = await self._record(
            connection, worker, us, epoch, plan, turns, versions, taken, counts
        )
        if contents is None:
            return None
        of_rows, of_addresses = (counts.counted, counts.apart) if counts else ({}, {})
        claimed = [claimed_content.claimed(row, now, contents, None, of_rows, of_addresses) for row in taken]
        more = rotation.left_behind(blocked, back)
        return Quick(Batch(claimed, epoch, more), [one.turn for one in back if one.idle])

    async def _record(
        self,
        connection: engine.Connection,
        worker: int,
        us: int,
        epoch: int,
        plan: Plan,
        turns: Mapping[int, asyncpg.Record],
        versions: Mapping[int, int | None],
        taken: Sequence[asyncpg.Record],
        counts: Counts | None,
    ) -> tuple[dict[int, claimed_content.Content] | None, Sequence[Returned]]:
        """The intent to send, committed. Without contents, nothing was recorded."""
        n: dict[int, int] = {}
        for row in taken:
            n[row["lane"]] = n.get(row["lane"], 0) + 1
        left = {v.lane: v.bucket.spent(n.get(v.lane, 0)) for v in plan.visits if v.bucket is not None}
        back = rotation.returned(plan, left, n, set(), us)
        messages, first, last, _, large = claimed_content.asked(taken, urgent=False)
        classes = {row["class"] for row in taken}
        rows = await connection.fetch(
            _SQL.take,
            worker,
            us,
            epoch,
            [one.turn for one in back],
            [turns[one.turn]["row"] for one in back],
            [turns[one.turn]["next_at"] for one in back],
            [one.at if one.place is None else us + one.place for one in back],
            [visit.lane for visit in plan.visits],
            list(versions),
            list(versions.values()),
            [row["id"] for row in taken],
            [row["mail"] for row in taken],
            [row["attempt"] for row in taken],
            list(left),
            [bucket.tokens for bucket in left.values()],
            [bucket.at for bucket in left.values()],
            *(counted(counts) if counts is not None and counts.counted else _NOT_COUNTED),
            messages,
            first,
            last,
            Class.URGENT in classes,
            bool(classes - {Class.URGENT}),
            large,
            counts is not None and counts.in_shadow,
        )
        if not rows[0]["taken"]:
            return None, []
        return claimed_content.found(rows), back


def _served(rows: Sequence[asyncpg.Record], class_: int, share: int, due: int) -> list[DueLane]:
    """The lanes of the turns of a class that a claim serves: those that have waited longest."""
    of_class = [row for row in rows if row["class"] == class_]
    served = set(list(dict.fromkeys(row["turn"] for row in of_class))[: min(share, due)])
    # A lane with several mails has several rows, which begin alike.
    found = {
        (row["turn"], row["lane"]): DueLane(class_, share, due, *[row[name] for name in DueLane._fields[3:]])
        for row in of_class
        if row["turn"] in served
    }
    return list(found.values())


def chosen(plan: Plan, heads: Mapping[int, Sequence[asyncpg.Record]]) -> list[asyncpg.Record]:
    """What the statement `claim` takes: a lane gives at most its budget, a turn at most its own, and the lanes of a turn share
    equally. `heads`: by lane, the mail at its head."""
    of_turn: dict[int, list[Visit]] = {}
    for visit in plan.visits:
        of_turn.setdefault(visit.turn, []).append(visit)
    taken: list[asyncpg.Record] = []
    for turn, visits in of_turn.items():
        ranked = [
            (place, visit.lane, row)
            for visit in visits
            for place, row in enumerate(heads.get(visit.lane, ())[: max(0, visit.budget)])
        ]
        ranked.sort(key=lambda one: one[:2])
        taken += [row for _, _, row in ranked[: plan.budgets[turn]]]
    return taken
