"""Reads counts and rates: of one tenant's lanes, by looking each of their buckets up, or of the whole fleet, from its sums.

Which table answers depends on the question. Questions about whole lanes read the sums by lane; those about campaigns, lists and
mailbox providers read the cohorts by minute, hour or day, by the length of the window; those about the fleet by type, provider or
time read the sums of the fleet, which are few. A tenant's key reads as the reader role, which sees only that tenant's rows.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from typing import Any, Literal

import asyncpg

from mailcordon.adapters.db import connection_pool, engine, feedback_marks, queries, row_level_security
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.feedback import Mark
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.observe import metrics_view as view
from mailcordon.observe import rates, windows
from mailcordon.observe.delays import Signal
from mailcordon.observe.windows import DAY, HOUR, MINUTE, MONTH, QUARTER, TEN, WEEK, Bucket, Window

_SQL = queries.load("metrics_reader.sql")
_SHARED = queries.load("shared.sql")

_MOST_SLICES = 20_000
_BY_LANE = frozenset({"lane", "tenant", "type", "class", "domain", "pool"})
_TIMES = {"minute": MINUTE, "hour": HOUR, "day": DAY}
#: Cohorts are read by minute up to the first, by hour up to the second.
_MOST_MINUTES, _MOST_HOURS = 3 * HOUR, 8 * DAY
#: The same of all lanes at one provider, which are many.
_MOST_FLEET_HOURS = 6 * HOUR

#: More message types or IP pools than these are not ranked.
_MOST_FEW = 10_000
#: The counts that rates are made of.
_RATED = (
    *("sent", "hard_bounced", "complained", "delayed"),
    *("sender_reputation", "content", "policy"),
)

Table = Literal["lane", "minute", "hour", "day"]
_CELLS = {
    ("lane", False): _SQL.cells_lane,
    ("lane", True): _SQL.cells_lane_of,
    ("minute", False): _SQL.cells_minute,
    ("minute", True): _SQL.cells_minute_of,
    ("hour", False): _SQL.cells_hour,
    ("hour", True): _SQL.cells_hour_of,
    ("day", False): _SQL.cells_day,
    ("day", True): _SQL.cells_day_of,
}
_SIZES: dict[str, tuple[int, ...]] = {
    "lane": (TEN, HOUR, QUARTER, DAY, WEEK, MONTH),
    "minute": (MINUTE,),
    "hour": (HOUR,),
    "day": (DAY,),
    "fleet": (MINUTE, HOUR, DAY),
}
_EXPOSURES = ("bounces", "complaints", "blocks", "delays")
#: What each ranking needs of a cell: columns, what counts, and the mail that it is counted of.
_RANKINGS: dict[view.Ranking, tuple[tuple[str, ...], str, str]] = {
    "bounces": (("hard_bounced",), "c.hard_bounced", "c.bounces_exposure"),
    "complaints": (
        ("complained",),
        "c.complained - coalesce(c.silent_complained, 0)",
        "c.complaints_exposure",
    ),
    "blocks": (
        ("sender_reputation", "content", "policy"),
        "coalesce(c.sender_reputation, 0) + coalesce(c.content, 0) + coalesce(c.policy, 0)",
        "c.blocks_exposure",
    ),
    "volume": ((), "c.sent", "c.sent"),
}


#: Rows of days in which what is ranked happened.
_HAPPENED: dict[view.Ranking, str] = {
    "bounces": "x.hard_bounced > 0",
    "complaints": "x.complained > 0",
    "blocks": "(x.sender_reputation > 0 or x.content > 0 or x.policy > 0)",
}
#: The predicate of the index `cohort_day_bad` (0031).
_BAD = "(x.hard_bounced > 0 or x.complained > 0 or x.sender_reputation > 0 or x.content > 0 or x.policy > 0)"
#: Lanes that are looked at first for a ranking at one provider: at least so many, and so many for each that is shown.
_CANDIDATES, _CANDIDATES_OF_ONE = 200, 5


@dataclass(frozen=True, slots=True)
class _Scope:
    """The lanes and slices whose cells are looked up one by one; None: all of them."""

    lanes: Sequence[int] | None = None
    slices: Sequence[int] | None = None
    lasts: Sequence[int] | None = None

    @property
    def some(self) -> bool:
        return self.lanes is not None or self.slices is not None


class PostgresMetricsReader:
    """Implements observe.metrics_view.MetricsReader."""

    def __init__(self, control: engine.Pool, reader: engine.Pool) -> None:
        self._control = control
        self._reader = reader

    def _as(self, scope: view.MetricScope) -> AbstractAsyncContextManager[engine.PooledConnection]:
        tenant = scope.tenant if scope.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=False)

    async def now(self) -> int:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.now) // windows.MINUTE_MS

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def lane_id(self, tenant: int, type: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            found = await connection.fetch(_SQL.lanes_of, tenant, type, None)
        return found[0]["id"] if found else None

    async def has_type(self, type: str) -> bool:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SQL.type_id, type) is not None

    async def metrics(self, scope: view.MetricScope, query: view.MetricQuery) -> view.Page:
        async with self._as(scope) as connection:
            read = await _Read.begin(connection, scope, query)
            lines, after = await read.page(query.window, after=query.after, limit=query.limit)
            flows = await read.flows() if read.has_flows else {}
            lines = _with_flows(lines, flows, query.limit)
            keys = [line.key for line in lines]
            past_window = read.before(read.rounded(query.window))
            past = await read.past(keys, past_window)
            window = read.rounded(query.window)
            fleet = await read.fleet(window) if query.by in _BY_LANE and not scope.as_tenant else {}
            marks = await read.marks(window)
            lines = view.marked(lines, marks, await read.places(marks))
            kept = await read.kept() if scope.tenant is not None else []
        return view.Page(
            lines=lines,
            past={line.key: line for line in past},
            window=window,
            past_window=past_window,
            marks=marks,
            fleet=fleet,
            flows=flows,
            kept=kept,
            next=after,
        )

    async def top(self, query: view.TopQuery) -> view.Page:
        async with self._as(view.MetricScope(tenant=None)) as connection:
            asked = view.MetricQuery(
                by=query.per, window=query.window, class_=query.class_, provider=query.provider, limit=1000
            )
            read = await _Read.begin(connection, view.MetricScope(tenant=None), asked)
            window = read.rounded(query.window)
            past_window = read.before(window, movers=query.movers)
            if query.per in ("type", "pool"):
                ranked, lines, past = await read.ranked_few(query, window, past_window)
            else:
                ranked = await read.ranked(query, window, past_window)
                lines, past = await read.lines_of([key for key, _ in ranked], window, past_window)
            fleet = await read.fleet(window)
            whole = await read.whole(window)
            whole_before = await read.whole(past_window)
            marks = await read.marks(window)
            by_key = {line.key: line for line in lines}
            shown = [by_key[key] for key, _ in ranked if key in by_key]
            found = view.marked(shown, marks, await read.places(marks))
        return view.Page(
            lines=found,
            past={line.key: line for line in past},
            window=window,
            past_window=past_window,
            marks=marks,
            fleet=fleet,
            shares=dict(ranked) if query.movers else {},
            total=view.Total(now=whole, before=whole_before),
        )


@dataclass
class _Read:
    """One question while it is answered, in one transaction."""

    connection: engine.PooledConnection
    asked_by: view.MetricScope
    query: view.MetricQuery
    now: int  #: minutes since 1970
    now_ms: int
    lanes: Sequence[int] | None  #: of the tenant; None: every tenant's
    type: int | None

    @classmethod
    async def begin(
        cls, connection: engine.PooledConnection, scope: view.MetricScope, query: view.MetricQuery
    ) -> "_Read":
        now = await connection.fetchval(_SQL.begin)
        lanes = None
        if scope.tenant is not None:
            found = await connection.fetch(_SQL.lanes_of, scope.tenant, query.type, query.class_)
            lanes = [row["id"] for row in found]
        type = None
        if scope.tenant is None and query.type is not None:
            type = await connection.fetchval(_SQL.type_id, query.type)
        return cls(connection, scope, query, now // windows.MINUTE_MS, now, lanes, type)

    # Which table answers ------------------------------------------------------------------------------------------------

    @property
    def _narrow(self) -> bool:
        """Whether the question is about a part of a lane, which the sums by lane do not tell apart."""
        query = self.query
        return self._parts or query.by == "provider" or query.provider is not None

    @property
    def _fleet(self) -> bool:
        """Whether the sums of the whole fleet answer it."""
        return (
            self.lanes is None and self.query.by in ("type", "class", "provider", *_TIMES) and not self._parts
        )

    def _table(self, window: Window) -> Table:
        by = self.query.by
        length = min(window.until, self.now + 1) - window.since
        if by in _TIMES:
            if by == "day" and not self._parts:
                return "day" if self._narrow else "lane"
            return "minute" if by == "minute" else "hour"
        if not self._narrow:
            return "minute" if self.lanes is not None and length <= _MOST_MINUTES else "lane"
        if self._parts:
            return "minute" if length <= _MOST_MINUTES else "hour"
        if self.lanes is None:
            return "hour" if length <= _MOST_FLEET_HOURS else "day"
        if length <= _MOST_MINUTES:
            return "minute"
        return "hour" if length <= _MOST_HOURS else "day"

    @property
    def _parts(self) -> bool:
        """Whether it is about campaigns or lists."""
        query = self.query
        return query.by in ("campaign", "list") or query.campaign is not None or query.list is not None

    def rounded(self, window: Window) -> Window:
        """As it is read."""
        if self._fleet:
            return windows.rounded(window, self.now, _TIMES.get(self.query.by))
        table = self._table(window)
        if table == "lane":
            return windows.rounded(window, self.now, _TIMES.get(self.query.by))
        return windows.rounded(window, self.now, _SIZES[table][0])

    def before(self, window: Window, *, movers: bool = False) -> Window:
        """What a window is compared with. Shorter where many lanes are read for it: the whole weeks before, or as long a time."""
        if movers or (self.lanes is None and self.query.by == "pool" and not self._narrow):
            return windows.weeks_before(window, self.now)
        return windows.past(window, self.now, times=1 if self.lanes is None and self._narrow else 7)

    # Reading ------------------------------------------------------------------------------------------------------------

    async def page(
        self, window: Window, *, after: str | None, limit: int
    ) -> tuple[list[view.MetricLine], str | None]:
        """Lines, and the key after which the next page begins, if there is one."""
        rounded = self.rounded(window)
        if self._fleet:
            lines = await self._fleet_lines(self.query.by, rounded, after, limit)
        elif self.lanes is None and self.query.by in ("lane", "tenant", "domain") and not self._parts:
            return await self._page_of_lanes(window, rounded, after, limit)
        else:
            lines = await self._lines(self._table(window), rounded, self.lanes, after=after, limit=limit)
        return lines, lines[-1].key if len(lines) == limit else None

    async def _page_of_lanes(
        self, window: Window, rounded: Window, after: str | None, limit: int
    ) -> tuple[list[view.MetricLine], str | None]:
        """Which lanes a page is of is known before they are counted: so a page costs no more than its own lanes."""
        query = self.query
        class_ = None if query.class_ is None else int(query.class_)
        while True:
            rows = await self.connection.fetch(_SQL.page_of_lanes, query.by, after, self.type, limit, class_)
            after = rows[-1]["key"] if len(rows) == limit else None
            lanes = sorted({lane for row in rows for lane in row["lanes"]})
            keys = [row["key"] for row in rows]
            lines = await self._lines(self._table(window), rounded, lanes, keys=keys, limit=limit)
            if lines or after is None:
                return lines, after

    async def lines_of(
        self, keys: Sequence[str], window: Window, past: Window
    ) -> tuple[list[view.MetricLine], list[view.MetricLine]]:
        """The lines with these keys, of the window and of the time before it."""
        if not keys:
            return [], []
        lanes, table = await self._lanes_of(keys), self._table(self.query.window)
        return (
            await self._lines(table, window, lanes, keys=keys, limit=len(keys)),
            await self._lines(table, past, lanes, keys=keys, limit=len(keys), rated=True),
        )

    async def ranked_few(
        self, query: view.TopQuery, window: Window, past: Window
    ) -> tuple[list[tuple[str, float]], list[view.MetricLine], list[view.MetricLine]]:
        """As `ranked` with the lines, by what has few lines: all of them are read."""
        if query.per == "type":
            lines = await self._fleet_lines("type", window, None, _MOST_FEW)
            before = await self._fleet_lines("type", past, None, _MOST_FEW)
        else:
            table = self._table(query.window)
            lines = await self._lines(table, window, None, limit=_MOST_FEW)
            before = await self._lines(table, past, None, limit=_MOST_FEW, rated=True)
        return view.ranked(lines, before, query)[: query.limit], lines, before

    async def past(self, keys: Sequence[str], window: Window) -> list[view.MetricLine]:
        if self.query.by in (*_TIMES, "campaign") or not keys:
            return []
        if self._fleet:
            return await self._fleet_lines(self.query.by, window, None, 1000)
        lanes = self.lanes
        if lanes is None and self.query.by in ("lane", "tenant", "domain"):
            lanes = await self._lanes_of(keys)
        table = "hour" if self._parts else "day" if self._narrow else "lane"
        return await self._lines(table, window, lanes, keys=keys, limit=len(keys), rated=True)

    async def _lanes_of(self, keys: Sequence[str]) -> list[int]:
        return [
            row["id"] for row in await self.connection.fetch(_SQL.lanes_of_keys, self.query.by, list(keys))
        ]

    async def _lines(
        self,
        table: Table,
        window: Window,
        lanes: Sequence[int] | None,
        *,
        after: str | None = None,
        keys: Sequence[str] | None = None,
        limit: int,
        rated: bool = False,
    ) -> list[view.MetricLine]:
        """`rated`: with the counts that rates are made of, and no others."""
        by, at_one = self.query.by, self.query.provider is not None
        columns = _RATED if rated else COLUMNS
        scope = await self._scope(table, window, lanes)
        sizes = (_TIMES[by],) if table == "lane" and by in _TIMES else _SIZES[table]
        if by == "pool" and not scope.some:
            statement = _counted_pools(table, columns, at_one=at_one)
        else:
            statement = _counted(table, scope.some, columns, timed=by in _TIMES, at_one=at_one)
        rows = await self.connection.fetch(
            statement,
            *self._buckets(window, sizes),
            scope.lanes,
            scope.slices,
            scope.lasts,
            None if self.query.provider is None else int(self.query.provider),
            by,
            after,
            limit,
            self.type,
            None if self.query.class_ is None else int(self.query.class_),
            None if keys is None else list(keys),
            window.since * windows.MINUTE_MS,
        )
        return [_line(row, by) for row in rows]

    async def _scope(self, table: Table, window: Window, lanes: Sequence[int] | None) -> _Scope:
        query = self.query
        if lanes is None and self._parts:
            campaign, list_ = query.campaign, query.list
            rows = await self.connection.fetch(
                _SQL.slices_named,
                "" if query.by == "campaign" and campaign is None else campaign,
                "" if query.by == "list" and list_ is None else list_,
                window.since,
                window.until,
                _MOST_SLICES,
            )
            return _Scope(slices=[row["id"] for row in rows], lasts=[row["last"] for row in rows])
        if lanes is None:
            return _Scope()
        if table in ("lane", "day"):
            return _Scope(lanes=list(lanes))
        rows = await self.connection.fetch(
            _SQL.slices_of,
            list(lanes),
            query.campaign,
            query.list,
            window.since,
            window.until,
            _MOST_SLICES,
        )
        return _Scope(slices=[row["id"] for row in rows], lasts=[row["last"] for row in rows])

    async def _fleet_lines(
        self, by: str, window: Window, after: str | None, limit: int
    ) -> list[view.MetricLine]:
        sizes = (_TIMES[by],) if by in _TIMES else _SIZES["fleet"]
        rows = await self.connection.fetch(
            _counted_fleet(),
            *self._buckets(window, sizes),
            by,
            after,
            limit,
            None if self.query.provider is None else int(self.query.provider),
            self.type,
            None if self.query.class_ is None else int(self.query.class_),
        )
        return [_line(row, by) for row in rows]

    async def fleet(self, window: Window) -> dict[Class, view.MetricLine]:
        """Of all tenants, each class."""
        found = await self._fleet_lines("class", window, None, len(Class))
        return {line.class_: line for line in found if line.class_ is not None}

    async def whole(self, window: Window) -> view.MetricLine | None:
        found = await self._fleet_lines("all", window, None, 1)
        return found[0] if found else None

    async def ranked(self, query: view.TopQuery, window: Window, past: Window) -> list[tuple[str, float]]:
        """The keys of the lines, the first first, with their ranks; of movers, with what each adds to the change."""
        table = self._table(query.window)
        if table == "day" and query.ranking in _HAPPENED and not query.movers:
            found = await self._ranked_of_candidates(query, window)
            if found is not None:
                return found
        buckets = self._buckets(window, _SIZES[table])
        if query.movers:
            buckets = [
                [*one, *two]
                for one, two in zip(self._buckets(past, _past_sizes(table)), buckets, strict=True)
            ]
        return await self._rank(_Ranked(table, query.movers), query, buckets, window=window)

    async def _ranked_of_candidates(
        self, query: view.TopQuery, window: Window
    ) -> list[tuple[str, float]] | None:
        """At one provider, where on most days nothing bad happened to most lanes. None: the candidates do not decide it.

        Mail without events only lowers a rank: of the days alone on which something happened it is never lower than of all days.
        So whoever is left out by the former has no place if all that are shown are truly above the last candidate.
        """
        buckets = self._buckets(window, _SIZES["day"])
        most = max(_CANDIDATES, _CANDIDATES_OF_ONE * query.limit)
        bounds = await self._rank(_Ranked("day", happened=True), query, buckets, limit=most)
        keys = dict(bounds)
        lanes = await self._lanes_of(list(keys))
        rows = await self._rank(_Ranked("day", some=True), query, buckets, lanes=lanes, limit=2 * most)
        # A lane with two routes brings mail of a domain that is none of the candidates.
        found = [row for row in rows if row[0] in keys][: query.limit]
        if len(bounds) < most or (len(found) == query.limit and found[-1][1] > bounds[-1][1]):
            return found
        return None

    async def _rank(
        self,
        what: "_Ranked",
        query: view.TopQuery,
        buckets: list[list[Any]],
        *,
        lanes: Sequence[int] | None = None,
        limit: int | None = None,
        window: Window | None = None,
    ) -> list[tuple[str, float]]:
        statement = _ranked(what, query.per, query.ranking, at_one=query.provider is not None)
        rows = await self.connection.fetch(
            statement,
            *buckets,
            *(lanes, None, None, None if query.provider is None else int(query.provider)),
            None if query.class_ is None else int(query.class_),
            limit or query.limit,
            *([window.since] if what.movers and window is not None else []),
        )
        return [(row["key"], row["share" if what.movers else "rank"]) for row in rows]

    async def places(self, marks: Sequence[Mark]) -> dict[int, view.Place]:
        """Where the lanes of the marks belong."""
        if not marks:
            return {}
        rows = await self.connection.fetch(_SQL.places, sorted({mark.lane for mark in marks}))
        return {
            row["id"]: view.Place(tenant=row["tenant"], type=row["type"], class_=Class(row["class"]))
            for row in rows
        }

    async def marks(self, window: Window) -> Sequence[Mark]:
        read = feedback_marks.own_marks if self.asked_by.as_tenant else feedback_marks.marks
        since, until = window.since * windows.MINUTE_MS, window.until * windows.MINUTE_MS
        return await read(self.connection, self.lanes, since, until)

    # From the acceptance on ---------------------------------------------------------------------------------------------

    @property
    def has_flows(self) -> bool:
        """Totals are counted by lane, for windows that end now."""
        query = self.query
        return (
            query.by == "lane"
            and self.asked_by.tenant is not None
            and not self._narrow
            and query.window.until >= self.now
        )

    async def flows(self) -> dict[str, view.Flow]:
        await self.connection.execute(_SQL.as_tenant, str(self.asked_by.tenant))
        query = self.query
        rows = await self.connection.fetch(
            _SQL.flows,
            self.now - query.window.since,
            query.type,
            int(query.after) if query.after else -1,
            query.limit,
        )
        return {f"{row['key']:010}": _flow(row) for row in rows}

    async def kept(self) -> list[view.Keeping]:
        minutes = self.now - self.query.window.since
        tenant, type = self.asked_by.tenant, self.query.type
        holds = await self.connection.fetch(_SQL.holds_in_window, tenant, type, minutes)
        stops = await self.connection.fetch(_SQL.stops_in_window, tenant, type, minutes)
        found = [_held(row) for row in holds]
        found += [_stopped(row, for_tenants=self.asked_by.as_tenant) for row in known(stops)]
        return sorted(found, key=lambda one: one.since, reverse=True)

    def _buckets(self, window: Window, sizes: Sequence[int]) -> list[list[Any]]:
        """Spans, first minutes and the four weights, as the statements take them."""
        found = windows.buckets(window, self.now, sizes)
        weighed = [self._weights(bucket) for bucket in found]
        return [
            [bucket.span for bucket in found],
            [bucket.start for bucket in found],
            *([getattr(weights, name) for weights in weighed] for name in _EXPOSURES),
        ]

    def _weights(self, bucket: Bucket) -> rates.Weights:
        return rates.weights(bucket.start * windows.MINUTE_MS, bucket.end * windows.MINUTE_MS, self.now_ms)


def _past_sizes(table: Table) -> tuple[int, ...]:
    return (DAY, WEEK, MONTH) if table == "lane" else _SIZES[table]


# Statements -----------------------------------------------------------------------------------------------------------------


@functools.cache
def _counted(table: Table, some: bool, columns: tuple[str, ...], *, timed: bool, at_one: bool) -> str:
    at = "b.minute" if timed else "null::int"
    cells = _cells(table, some, columns, _EXPOSURES, at=at, at_one=at_one)
    return _filled(_SQL.counted, cells=cells, added_up=_sums("c", *_names(columns, _EXPOSURES)))


@functools.cache
def _counted_fleet() -> str:
    return _filled(_SQL.counted_fleet, **_parts(COLUMNS, _EXPOSURES))


@functools.cache
def _counted_pools(table: Table, columns: tuple[str, ...], *, at_one: bool) -> str:
    return _filled(
        _SQL.counted_pools,
        cells=_flat_cells(table, columns, (), at_one=at_one),
        added_up=_sums("c", *_names(columns, ())),
        exposures=_parts(columns, _EXPOSURES)["exposures"],
        same_path="p.first" if table == "day" else "p.isolated = c.isolated",
    )


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What a ranking reads."""

    table: Table
    movers: bool = False
    some: bool = False  #: of some lanes, each looked up
    happened: bool = False  #: only the days on which what is ranked happened


@functools.cache
def _ranked(what: _Ranked, per: view.Per, ranking: view.Ranking, *, at_one: bool) -> str:
    columns, events, exposure = _RANKINGS[ranking]
    signals = () if ranking == "volume" else (ranking,)
    cells = _flat_cells(what.table, ("sent", *columns), signals, at_one=at_one, some=what.some)
    if what.happened:
        cells = cells.replace(_at_provider(True), f"{_at_provider(True)} and {_HAPPENED[ranking]} and {_BAD}")
    parts = {
        "cells": cells,
        "key": {"lane": "c.lane", "tenant": "c.tenant", "domain": "coalesce(r.domain, '')"}[per],
        "named": "k.key" if per == "domain" else "lpad(k.key::text, 10, '0')",
        "place": "\n" + _SQL.place if per == "domain" else "",
    }
    if what.movers:
        return _filled(_SQL.moved, **parts, events=events, exposure=exposure)
    if ranking == "volume":
        return _filled(_SQL.ranked, **parts, rank="sum(c.sent)::float8", happened="sum(c.sent)")
    healthy = rates.HEALTHY[Signal(ranking)]
    rank = f"rate_evidence(sum({events})::float8, sum({exposure})::float8, {healthy!r})"
    return _filled(_SQL.ranked, **parts, rank=rank, happened=f"sum({events})")


def _cells(
    table: Table, some: bool, columns: Iterable[str], signals: Iterable[str], *, at: str, at_one: bool
) -> str:
    """A line each for lane and path. `at_one`: of one mailbox provider."""
    columns, signals = tuple(columns), tuple(signals)
    return _filled(
        _CELLS[table, some],
        at=at,
        tenant="null::int",
        added=", ".join(f"c.{name}" for name in _names(columns, signals)),
        at_provider=_at_provider(at_one),
        by_lane="\n group by c.lane, c.isolated, 6",
        by_slice="\n group by c.slice, c.provider, 3",
        by_lane_and_provider="\n group by c.lane, c.provider, 6",
        **_parts(columns, signals),
    )


def _flat_cells(
    table: Table, columns: tuple[str, ...], signals: tuple[str, ...], *, at_one: bool, some: bool = False
) -> str:
    """A line for each bucket of each lane: the statement around them adds up."""
    return _filled(
        _CELLS[table, some],
        at="b.minute",
        tenant="c.tenant",
        added=", ".join(f"c.{name}" for name in _names(columns, signals)),
        at_provider=_at_provider(at_one),
        by_lane="",
        by_slice="",
        by_lane_and_provider="",
        **_parts(columns, signals, flat=True),
    )


def _at_provider(at_one: bool) -> str:
    return "x.provider = $10::smallint" if at_one else "$10::smallint is null"


def _names(columns: Iterable[str], signals: Iterable[str]) -> tuple[str, ...]:
    return (*columns, "silent_sent", "silent_complained", *(f"{signal}_exposure" for signal in signals))


def _parts(columns: Iterable[str], signals: Iterable[str], *, flat: bool = False) -> dict[str, str]:
    """The counts of a cell. Mail to providers that report no complaints (`q`, or the sums of it) is not exposed to them.

    `flat`: of each row, not their sums.
    """
    signals, columns = tuple(signals), tuple(columns)

    def added(value: str, condition: str | None = None) -> str:
        if flat:
            return value if condition is None else f"case when {condition} then {value} end"
        return f"sum({value})" + ("" if condition is None else f" filter (where {condition})")

    def exposures(reporting: str, condition: str | None) -> str:
        mail = {signal: added(f"c.sent * b.{signal}") for signal in signals}
        if "complaints" in mail:
            mail["complaints"] = added(f"{reporting} * b.complaints", condition)
        return ", ".join(f"{value} as {signal}_exposure" for signal, value in mail.items()) or "null"

    complained = "c.complained" if "complained" in columns else "0"
    silent = "q.provider is not null"
    return {
        "counts": ", ".join(f"{added(f'c.{name}')} as {name}" for name in columns),
        "silent": f"{added('c.silent_sent')} as silent_sent, {added('c.silent_complained')} as silent_complained",
        "exposures": exposures("(c.sent - coalesce(c.silent_sent, 0))", None),
        "provider_silent": f"{added('c.sent', silent)} as silent_sent, {added(complained, silent)} as silent_complained",
        "provider_exposures": exposures("c.sent", "q.provider is null"),
    }


def _sums(of: str, *names: str) -> str:
    return ", ".join(f"sum({of}.{name}) as {name}" for name in names)


def _filled(statement: str, **parts: str) -> str:
    for name, text in parts.items():
        statement = statement.replace("{" + name + "}", text)
    return statement


# Rows -------------------------------------------------------------------------------------------------------------------------


def _line(row: asyncpg.Record, by: str) -> view.MetricLine:
    found: Mapping[str, Any] = dict(row)

    def when(*kinds: str, name: str) -> Any:
        return found.get(name) if by in kinds else None

    class_, provider = when("lane", "type", "class", name="class"), when("provider", name="provider")
    return view.MetricLine(
        key=row["key"],
        by=by,  # pyright: ignore[reportArgumentType]
        counts={name: int(found.get(name) or 0) for name in COLUMNS},
        silent_sent=int(row["silent_sent"] or 0),
        silent_complained=int(row["silent_complained"] or 0),
        exposure=view.Exposure(**{name: float(row[f"{name}_exposure"] or 0) for name in _EXPOSURES}),
        tenant=found.get("slug"),
        type=when("lane", "type", name="type_name"),
        class_=None if class_ is None else Class(class_),
        provider=None if provider is None else Provider(provider),
        campaign=when("campaign", name="campaign"),
        list=when("list", name="list"),
        domain=when("domain", name="domain"),
        pool=when("pool", name="pool"),
        at=when(*_TIMES, name="at"),
        lane=int(row["key"]) if by == "lane" else None,
        tenant_id=found.get("tenant") if by in ("lane", "tenant", "campaign", "list") else None,
        moved=bool(found.get("moved")) and by in ("domain", "pool"),
    )


def _with_flows(
    lines: list[view.MetricLine], flows: Mapping[str, view.Flow], limit: int
) -> list[view.MetricLine]:
    """Lanes that accepted mail and sent none have a line too."""
    known_keys = {line.key for line in lines}
    more = [
        view.MetricLine(
            key=key,
            by="lane",
            counts=dict.fromkeys(COLUMNS, 0),
            silent_sent=0,
            silent_complained=0,
            exposure=view.Exposure(bounces=0, complaints=0, blocks=0, delays=0),
            tenant=flow.tenant,
            type=flow.type,
            class_=flow.class_,
            lane=int(key),
        )
        for key, flow in flows.items()
        if key not in known_keys
    ]
    return sorted([*lines, *more], key=lambda line: line.key)[:limit]


def _flow(row: asyncpg.Record) -> view.Flow:
    values = {
        field.name: row[field.name] for field in fields(view.Flow) if field.name not in ("tenant", "class_")
    }
    return view.Flow(**values, tenant=row["slug"], class_=Class(row["class"]))


def _held(row: asyncpg.Record) -> view.Keeping:
    hold = hold_from_row(row)
    return view.Keeping(
        what="hold", id=hold.id, sentence=hold.sentence, since=hold.since, until=row["lifted_at"]
    )


def _stopped(row: asyncpg.Record, *, for_tenants: bool) -> view.Keeping:
    stop = stop_from_row(row)
    if for_tenants:
        stop = stop.for_tenants
    sentence = stop.sentence if stop.ended_at is None else stop.record
    return view.Keeping(what="stop", id=stop.id, sentence=sentence, since=stop.since, until=stop.ended_at)
