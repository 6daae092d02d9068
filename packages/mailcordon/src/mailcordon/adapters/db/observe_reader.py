"""Reads counts and quarantine. A tenant's key reads as the reader role, which sees only that tenant's rows; a platform key reads
as control."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace

import asyncpg

from mailcordon.adapters.db import connection_pool, engine, queries, row_level_security
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.observe import view

_SQL = queries.load("observe_reader.sql")
_SHARED = queries.load("shared.sql")
_PROVIDERS = [int(provider) for provider in Provider]


class PostgresObserveReader:
    """Implements observe.view.ObserveReader."""

    def __init__(self, control: engine.Pool, reader: engine.Pool) -> None:
        self._control = control
        self._reader = reader

    def _as(self, scope: view.ReadScope) -> AbstractAsyncContextManager[engine.PooledConnection]:
        tenant = scope.tenant if scope.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=False)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def lane_id(self, tenant: int, type: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.lane_by_type, tenant, type)

    async def metrics(self, scope: view.ReadScope, query: view.MetricQuery) -> Sequence[view.MetricLine]:
        providers = _PROVIDERS if query.provider is None else [int(query.provider)]
        after = -2 if query.after is None else query.after  # a provider's number may be -1
        flows: Sequence[asyncpg.Record] = ()
        async with self._as(scope) as connection:
            if query.by == "lane":
                await connection.execute(_SQL.as_tenant, str(scope.tenant))
                flows = await connection.fetch(_SQL.flows, query.minutes, query.type, after, query.limit)
            rows = await connection.fetch(
                _SQL.metrics,
                scope.tenant,
                providers,
                query.minutes,
                query.by,
                query.type,
                after,
                query.limit,
            )
        lines = {row["key"]: _metric_line(row, query.by) for row in rows}
        for row in flows:
            lines[row["key"]] = replace(lines.get(row["key"]) or _unreported(row), flow=_flow(row))
        return [lines[key] for key in sorted(lines)][: query.limit]

    async def kept(self, scope: view.ReadScope, query: view.MetricQuery) -> Sequence[view.Keeping]:
        async with self._as(scope) as connection:
            holds = await connection.fetch(_SQL.holds_in_window, scope.tenant, query.type, query.minutes)
            stops = await connection.fetch(_SQL.stops_in_window, scope.tenant, query.type, query.minutes)
        found = [_held(row) for row in holds] + [_stopped(row, scope) for row in known(stops)]
        return sorted(found, key=lambda one: one.since, reverse=True)

    async def quarantine(
        self, *, why: str | None, before: int | None, limit: int
    ) -> Sequence[view.QuarantineEntry]:
        async with connection_pool.transaction(self._control) as connection:
            rows = await connection.fetch(_SQL.quarantine_list, why, before, limit)
        return [view.QuarantineEntry(**dict(row)) for row in rows]

    async def quarantine_kinds(self) -> Sequence[view.QuarantineKind]:
        async with connection_pool.transaction(self._control) as connection:
            rows = await connection.fetch(_SQL.quarantine_kinds)
        return [view.QuarantineKind(**dict(row)) for row in rows]

    async def quarantine_entry(self, id: int) -> view.QuarantineEntry | None:
        async with connection_pool.transaction(self._control) as connection:
            row = await connection.fetchrow(_SQL.quarantine_entry, id)
        return None if row is None else view.QuarantineEntry(**dict(row))


def _unreported(row: asyncpg.Record) -> view.MetricLine:
    """A lane of which SES has reported nothing in the window."""
    return view.MetricLine(
        key=row["key"],
        type=row["type"],
        class_=Class(row["class"]),
        provider=None,
        minute=None,
        counts=[0] * len(COLUMNS),
    )


def _held(row: asyncpg.Record) -> view.Keeping:
    hold = hold_from_row(row)
    return view.Keeping(
        what="hold", id=hold.id, sentence=hold.sentence, since=hold.since, until=row["lifted_at"]
    )


def _stopped(row: asyncpg.Record, scope: view.ReadScope) -> view.Keeping:
    stop = stop_from_row(row)
    if scope.as_tenant:
        stop = stop.for_tenants
    sentence = stop.sentence if stop.ended_at is None else stop.record
    return view.Keeping(what="stop", id=stop.id, sentence=sentence, since=stop.since, until=stop.ended_at)


def _flow(row: asyncpg.Record) -> view.Flow:
    return view.Flow(**{field.name: row[field.name] for field in fields(view.Flow)})


def _metric_line(row: asyncpg.Record, by: view.By) -> view.MetricLine:
    return view.MetricLine(
        key=row["key"],
        type=row["type"] if by == "lane" else None,
        class_=Class(row["class"]) if by == "lane" else None,
        provider=Provider(row["key"]) if by == "provider" else None,
        minute=row["key"] if by == "minute" else None,
        counts=[row[name] for name in COLUMNS],
    )
