"""A dispatcher's view of the queue: take turns, claim deliveries, record what became of them.

Implements `send.ports.QueueStore`. Claims and results have a connection each, so that recording results never waits for a claim.
"""

import os
import random
import socket
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.stop_row import stop_from_row
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.hold import Hold
from mailcordon.core.lane import Lane
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.core.stop import Stop
from mailcordon.send import limits
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue
from mailcordon.send.ports import Batch

_SQL = queries.load("queue_store.sql")
_SHARED = queries.load("shared.sql")
_WORKER_LOCK = 0x6D64  #: first key of the advisory locks of live workers; the second is the worker's id
_MOST_TURNS = 64  #: of one class in one claim: visiting a lane costs more than sending a mail (lab: 13 us a mail + 18 us a visit)
_WEIGHTS = {int(class_): defaults.weight for class_, defaults in CLASS_DEFAULTS.items()}


class QueueStore:
    def __init__(self, dsn: str) -> None:
        self.worker = 0
        self._claims = PinnedConnection(dsn, "claim")
        self._results = PinnedConnection(dsn, "complete")
        self._worker_lock = PinnedConnection(dsn, "worker", index_plans=False, prepare=self._register)
        self._rate = PinnedConnection(dsn, "rate", index_plans=False)
        self._watch = PinnedConnection(dsn, "holds", index_plans=False)
        #: turns set idle here -> xmax of their first recheck; None: not rechecked yet
        self._idle: dict[int, int | None] = {}
        self._rechecked_at = 0.0

    async def close(self) -> None:
        for connection in (self._claims, self._results, self._rate, self._watch, self._worker_lock):
            await connection.close()

    # Workers ------------------------------------------------------------------------------------------------------------

    async def _register(self, connection: engine.Connection) -> None:
        # A new connection is a new worker: while the old one was gone, others may have declared its calls unknown.
        worker = await connection.fetchval(_SQL.new_worker, socket.gethostname(), os.getpid())
        await connection.execute(_SHARED.lock, _WORKER_LOCK, worker)
        self.worker = worker

    async def begin_work(self) -> int:
        """Writes a heartbeat. Registers as a new worker first if the connection had broken. Returns the worker's id."""
        async with self._worker_lock.use() as connection:
            await connection.execute(_SQL.heartbeat, self.worker)
            return self.worker

    async def end_work(self) -> None:
        async with self._worker_lock.use() as connection:
            await connection.execute(_SQL.end_worker, self.worker)

    async def reap(self, silent_ms: int) -> int:
        """Moves deliveries that dead workers had on the wire to "outcome unknown". Returns their number.

        A worker is dead if its heartbeat is old and its lock is free: a slow worker still holds its lock.
        """
        reaped = 0
        async with self._worker_lock.use() as connection:
            for row in await connection.fetch(_SQL.silent_workers, self.worker, silent_ms):
                worker = row["id"]
                if await connection.fetchval(_SHARED.try_lock, _WORKER_LOCK, worker):
                    try:
                        reaped += await connection.fetchval(_SQL.reap_worker, worker)
                    finally:
                        await connection.execute(_SHARED.unlock, _WORKER_LOCK, worker)
        return reaped

    # Holds --------------------------------------------------------------------------------------------------------------

    async def hold_epoch(self) -> int:
        async with self._watch.use() as connection:
            return await connection.fetchval(_SHARED.epoch, "hold")

    async def holds(self) -> tuple[frozenset[int], tuple[Hold, ...]]:
        """Lanes that are held as a whole, and the narrower stopping holds."""
        async with self._watch.transaction() as connection:
            lanes = await connection.fetch(_SQL.held_lanes)
            rows = await connection.fetch(_SQL.narrow_holds)
        return frozenset(row["id"] for row in lanes), tuple(hold_from_row(row) for row in rows)

    async def stops(self) -> tuple[Stop, ...]:
        """All open stops."""
        async with self._watch.use() as connection:
            return tuple(stop_from_row(row) for row in await connection.fetch(_SQL.open_stops))

    # Rate ---------------------------------------------------------------------------------------------------------------

    async def take_tokens(self, cell: str, want: int, *, urgent: bool) -> tuple[int, Reason | None]:
        """How many calls may start now under the account's rate, and the reason if none may."""
        async with self._rate.use() as connection:
            for _ in range(20):
                row = await connection.fetchrow(_SQL.account_rate, cell)
                if row is None:
                    return 0, Reason.RATE_UNKNOWN
                before = _account_rate(row)
                granted, after = before.take(want, urgent=urgent, now=row["now"])
                if not before.sending_enabled:
                    return 0, Reason.ACCOUNT_PAUSED
                if before.remaining_24h is not None and before.remaining_24h < 1:
                    return 0, Reason.DAILY_QUOTA
                if await connection.fetchval(
                    _SQL.spend_account_rate,
                    cell,
                    row["at"],
                    row["tokens"],
                    after.rate,
                    after.tokens,
                    after.at,
                ):
                    return granted, None
            return 0, None

    async def return_tokens(self, cell: str, n: int) -> None:
        async with self._rate.use() as connection:
            await connection.execute(_SQL.return_tokens, cell, n)

    async def cut_rate(self, cell: str) -> None:
        """After SES throttled a call."""
        async with self._rate.use() as connection:
            row = await connection.fetchrow(_SQL.account_rate, cell)
            if row is not None:
                after = _account_rate(row).throttled(row["now"])
                await connection.execute(_SQL.cut_account_rate, cell, after.rate, after.tokens, after.at)

    async def due(self, classes: Sequence[Class]) -> bool:
        """Whether any turn of these classes is due. An idle dispatcher calls this instead of `claim`."""
        async with self._claims.use() as connection:
            return await connection.fetchval(_SQL.any_turn_due, [int(c) for c in classes])

    # Claim --------------------------------------------------------------------------------------------------------------

    async def claim(self, classes: Sequence[Class], slots: int) -> Batch:
        """Claims up to `slots` deliveries, shared fairly among the due turns. Their intent is committed on return."""
        asked = {int(c): min(_MOST_TURNS, slots) for c in classes}
        async with self._claims.transaction() as connection:
            rows = await connection.fetch(_SQL.take_turns, list(asked), list(asked.values()))
            if not rows:
                return Batch([], 0)
            now: int = rows[0]["now"]
            us: int = rows[0]["us"]
            plan = _plan(rows, slots, now)
            taken = await connection.fetch(
                _SQL.claim,
                [lane.lane for lane in plan.lanes],
                [lane.budget for lane in plan.lanes],
                [lane.cutoff for lane in plan.lanes],
                [lane.turn for lane in plan.lanes],
                [plan.budgets[lane.turn] for lane in plan.lanes],
                now,
                self.worker,
            )
            claimed = [row for row in taken if row["attempt"]]
            if len(claimed) < len(taken):
                expired = [row for row in taken if not row["attempt"]]
                await connection.execute(
                    _SQL.count_expired, [row["lane"] for row in expired], [row["id"] for row in expired]
                )
            idle = await self._return_turns(connection, plan, taken, us)
            contents = await _contents(
                connection, claimed, urgent=Class.URGENT in classes, only=len(classes) == 1
            )
        for turn in idle:
            self._idle[turn] = None
        return Batch([_claimed(row, now, contents) for row in claimed], rows[0]["epoch"])

    async def _return_turns(
        self, connection: engine.Connection, plan: "_Plan", taken: Sequence[asyncpg.Record], us: int
    ) -> list[int]:
        by_turn: dict[int, int] = defaultdict(int)
        by_lane: dict[int, int] = defaultdict(int)
        for row in taken:
            by_turn[row["turn"]] += 1
            by_lane[row["lane"]] += 1
        left = {
            lane.lane: lane.bucket.spent(by_lane[lane.lane]) for lane in plan.lanes if lane.bucket is not None
        }
        #: turn -> when each of its lanes without tokens gets the next one; None: never
        out_of_tokens: dict[int, list[int | None]] = defaultdict(list)
        for lane in plan.lanes:
            if lane.lane in left and by_lane[lane.lane] >= lane.budget:
                out_of_tokens[lane.turn].append(left[lane.lane].next_at())
        next_at: dict[int, int | None] = {}
        for turn, budget in plan.budgets.items():
            if by_turn[turn] >= budget:
                next_at[turn] = us
            else:
                times = [at for at in out_of_tokens[turn] if at is not None]
                next_at[turn] = max(us + 1000, min(times) * 1000) if times else None
        order = sorted(next_at)
        await connection.execute(
            _SQL.return_turns,
            order,
            [next_at[turn] for turn in order],
            list(left),
            [bucket.tokens for bucket in left.values()],
            [bucket.at for bucket in left.values()],
        )
        return [turn for turn in order if next_at[turn] is None]

    async def recheck(self, every: float = 0.0) -> int:
        """Checks the turns that this worker set idle, at most once in `every` seconds. Returns how many were woken."""
        now = time.monotonic()
        if not self._idle or now - self._rechecked_at < every:
            return 0
        self._rechecked_at = now
        turns = sorted(self._idle)
        async with self._claims.use() as connection:
            row = await connection.fetchrow(_SQL.recheck_turns, turns)
        assert row is not None
        for turn in row["woken"]:
            self._idle.pop(turn, None)
        for turn in turns:
            horizon = self._idle.get(turn, 0)
            if horizon is None:
                self._idle[turn] = row["xmax"]
            elif horizon and row["xmin"] >= horizon:
                self._idle.pop(turn, None)
        return len(row["woken"])

    async def sweep(self) -> int:
        """Wakes every idle turn that has ready mail, for workers that died before their recheck. Returns how many."""
        async with self._claims.use() as connection:
            return len(await connection.fetch(_SQL.sweep_turns))

    async def lane_routes(self, lanes: Sequence[int]) -> dict[int, Route]:
        async with self._watch.use() as connection:
            rows = await connection.fetch(_SQL.lane_routes, lanes)
        return {
            row["lane"]: Route(
                lane=Lane(
                    id=row["lane"],
                    tenant=row["tenant"],
                    tenant_key=row["tenant_key"],
                    type=row["type"],
                    class_=Class(row["class"]),
                ),
                turn=row["turn"],
                path=row["path"],
                ses_tenant=row["ses_tenant"],
                configuration_set=row["configuration_set"],
                domain=row["domain"],
            )
            for row in rows
        }

    # Complete -----------------------------------------------------------------------------------------------------------

    async def complete(
        self,
        finished: Sequence[Finish],
        deferred: Sequence[Defer],
        requeued: Sequence[Requeue],
    ) -> None:
        """Records what became of claimed deliveries, in one transaction."""
        if deferred or requeued:
            async with self._results.transaction() as connection:
                await self._finish(connection, finished)
                await self._defer(connection, deferred)
                await self._requeue(connection, requeued)
        else:
            async with self._results.use() as connection:
                await self._finish(connection, finished)

    async def _finish(self, connection: engine.Connection, finished: Sequence[Finish]) -> None:
        """At most two statements. They need no common transaction: a delivery that the first one finished is not in the queue."""
        ordered = sorted(finished, key=lambda one: (one.claim.lane, one.claim.id))
        sent = [x for x in ordered if x.state is State.SENT]
        others = [x for x in ordered if x.state is not State.SENT]
        if sent:
            found = await connection.fetchval(
                _SQL.finish_sent,
                [x.claim.lane for x in sent],
                [x.claim.id for x in sent],
                [x.claim.attempt for x in sent],
                [x.ses_id for x in sent],
                [x.claim.called_at for x in sent],
                [len(x.claim.content or b"") for x in sent],
                -self.worker,
                any(x.forget for x in sent),
            )
            if found < len(sent):
                # Recorded before, or declared unknown while we wrote. `queue_finish` looks again.
                others = ordered
        if others:
            await connection.execute(
                _SQL.finish,
                [x.claim.lane for x in others],
                [x.claim.id for x in others],
                [x.claim.attempt for x in others],
                [int(x.state) for x in others],
                [x.ses_id for x in others],
                [x.claim.called_at for x in others],
                [x.reason for x in others],
                [x.detail for x in others],
                -self.worker,
            )

    async def _requeue(self, connection: engine.Connection, requeued: Sequence[Requeue]) -> None:
        if not requeued:
            return
        ordered = sorted((one.claim for one in requeued), key=lambda c: (c.lane, c.id))
        await connection.execute(
            _SQL.requeue,
            [c.lane for c in ordered],
            [c.id for c in ordered],
            [c.attempt for c in ordered],
            [c.called_at for c in ordered],
        )

    async def _defer(self, connection: engine.Connection, deferred: Sequence[Defer]) -> None:
        if not deferred:
            return
        ordered = sorted(deferred, key=lambda one: (one.claim.lane, one.claim.id))
        await connection.execute(
            _SQL.defer,
            [p.claim.lane for p in ordered],
            [p.claim.id for p in ordered],
            [p.claim.attempt for p in ordered],
            [p.claim.called_at for p in ordered],
            [p.why for p in ordered],
            [p.until for p in ordered],
            [p.hold for p in ordered],
            [p.reason for p in ordered],
            [p.code for p in ordered],
            [p.configuration_set for p in ordered],
        )
        noted = [p for p in ordered if p.note]
        if noted:
            await connection.execute(
                _SQL.add_notes,
                [p.claim.id for p in noted],
                [p.claim.tenant for p in noted],
                [p.note for p in noted],
                [p.claim.attempt for p in noted],
                [p.reason for p in noted],
            )


async def _contents(
    connection: engine.Connection, claimed: Sequence[asyncpg.Record], *, urgent: bool, only: bool
) -> dict[int, tuple[list[str], bytes | None]]:
    """Recipients and content by message. Urgent content has a table of its own, read only if a claim can need it."""
    if not claimed:
        return {}
    messages = sorted({ids.message_of(row["id"]) for row in claimed})
    found: dict[int, tuple[list[str], bytes | None]] = {}
    for apart in (True,) if urgent and only else (False, True) if urgent else (False,):
        rows = await connection.fetch(_SQL.claimed_content, messages, messages[0], messages[-1], apart)
        for row in rows:
            if row["body"] is not None or row["id"] not in found:
                found[row["id"]] = (row["recipients"], row["body"])
    return found


def _claimed(
    row: asyncpg.Record, now: int, contents: Mapping[int, tuple[list[str], bytes | None]]
) -> Claimed:
    id: int = row["id"]
    recipients, content = contents.get(ids.message_of(id), ([], None))
    place = ids.recipient_of(id) - 1
    return Claimed(
        lane=row["lane"],
        id=id,
        tenant=row["tenant"],
        attempt=row["attempt"],
        called_at=now,
        provider=row["provider"],
        campaign=row["campaign"],
        list=row["list"],
        to=recipients[place] if place < len(recipients) else "",
        content=content,
        facts=RowFacts(*[row[fact] for fact in RowFacts._fields]),
    )


class _Lane:
    __slots__ = ("bucket", "budget", "cutoff", "lane", "turn")

    def __init__(self, turn: int, lane: int, budget: int, cutoff: int, bucket: limits.Bucket | None) -> None:
        self.turn, self.lane, self.budget, self.cutoff, self.bucket = turn, lane, budget, cutoff, bucket


class _Plan:
    """How much one claim takes from each turn and lane."""

    def __init__(self, budgets: dict[int, int], lanes: list[_Lane]) -> None:
        self.budgets, self.lanes = budgets, lanes


def _plan(rows: Sequence[asyncpg.Record], slots: int, now: int) -> _Plan:
    turns: dict[int, dict[int, None]] = defaultdict(dict)
    for row in rows:
        turns[row["class"]][row["turn"]] = None
    shares = limits.shares(slots, {c: len(t) for c, t in turns.items()}, _WEIGHTS, random.random())
    budgets: dict[int, int] = {}
    for class_, due in turns.items():
        each, more = divmod(shares[class_], len(due))
        for place, turn in enumerate(due):
            budgets[turn] = each + (place < more)
    lanes: list[_Lane] = []
    for row in rows:
        if row["lane"] is None or not (budget := budgets[row["turn"]]):
            continue
        rate = limits.effective_rate(row["rate"], row["released_at"], now)
        bucket = None
        if rate is not None:
            bucket = limits.Bucket(rate, row["tokens"], row["tokens_at"]).refilled(now)
            budget = min(budget, bucket.whole)
        cutoff = ids.first_of(now - row["expiry_ms"])
        lanes.append(_Lane(row["turn"], row["lane"], budget, cutoff, bucket))
    return _Plan(budgets, lanes)


def _account_rate(row: asyncpg.Record) -> limits.AccountRate:
    return limits.AccountRate(
        ceiling=row["ceiling"],
        rate=row["rate"],
        tokens=row["tokens"],
        at=row["at"],
        remaining_24h=row["remaining_24h"],
        sending_enabled=row["sending_enabled"],
    )
