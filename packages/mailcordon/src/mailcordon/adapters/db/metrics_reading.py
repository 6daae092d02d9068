"""One answer of the metrics reader: its counts, ranked or by time, in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.adapters.db import engine, feedback_marks, metrics_rows, metrics_statements, queries
from mailcordon.adapters.db.stop_row import known
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.feedback import Mark
from mailcordon.core.priority import Class
from mailcordon.observe import metrics_view as view
from mailcordon.observe import rates, windows
from mailcordon.observe.windows import DAY, HOUR, MINUTE, MONTH, QUARTER, TEN, WEEK, Bucket, Window

_SQL = queries.load("metrics_reader.sql")


_MOST_SLICES = 20_000


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


_SIZES: dict[str, tuple[int, ...]] = {
    "lane": (TEN, HOUR, QUARTER, DAY, WEEK, MONTH),
    "minute": (MINUTE,),
    "hour": (HOUR,),
    "day": (DAY,),
    "fleet": (MINUTE, HOUR, DAY),
}


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


@dataclass
class Reading:
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
    ) -> "Reading":
        now = await connection.fetchval(_SQL.begin)
        lanes = None
        if scope.tenant is not None:
            found = await connection.fetch(_SQL.lanes_of, scope.tenant, query.type, query.class_)
            lanes = [row["id"] for row in found]
        elif query.tenants is not None:
            rows = await connection.fetch(
                _SQL.lanes_of_tenants, list(query.tenants), query.type, query.class_
            )
            lanes = [row["id"] for row in rows]
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

    def _table(self, window: Window) -> metrics_statements.Table:
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
        table: metrics_statements.Table,
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
            statement = metrics_statements.counted_pools(table, columns, at_one=at_one)
        else:
            statement = metrics_statements.counted(
                table, scope.some, columns, timed=by in _TIMES, at_one=at_one
            )
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
        return [metrics_rows.line(row, by) for row in rows]

    async def _scope(
        self, table: metrics_statements.Table, window: Window, lanes: Sequence[int] | None
    ) -> _Scope:
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
            metrics_statements.counted_fleet(),
            *self._buckets(window, sizes),
            by,
            after,
            limit,
            None if self.query.provider is None else int(self.query.provider),
            self.type,
            None if self.query.class_ is None else int(self.query.class_),
        )
        return [metrics_rows.line(row, by) for row in rows]

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
        if table == "day" and query.ranking in metrics_statements.HAPPENED and not query.movers:
            found = await self._ranked_of_candidates(query, window)
            if found is not None:
                return found
        buckets = self._buckets(window, _SIZES[table])
        if query.movers:
            buckets = [
                [*one, *two]
                for one, two in zip(self._buckets(past, _past_sizes(table)), buckets, strict=True)
            ]
        return await self._rank(metrics_statements.Ranked(table, query.movers), query, buckets, window=window)

    async def _ranked_of_candidates(
        self, query: view.TopQuery, window: Window
    ) -> list[tuple[str, float]] | None:
        """At one provider, where on most days nothing bad happened to most lanes. None: the candidates do not decide it.

        Mail without events only lowers a rank: of the days alone on which something happened it is never lower than of all days.
        So whoever is left out by the former has no place if all that are shown are truly above the last candidate.
        """
        buckets = self._buckets(window, _SIZES["day"])
        most = max(_CANDIDATES, _CANDIDATES_OF_ONE * query.limit)
        bounds = await self._rank(metrics_statements.Ranked("day", happened=True), query, buckets, limit=most)
        keys = dict(bounds)
        lanes = await self._lanes_of(list(keys))
        rows = await self._rank(
            metrics_statements.Ranked("day", some=True), query, buckets, lanes=lanes, limit=2 * most
        )
        # A lane with two routes brings mail of a domain that is none of the candidates.
        found = [row for row in rows if row[0] in keys][: query.limit]
        if len(bounds) < most or (len(found) == query.limit and found[-1][1] > bounds[-1][1]):
            return found
        return None

    async def _rank(
        self,
        what: "metrics_statements.Ranked",
        query: view.TopQuery,
        buckets: list[list[Any]],
        *,
        lanes: Sequence[int] | None = None,
        limit: int | None = None,
        window: Window | None = None,
    ) -> list[tuple[str, float]]:
        statement = metrics_statements.ranked(
            what, query.per, query.ranking, at_one=query.provider is not None
        )
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
        return {f"{row['key']:010}": metrics_rows.flow(row) for row in rows}

    async def kept(self) -> list[view.Keeping]:
        minutes = self.now - self.query.window.since
        tenant, type = self.asked_by.tenant, self.query.type
        holds = await self.connection.fetch(_SQL.holds_in_window, tenant, type, minutes)
        stops = await self.connection.fetch(_SQL.stops_in_window, tenant, type, minutes)
        found = [metrics_rows.held(row) for row in holds]
        found += [metrics_rows.stopped(row, for_tenants=self.asked_by.as_tenant) for row in known(stops)]
        return sorted(found, key=lambda one: one.since, reverse=True)

    def _buckets(self, window: Window, sizes: Sequence[int]) -> list[list[Any]]:
        """Spans, first minutes and the four weights, as the statements take them."""
        found = windows.buckets(window, self.now, sizes)
        weighed = [self._weights(bucket) for bucket in found]
        return [
            [bucket.span for bucket in found],
            [bucket.start for bucket in found],
            *([getattr(weights, name) for weights in weighed] for name in metrics_statements.EXPOSURES),
        ]

    def _weights(self, bucket: Bucket) -> rates.Weights:
        return rates.weights(bucket.start * windows.MINUTE_MS, bucket.end * windows.MINUTE_MS, self.now_ms)


def _past_sizes(table: metrics_statements.Table) -> tuple[int, ...]:
    return (DAY, WEEK, MONTH) if table == "lane" else _SIZES[table]
