"""Reads counts and rates: of one tenant's lanes, by looking each of their buckets up, or of the whole fleet, from its sums.

Which table answers depends on the question. Questions about whole lanes read the sums by lane; those about campaigns, lists and
mailbox providers read the cohorts by minute, hour or day, by the length of the window; those about the fleet by type, provider or
time read the sums of the fleet, which are few. A tenant's key reads as the reader role, which sees only that tenant's rows.
"""

from contextlib import AbstractAsyncContextManager

from mailcordon.adapters.db import (
    connection_pool,
    engine,
    metrics_reading,
    metrics_rows,
    queries,
    row_level_security,
)
from mailcordon.observe import metrics_view as view
from mailcordon.observe import windows

_SQL = queries.load("metrics_reader.sql")
_SHARED = queries.load("shared.sql")

_BY_LANE = frozenset({"lane", "tenant", "type", "class", "domain", "pool"})


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
            read = await metrics_reading.Reading.begin(connection, scope, query)
            lines, after = await read.page(query.window, after=query.after, limit=query.limit)
            flows = await read.flows() if read.has_flows else {}
            lines = metrics_rows.with_flows(lines, flows, query.limit)
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
            read = await metrics_reading.Reading.begin(connection, view.MetricScope(tenant=None), asked)
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
