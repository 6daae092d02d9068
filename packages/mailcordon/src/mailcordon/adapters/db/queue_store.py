"""A dispatcher's view of the queue: take turns, claim deliveries, record what became of them (result_store.py).

Implements `send.ports.QueueStore`.
"""

import itertools
import os
import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

import asyncpg

from mailcordon.adapters.db import claim_look, claimed_content, engine, parking, queries, suppressed_ahead
from mailcordon.adapters.db.claimed_content import Content
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.limited_claim import LimitedClaim, Overtaken, Taken, Unmet
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.quick_claim import QuickClaim
from mailcordon.adapters.db.result_store import ResultStore
from mailcordon.adapters.db.route_row import route_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.adapters.db.turn_rest import TurnRest
from mailcordon.core.hold import Hold
from mailcordon.core.priority import WEIGHTS, Class
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.core.stop import Stop
from mailcordon.send import limits, rotation
from mailcordon.send.limits import Grant
from mailcordon.send.moves import Defer, Finish, Requeue
from mailcordon.send.ports import NO_BOUNDS, NO_HOLDS, Batch, Bounds, Look, Moment, Narrow
from mailcordon.send.rotation import DueLane, Plan, Visit

_SQL = queries.load("queue_store.sql")
_SHARED = queries.load("shared.sql")
_WORKER_LOCK = 0x6D64  #: first key of the advisory locks of live workers; the second is the worker's id
_PARK_WINDOW = (
    200  #: deliveries of a lane that a claim looks at for narrow holds; the rest is parked beside the claims
)
_SUPPRESSED_LOOKS = 4  #: of one claim
#: Seconds that the server may take to find the mail of a claim. A longer look has met too many old versions of rows.
CROWDED_AFTER = 0.05
#: Seconds between two claims that look at everything, while old versions are in the way.
FULL_LOOK_EVERY = 1.0
LATE_MS = 1_000
_PART = 1024 * 1024  #: bytes of content that are read at once


class QueueStore:
    def __init__(
        self,
        dsn: str,
        *,
        ramp_ms: int = limits.RAMP_MS,
        crowded_after: float = CROWDED_AFTER,
        full_look_every: float = FULL_LOOK_EVERY,
        late_ms: int = LATE_MS,
    ) -> None:
        self.worker = 0
        self._ramp_ms = ramp_ms
        self._crowded_after = crowded_after
        self._full_look_every = full_look_every
        self._late_ms = late_ms
        self._looks: dict[tuple[Class, ...], claim_look.Look] = {}
        self._limited = LimitedClaim()
        self._quick = QuickClaim(self._limited, ramp_ms, crowded_after)
        self._claims = PinnedConnection(dsn, "claim")
        self._results = ResultStore(dsn)
        # What these two write is on disk with the next claim at the latest: before a call that it is about.
        self._worker_lock = PinnedConnection(
            dsn, "worker", index_plans=False, prepare=self._register, durable=False
        )
        self._rate = PinnedConnection(dsn, "rate", index_plans=False, durable=False)
        self._watch = PinnedConnection(dsn, "holds", index_plans=False)
        self._rest = TurnRest(self._claims)

    async def close(self) -> None:
        for connection in (self._claims, self._results, self._rate, self._watch, self._worker_lock):
            await connection.close()

    # Content ----------------------------------------------------------------------------------------------------------------

    async def large_content(self, message: int) -> Sequence[bytes]:
        parts: list[bytes] = []
        while not parts or len(parts[-1]) == _PART:
            async with self._watch.use() as connection:
                part = await connection.fetchval(_SQL.part_of_content, message, len(parts) * _PART + 1, _PART)
            if not part:
                break
            parts.append(part)
        return parts

    # Workers ------------------------------------------------------------------------------------------------------------

    async def _register(self, connection: engine.Connection) -> None:
        # A new connection is a new worker: while the old one was gone, others may have declared its calls unknown.
        worker = await connection.fetchval(_SQL.new_worker, socket.gethostname(), os.getpid())
        await connection.execute(_SHARED.lock, _WORKER_LOCK, worker)
        await self._rest.listen(connection)
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

    async def hold_epoch(self) -> Moment:
        async with self._watch.use() as connection:
            row = await connection.fetchrow(_SQL.hold_epoch)
        assert row is not None
        return Moment(row["now"], row["epoch"])

    async def holds(self) -> tuple[frozenset[int], tuple[Hold, ...]]:
        """Lanes that are held as a whole, and the narrower stopping holds."""
        async with self._watch.transaction() as connection:
            lanes = await connection.fetch(_SQL.held_lanes)
            rows = await connection.fetch(_SQL.narrow_holds)
        return frozenset(row["id"] for row in lanes), tuple(hold_from_row(row) for row in rows)

    async def stops(self) -> tuple[Stop, ...]:
        """All open stops."""
        async with self._watch.use() as connection:
            return tuple(stop_from_row(row) for row in known(await connection.fetch(_SHARED.open_stops)))

    # Rate ---------------------------------------------------------------------------------------------------------------

    async def take_tokens(
        self, cell: str, want: int, *, urgent: bool, most: int = 0
    ) -> tuple[Grant, Reason | None]:
        """How many calls may start now under the account's rate and quota, and the reason if none may."""
        async with self._rate.use() as connection:
            for _ in range(20):
                row = await connection.fetchrow(_SQL.account_rate, cell)
                if row is None:
                    return Grant(0), Reason.RATE_UNKNOWN
                before = _account_rate(row)
                grant, after = before.take(want, urgent=urgent, now=row["now"], most=most)
                if not before.sending_enabled:
                    return Grant(0), Reason.ACCOUNT_PAUSED
                if before.quota is not None and row["uncounted"] < 1:
                    return Grant(0), Reason.DAILY_QUOTA
                if await connection.fetchval(
                    _SQL.spend_account_rate,
                    cell,
                    row["at"],
                    row["tokens"],
                    after.rate,
                    after.tokens,
                    after.at,
                    grant.calls,
                ):
                    return grant, None
            return Grant(0), None

    async def return_tokens(self, cell: str, n: int, *, of_rate: bool = True) -> None:
        """Those of the quota, and unless they are too old those of the rate."""
        async with self._rate.use() as connection:
            await connection.execute(_SQL.return_tokens, cell, n if of_rate else 0, n)

    async def cut_rate(self, cell: str) -> None:
        """After SES throttled a call."""
        async with self._rate.use() as connection:
            row = await connection.fetchrow(_SQL.account_rate, cell)
            if row is not None:
                after = _account_rate(row).throttled(row["now"])
                await connection.execute(_SQL.cut_account_rate, cell, after.rate, after.tokens, after.at)

    # Rest -----------------------------------------------------------------------------------------------------------------

    async def look(self, classes: Sequence[Class], *, thorough: bool) -> Look:
        await self._rest.rest(self._worker_lock, classes)
        return await self._rest.look(thorough=thorough)

    async def awake(self, classes: Sequence[Class]) -> None:
        await self._rest.awake(self._worker_lock, classes)

    def tell(self, hint: Callable[[int], None]) -> None:
        self._rest.hint = hint

    async def recheck(self, every: float = 0.0) -> int:
        """Checks the turns that this worker set idle, at most once in `every` seconds. Returns how many were woken."""
        return await self._rest.recheck(every)

    # Claim --------------------------------------------------------------------------------------------------------------

    async def claim(
        self, classes: Sequence[Class], slots: int, bounds: Bounds = NO_BOUNDS, narrow: Narrow = NO_HOLDS
    ) -> Batch:
        """Claims up to `slots` deliveries, shared fairly among the due turns. Their intent is committed on return."""
        while True:
            try:
                return await self._claim(classes, slots, bounds, narrow)
            except Overtaken:
                pass
            except Unmet as unmet:
                async with self._claims.transaction() as connection:
                    await self._limited.meet(connection, unmet)

    async def _claim(self, classes: Sequence[Class], slots: int, bounds: Bounds, narrow: Narrow) -> Batch:
        look = self._looks.setdefault(tuple(classes), claim_look.Look(self._late_ms))
        if not look.crowded and self._quick.may(classes, bounds):
            async with self._claims.use() as connection:
                quick = await self._quick.claim(connection, self.worker, classes, slots, bounds, narrow)
            if quick is not None:
                self._rest.set_idle(quick.idle)
                return quick.batch
        return await self._claim_plainly(classes, slots, bounds, narrow, look)

    async def _claim_plainly(
        self,
        classes: Sequence[Class],
        slots: int,
        bounds: Bounds,
        narrow: Narrow,
        look: claim_look.Look,
    ) -> Batch:
        async with self._claims.transaction() as connection:
            if bounds.reserve_left is not None:
                used = await connection.fetch(_SQL.reserve_used, bounds.cell)
                bounds = bounds._replace(reserve_used={row["tenant"]: row["calls"] for row in used})
            tenants = {*bounds.in_flight, *bounds.reserve_used}
            blocked = [tenant for tenant in tenants if bounds.may_start(tenant) <= 0]
            started = time.monotonic()
            full = not look.crowded or started - look.at >= self._full_look_every
            low = [0 if full else look.turns.get(c, 0) for c in classes]
            rows = await connection.fetch(
                _SQL.take_turns, [int(c) for c in classes], _shares(classes, slots), slots, blocked, low
            )
            if not rows:
                return Batch([], 0, bool(blocked))
            us: int = rows[0]["us"]
            now = us // 1000
            plan = rotation.plan([DueLane(*row[:11]) for row in rows], now, bounds.may_start, self._ramp_ms)
            unclear: set[int] = set()
            visits = plan.visits
            if not full:
                visits = [v._replace(cutoff=max(v.cutoff, look.heads.get(v.lane, 0))) for v in visits]
                unclear.update(plan.budgets)
            if narrow:
                visits = await self._park(connection, visits, narrow, now, unclear)
            taken = await self._take(connection, plan, visits, rows, unclear)
            claimed, took = taken.rows, taken.took_ms
            if full:
                look.note(classes, rows, claimed, blocked=bool(blocked))
                look.at = time.monotonic()
                # The server's time: a database far away, or a busy process here, says nothing of old versions.
                look.crowded = max(row["took"] for row in rows) + took > 1000 * self._crowded_after
            if bounds.reserve_left is not None and claimed:
                await self._use_reserve(connection, bounds.cell, claimed, plan)
            places = {row["turn"]: row["row"] for row in rows}
            only_urgent = list(classes) == [Class.URGENT]
            asked = claimed_content.asked(claimed, urgent=only_urgent)
            back, contents = await self._return_turns(
                connection, plan, visits, taken, unclear, places, us, asked
            )
            if Class.URGENT in classes and not only_urgent:
                await claimed_content.read_urgent(connection, claimed, contents)
        self._rest.set_idle([one.turn for one in back if one.idle])
        reserve = None if bounds.reserve_left is None else bounds.cell
        counted, apart = (taken.counts.counted, taken.counts.apart) if taken.counts else ({}, {})
        return Batch(
            [claimed_content.claimed(row, now, contents, reserve, counted, apart) for row in claimed],
            rows[0]["epoch"],
            rotation.left_behind(blocked, back),
        )

    async def _park(
        self,
        connection: engine.Connection,
        visits: Sequence[Visit],
        narrow: Narrow,
        now: int,
        unclear: set[int],
    ) -> Sequence[Visit]:
        """Defers held mail at the heads of the lanes, before it counts. A lane gives no more than what was seen of it."""
        by_tenant: dict[int, list[Visit]] = defaultdict(list)
        for visit in visits:
            if visit.budget and visit.tenant in narrow:
                by_tenant[visit.tenant].append(visit)
        budgets: dict[int, int] = {}
        for tenant, covered in by_tenant.items():
            holds = [hold for hold in narrow[tenant] if hold.until is None or hold.until > now]
            if not holds:
                continue
            window = max(_PARK_WINDOW, 2 * max(visit.budget for visit in covered))
            heads = [(visit.lane, visit.cutoff, visit.class_) for visit in covered]
            seen = {row["lane"]: row for row in await parking.park(connection, heads, holds, window)}
            for visit in covered:
                row = seen.get(visit.lane)
                if row is not None and row["seen"] == window and row["stay"] < visit.budget:
                    budgets[visit.lane] = row["stay"]
                    unclear.add(visit.turn)
        return [visit._replace(budget=budgets.get(visit.lane, visit.budget)) for visit in visits]

    async def _take(
        self,
        connection: engine.Connection,
        plan: Plan,
        visits: Sequence[Visit],
        rows: Sequence[asyncpg.Record],
        unclear: set[int],
    ) -> Taken:
        """The intent to send, committed with the claim. `rows`: of `take_turns`."""
        now: int = rows[0]["us"] // 1000

        async def take_all(visits: Sequence[Visit]) -> tuple[list[asyncpg.Record], float]:
            return await self._take_unlimited(connection, plan, visits, now, unclear)

        limited = {row["tenant"]: row["limits"] for row in rows if row["limits"] is not None}
        if limited and await self._limited.read(connection, limited, rows[0]["epoch"]):
            return await self._limited.take(
                connection, plan, visits, now, self.worker, unclear, take_all, suppressed_ahead.refuse
            )
        return Taken(*await take_all(visits), None, {})

    async def _take_unlimited(
        self,
        connection: engine.Connection,
        plan: Plan,
        visits: Sequence[Visit],
        now: int,
        unclear: set[int],
    ) -> tuple[list[asyncpg.Record], float]:
        """Suppressed mail leaves first, and counts for nothing: the claim goes on behind it. With the server's time in ms."""
        took_ms = 0.0
        budgets = dict(plan.budgets)
        claimed: list[asyncpg.Record] = []
        for look in range(_SUPPRESSED_LOOKS):
            rows = await connection.fetch(
                _SQL.claim,
                [visit.lane for visit in visits],
                [visit.budget for visit in visits],
                [visit.cutoff for visit in visits],
                [visit.turn for visit in visits],
                [budgets[visit.turn] for visit in visits],
                [visit.class_ for visit in visits],
                now,
                self.worker,
            )
            took_ms += sum(row["took"] for row in rows if row["lane"] is None)
            live = [row for row in rows if row["attempt"]]
            claimed += live
            dead = {row["turn"] for row in rows if row["attempt"] == 0}
            if not dead:
                break
            if look == _SUPPRESSED_LOOKS - 1:
                unclear |= dead
                break
            took: dict[int, int] = defaultdict(int)
            for row in live:
                budgets[row["turn"]] -= 1
                took[row["lane"]] += 1
            visits = [v._replace(budget=v.budget - took[v.lane]) for v in visits if v.turn in dead]
            await suppressed_ahead.refuse(connection, visits, now)
        return claimed, took_ms

    async def _use_reserve(
        self, connection: engine.Connection, cell: str, claimed: Sequence[asyncpg.Record], plan: Plan
    ) -> None:
        of_lane = {visit.lane: visit.tenant for visit in plan.visits}
        calls = Counter(of_lane[row["lane"]] for row in claimed)
        await connection.execute(_SQL.forget_reserve_use, cell)
        await connection.execute(_SQL.use_reserve, cell, list(calls), list(calls.values()))

    async def _return_turns(
        self,
        connection: engine.Connection,
        plan: Plan,
        visits: Sequence[Visit],
        taken: Taken,
        unclear: Set[int],
        places: Mapping[int, object],
        us: int,
        asked: Sequence[object],
    ) -> tuple[list[rotation.Returned], dict[int, Content]]:
        """Returns the turns that changed, and the content of what is `asked`. Raises Overtaken."""
        n: dict[int, int] = defaultdict(int)
        for row in taken.rows:
            n[row["lane"]] += 1
        left = {v.lane: v.bucket.spent(n[v.lane]) for v in visits if v.bucket is not None}
        back = rotation.returned(plan._replace(visits=visits), left, n, unclear, us, taken.closed)
        arguments = (
            [places[one.turn] for one in back],
            [one.place for one in back],
            [one.at for one in back],
            list(left),
            [bucket.tokens for bucket in left.values()],
            [bucket.at for bucket in left.values()],
            us,
        )
        if taken.counts is not None and taken.counts.counted:
            rows = await self._limited.return_turns(connection, arguments, taken.counts, asked)
        else:
            rows = await connection.fetch(_SQL.return_turns, *arguments, *asked)
        return back, claimed_content.found(rows)

    async def sweep(self) -> int:
        """Wakes every idle turn that has ready mail, for workers that died before their recheck. Returns how many."""
        async with self._claims.use() as connection:
            return len(await connection.fetch(_SQL.sweep_turns))

    async def lane_routes(self, lanes: Sequence[int]) -> dict[int, Route]:
        async with self._watch.use() as connection:
            rows = await connection.fetch(_SQL.lane_routes, lanes)
        found: dict[int, Route] = {}
        for route in map(route_from_row, rows):  # the path with the greater share comes last
            other = found.get(route.lane.id)
            if other is not None:
                route = replace(route, other=replace(other, of_two=True), of_two=True)
            found[route.lane.id] = route
        return found

    async def complete(
        self,
        finished: Sequence[Finish],
        deferred: Sequence[Defer],
        requeued: Sequence[Requeue],
    ) -> None:
        await self._results.complete(self.worker, finished, deferred, requeued)


def _shares(classes: Sequence[Class], slots: int) -> list[int]:
    """Each class's share of the slots, for every set of classes that may have due turns, as `take_turns` wants it."""
    chance = random.random()
    out = [0] * (3 << len(Class))
    for size in range(1, len(classes) + 1):
        for due in itertools.combinations(classes, size):
            first = 3 * sum(1 << class_ for class_ in due)
            for class_, share in limits.shares(slots, dict.fromkeys(due, 1), WEIGHTS, chance).items():
                out[first + class_] = share
    return out


def _account_rate(row: asyncpg.Record) -> limits.AccountRate:
    return limits.AccountRate(
        ceiling=row["ceiling"],
        rate=row["rate"],
        tokens=row["tokens"],
        at=row["at"],
        quota=row["quota"],
        remaining=row["remaining"],
        sending_enabled=row["sending_enabled"],
    )
