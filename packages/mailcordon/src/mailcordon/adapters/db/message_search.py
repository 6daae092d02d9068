"""Finds deliveries. Implements `send.search.MessageSearch`.

A tenant's key reads as the reader role, which sees only that tenant's rows. A page is read in one snapshot and walks from the
newest delivery to older ones, in windows of time that grow while little is found and the steps are quick.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, engine, queries, row_level_security
from mailcordon.adapters.db.message_reader import records_of
from mailcordon.core import ids, ses_ids
from mailcordon.send import search, view
from mailcordon.send.search import Budget, By, Mailed, Page, Plan, Query, Walk
from mailcordon.send.view import MessageRecords

_SQL = queries.load("message_search.sql")
_SHARED = queries.load("shared.sql")
_DAY_MS = 86_400_000
_FIRST_WINDOW_MS = 3_600_000  #: of a walk along many keys
_GROWTH = 6
_MOST_DAYS = 400  #: in one span; ids are 64 bits
_QUICK, _SLOW = (
    0.02,
    0.05,
)  #: seconds; after a quick step the next one is larger, after a slow one it is smaller
_FEW_KEYS = 64  #: that a walk may have without windows
_AHEAD_MS = 60_000  #: by which an id may be ahead of the database's clock
_FEWEST, _MOST = (
    100,
    1_000,
)  #: deliveries that one step looks at, where not all will fit: rows that are not in memory are slow
_PATIENCE = 100  #: deliveries that a walk may meet before another one goes on
_HASHES = 8  #: addresses that are looked for at a time; the first ones whatever it takes
_HIGHEST = 2**31 - 1  #: of a tenant's id
#: SES's clock and ours differ, so the time in its id is looked for this far around.
_AROUND_MS = (3_000, 60_000, 1_800_000)
_KEYED = (By.CAMPAIGN, By.LIST, By.LEDGER, By.EVENTS)  #: of all tenants, these go by days


@dataclass(frozen=True, slots=True)
class _Span:
    """A range of ids, and the keys beside the time that a walk's index has for it: lanes, or rows."""

    low: int
    high: int
    keys: Sequence[Any] = ()

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.keys]


class MessageSearch:
    def __init__(self, control: engine.Pool, reader: engine.Pool, budget: Budget | None = None) -> None:
        self._control = control
        self._reader = reader
        self._budget = budget or Budget()

    def _snapshot(self, tenant: int | None) -> AbstractAsyncContextManager[engine.PooledConnection]:
        return row_level_security.read_transaction(
            self._control, self._reader, tenant, snapshot=True, index_plans=True
        )

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def find(self, query: Query, *, as_tenant: bool) -> Page:
        named = None if query.ses_id is None else await self._by_ses_id(query.ses_id)
        async with AsyncExitStack() as stack:
            walking = await stack.enter_async_context(self._snapshot(None))
            showing = walking
            if as_tenant:
                assert query.tenant is not None
                showing = await stack.enter_async_context(self._snapshot(query.tenant))
            lanes = None
            if query.tenant is not None:
                lanes = [row["id"] for row in await walking.fetch(_SQL.lanes, query.tenant, query.type)]
            looking = _Searching(walking, showing, query, lanes, self._budget, as_tenant)
            if query.id is not None or named is not None:
                return await looking.named(named)
            return await looking.page()

    async def _by_ses_id(self, ses_id: str) -> list[int]:
        """Deliveries with this id of SES's, whosever they are. None where the id does not contain a time: that would be a scan of
        all records."""
        at = ses_ids.time_of(ses_id)
        if at is None:
            return []
        # Planned for its arguments: these indexes are worth it only for a short time.
        async with row_level_security.read_transaction(
            self._control, self._reader, None, snapshot=False
        ) as connection:
            longest: int = await connection.fetchval(_SQL.longest_wait)
            oldest = max(0, ids.first_of(at - longest - _DAY_MS))
            for around in _AROUND_MS:
                for statement in (_SQL.by_ses_id, _SQL.by_send_event):
                    low, high = at - around, at + around
                    found = await connection.fetch(statement, ses_id, low, high, oldest, ids.first_of(high))
                    if found:
                        return [row["id"] for row in found]
        return []

    async def mailed(
        self, hashes: Sequence[bytes], tenant: int | None, most: int, *, as_tenant: bool
    ) -> tuple[int, Sequence[Mailed]]:
        low, high = (0, _HIGHEST) if tenant is None else (tenant, tenant)
        found: list[Mailed] = []
        began = time.monotonic()
        async with self._snapshot(tenant if as_tenant else None) as connection:
            bounds = await connection.fetchrow(_SQL.bounds)
            assert bounds is not None
            until = ids.first_of(bounds["now"] + _AHEAD_MS)
            # Each address is a look at every day. The first one is asked for, the others are as likely as they are early.
            place = 0
            while place < len(hashes) and len(found) < most:
                some, left = hashes[place : place + _HASHES], most - len(found)
                rows = await connection.fetch(
                    _SQL.mailed, some, low, high, left, bounds["oldest"] or 0, until
                )
                found += [Mailed(place + row["n"] - 1, row["slug"], ids.ms_of(row["id"])) for row in rows]
                if time.monotonic() - began >= self._budget.similar_seconds:
                    break
                place += _HASHES
        begin = bounds["now"] if bounds["oldest"] is None else ids.ms_of(bounds["oldest"])
        return begin, found


def _bounds(query: Query, oldest: int) -> tuple[int, int]:
    """The lowest id that may fit, and the id after the highest."""
    low = oldest if query.since is None else max(oldest, ids.first_of(query.since))
    high = 2**63 - 1 if query.until is None else max(0, ids.first_of(query.until))
    return max(0, low), high if query.before is None else min(high, query.before)


class _Searching:
    """One page, while it is filled. `walking` sees all rows, and only ids are taken from it; what is shown comes from `showing`,
    which sees what the key may see: row-level security keeps most indexes of expressions from being used."""

    def __init__(
        self,
        walking: engine.PooledConnection,
        showing: engine.PooledConnection,
        query: Query,
        lanes: Sequence[int] | None,
        budget: Budget,
        as_tenant: bool,
    ) -> None:
        self._fetch = walking.fetch
        self._walking = walking
        self._showing = showing
        self._query = query
        self._lanes = lanes  #: of the tenant
        self._of_type: Sequence[int] | None = None
        self._tenants = (0, _HIGHEST) if query.tenant is None else (query.tenant, query.tenant)
        self._budget = budget
        self._as_tenant = as_tenant
        self._looked_at = 0
        self._window_ms = _FIRST_WINDOW_MS
        self._days = 1
        self._most = _FEWEST
        self._spans: dict[Walk, _Span] = {}
        self._began = time.monotonic()

    async def named(self, named: list[int] | None) -> Page:
        """What an id stands for: a delivery, or the deliveries of a message. `named`: those that another id stands for."""
        query, chosen = self._query, named or []
        if named is not None:
            pass
        elif query.id is not None and ids.recipient_of(query.id):
            chosen = [query.id]
        elif query.id is not None:
            high = query.id + ids.MAX_RECIPIENTS + 1
            chosen = _deliveries(await self._fetch(_SQL.walk, query.id, high, 1), query.id, high)
        low, high = _bounds(query, 0)
        chosen = [id for id in chosen if low <= id < high]
        if query.hash is not None and chosen:
            span = (min(chosen), max(chosen) + 1, _MOST)
            rows = await self._fetch(_SQL.walk_recipient, *span, query.hash, *self._tenants)
            mailed = {row["id"] for row in rows}
            chosen = [id for id in chosen if id in mailed]
        fitting = await self.fitting(chosen, Plan((Walk(By.RECIPIENT),), None))
        found = await self.shown(fitting[: query.limit])
        return Page(deliveries=found, next=None, looked_at=len(chosen), stopped_early=False)

    async def page(self) -> Page:
        query = self._query
        bounds = await self._walking.fetchrow(_SQL.bounds)
        assert bounds is not None
        nothing = bounds["oldest"] is None or self._lanes == []
        low, high = _bounds(query, 0 if nothing else bounds["oldest"])
        # Scheduled mail is ahead of the clock.
        high = min(high, max(ids.first_of(bounds["now"] + _AHEAD_MS), (bounds["newest"] or 0) + 64))
        if nothing or high <= low:
            return Page(deliveries=(), next=None, looked_at=0, stopped_early=False)
        plan = search.plan(query)
        patience = _PATIENCE
        found: list[tuple[int, MessageRecords]] = []
        while high > low and len(found) <= query.limit and not self._spent():
            if plan.instead and self._looked_at >= patience:
                plan = Plan(plan.instead[0], plan.recorded, plan.instead[1:])
                patience = self._looked_at + _PATIENCE
            began = time.monotonic()
            met, high = await self._step(plan, low, high)
            self._looked_at += len(met)
            fitting = await self.fitting(met, plan)
            self._adapt(time.monotonic() - began)
            wanted = query.limit + 1 - len(found)
            while fitting and wanted > 0:
                shown, fitting = fitting[:wanted], fitting[wanted:]
                found += await self.shown(shown)
                wanted = query.limit + 1 - len(found)
                if fitting and self._spent():
                    high = shown[-1]
                    break
        if len(found) > query.limit:
            kept = found[: query.limit]
            return Page(deliveries=kept, next=kept[-1][0], looked_at=self._looked_at, stopped_early=False)
        more = high > low
        return Page(
            deliveries=found, next=high if more else None, looked_at=self._looked_at, stopped_early=more
        )

    def _spent(self) -> bool:
        return (
            self._looked_at >= self._budget.deliveries
            or time.monotonic() - self._began >= self._budget.seconds
        )

    def _adapt(self, took: float) -> None:
        """How much the next step does, by the seconds that this one took: what is not in memory takes a hundred times longer."""
        if took < _QUICK:
            self._window_ms *= _GROWTH
            self._most = min(_MOST, 2 * self._most)
        elif took > _SLOW:
            self._window_ms = max(_FIRST_WINDOW_MS, self._window_ms // _GROWTH)
            self._most = max(_FEWEST, self._most // 2)

    async def _step(self, plan: Plan, low: int, high: int) -> tuple[list[int], int]:
        """The deliveries that the walks meet from `high` down, newest first, and how far down that is all of them."""
        most = min(_MOST, self._query.limit + 1) if self._everything_fits(plan) else self._most
        spans = [await self._span(walk, low, high) for walk in plan.walks]
        start = max(span.low for span in spans)
        filtered = any(walk.by is By.EVENTS for walk in plan.walks) and self._query.event_reason is not None
        if filtered or max(len(span.keys) for span in spans) > _FEW_KEYS:
            start = max(start, min(high, min(span.high for span in spans)) - (self._window_ms << 22))
        met: set[int] = set()
        reached = start
        for walk, span in zip(plan.walks, spans, strict=True):
            found, complete = await self._walk(walk, span, start, high, most)
            met.update(found)
            reached = max(reached, complete)
        self._days = min(self._days * _GROWTH, _MOST_DAYS) if len(met) <= _FEW_KEYS else 1
        return sorted((id for id in met if id >= reached), reverse=True), reached

    def _everything_fits(self, plan: Plan) -> bool:
        query, by = self._query, plan.walks[0].by
        named = [query.campaign, query.list].count(None) == 2 or by in (By.CAMPAIGN, By.LIST)
        whose = (self._lanes is None and query.type is None) or by is not By.ALL
        return query.state is None and query.reason is None and query.tags is None and named and whose

    async def _span(self, walk: Walk, low: int, high: int) -> _Span:
        """Down from `high`: a span of ids, and the keys that the walk's index has for it."""
        if walk.by not in _KEYED:
            return _Span(low, high, (await self._walked_lanes() or ()) if walk.by is By.LANES else ())
        known = self._spans.get(walk)
        if known is not None and known.low < high:
            return known
        span = await (self._days_of_all if self._query.tenant is None else self._keys)(walk, low, high)
        self._spans[walk] = span
        return span

    async def _walked_lanes(self) -> Sequence[int] | None:
        """Those of the tenant, or else of the type, of which a large platform has thousands; None: all."""
        if self._query.tenant is not None or self._query.type is None:
            return self._lanes
        if self._of_type is None:
            self._of_type = [row["id"] for row in await self._fetch(_SQL.lanes, None, self._query.type)]
        return self._of_type

    async def _days_of_all(self, walk: Walk, low: int, high: int) -> _Span:
        """Of all tenants: the newest day that has any of it, or more days once they have few. Their rows are read together."""
        query, length, top = self._query, self._days * (_DAY_MS << 22), _day_of(high - 1) + (_DAY_MS << 22)
        lows = list(range(top - length, low - length, -length))
        match walk.by:
            case By.CAMPAIGN:
                begin = await self._walking.fetchval(_SQL.days_of_campaign, lows, length, query.campaign)
            case By.LIST:
                begin = await self._walking.fetchval(_SQL.days_of_list, lows, length, query.list)
            case By.LEDGER:
                begin = await self._walking.fetchval(_SQL.days_of_ledger, lows, length, walk.numbers)
            case _:
                begin = await self._walking.fetchval(_SQL.days_of_events, lows, length, walk.numbers)
        if begin is None:
            return _Span(low, low)  # there is nothing below either
        return _Span(max(low, begin), min(high, begin + length))

    async def _keys(self, walk: Walk, low: int, high: int) -> _Span:
        """Of one tenant: few keys, each of which is walked from its newest row."""
        query, tenant, wanted = self._query, self._query.tenant, None
        match walk.by:
            case By.CAMPAIGN | By.LIST:
                return _Span(low, high)
            case By.LEDGER:
                rows = await self._fetch(_SQL.ledger_keys, low, high, walk.numbers, tenant)
                wanted = None if query.event_reason is not None else query.reason
            case _:
                rows = await self._fetch(_SQL.event_keys, low, high, walk.numbers, tenant)
        keys = rows if wanted is None else [row for row in rows if row["reason"] == wanted]
        return _Span(low, high, keys)

    async def _walk(self, walk: Walk, span: _Span, start: int, high: int, most: int) -> tuple[list[int], int]:
        query, where = self._query, (start, high, most)
        match walk.by:
            case By.ALL:
                rows = await self._fetch(_SQL.walk, *where)
            case By.LANES:
                rows = await self._fetch(_SQL.walk_lanes, *where, span.keys)
            case By.RECIPIENT:
                rows = await self._fetch(_SQL.walk_recipient, *where, query.hash, *self._tenants)
            case By.QUEUE:
                places = (await self._walked_lanes(), walk.closed, walk.numbers, walk.over)
                rows = await self._fetch(_SQL.walk_queue, *where, *places)
            case _ if query.tenant is None:
                rows = await self._walk_all_tenants(walk, where)
            case By.CAMPAIGN:
                rows = await self._fetch(_SQL.walk_campaign, *where, query.campaign, query.tenant)
            case By.LIST:
                rows = await self._fetch(_SQL.walk_list, *where, query.list, query.tenant)
            case By.LEDGER:
                keys = map(span.column, ("number", "reason"))
                rows = await self._fetch(_SQL.walk_ledger, *where, query.tenant, *keys)
            case By.EVENTS:
                keys = (query.tenant, span.column("number"), query.event_reason)
                rows = await self._fetch(_SQL.walk_events, *where, *keys)
        if walk.by in (By.ALL, By.LANES, By.CAMPAIGN, By.LIST):
            found = _deliveries(rows, start, high)
        else:
            found = [row["id"] for row in rows]
        return found, rows[-1]["id"] if len(rows) == most else start

    async def _walk_all_tenants(self, walk: Walk, where: tuple[int, int, int]) -> list[asyncpg.Record]:
        query = self._query
        match walk.by:
            case By.CAMPAIGN:
                return await self._fetch(_SQL.all_of_campaign, *where, query.campaign)
            case By.LIST:
                return await self._fetch(_SQL.all_of_list, *where, query.list)
            case By.LEDGER if query.reason is not None and query.event_reason is None:
                return await self._fetch(_SQL.all_in_ledger_for, *where, walk.numbers, query.reason)
            case By.LEDGER:
                return await self._fetch(_SQL.all_in_ledger, *where, walk.numbers)
            case _ if query.event_reason is not None:
                return await self._fetch(_SQL.all_events_for, *where, walk.numbers, query.event_reason)
            case _:
                return await self._fetch(_SQL.all_events, *where, walk.numbers)

    async def fitting(self, deliveries: Sequence[int], plan: Plan) -> Sequence[int]:
        """Those whose rows may be shown as what is asked for."""
        query = self._query
        by = {walk.by for walk in plan.walks}
        of_message = (
            ((self._lanes is not None or query.type is not None) and By.LANES not in by)
            or (query.campaign is not None and By.CAMPAIGN not in by)
            or (query.list is not None and By.LIST not in by)
            or query.tags is not None
        )
        reason = None if By.EVENTS in by else query.event_reason
        if not deliveries or (plan.recorded is None and reason is None and not of_message):
            return deliveries
        type = query.type if query.tenant is None else None  # a tenant's lanes are of the type already
        asked = (plan.recorded, reason, of_message, self._lanes, query.campaign, query.list, query.tags, type)
        return [row["id"] for row in await self._fetch(_SQL.fitting, deliveries, *asked)]

    async def shown(self, deliveries: Sequence[int]) -> list[tuple[int, MessageRecords]]:
        """Those that are shown with the state and reason asked for."""
        found = await records_of(self._showing, deliveries, as_tenant=self._as_tenant)
        return [one for one in found if self._query.fits(view.delivery(one[1], one[0]))]


def _deliveries(rows: Sequence[asyncpg.Record], start: int, high: int) -> list[int]:
    """The deliveries of messages, newest first, within bounds."""
    return [
        id for row in rows for id in range(row["id"] + row["recipients"], row["id"], -1) if start <= id < high
    ]


def _day_of(id: int) -> int:
    """The first id of the day of an id."""
    ms = ids.ms_of(id)
    return ids.first_of(ms - ms % _DAY_MS)
