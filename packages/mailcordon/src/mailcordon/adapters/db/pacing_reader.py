"""Implements `control.pacing.view.PacingReads`: as the control role; to a tenant's key as the reader role."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, release_store, row_level_security, warm_up_store
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.pacing.view import ReleaseView, WarmUpView
from mailcordon.control.views import Viewer
from mailcordon.core.limit import Mode
from mailcordon.guard.release import Phase

_SQL = queries.load("pacing_reader.sql")
_SHARED = queries.load("shared.sql")
MOST_WARM_UPS = 10_000


class PacingReader:
    def __init__(self, control: Pool, reader: Pool) -> None:
        self._control = control
        self._reader = reader

    def _as(self, viewer: Viewer) -> AbstractAsyncContextManager[PooledConnection]:
        tenant = viewer.tenant if viewer.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=False)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    async def releases(
        self,
        viewer: Viewer,
        *,
        type: str | None,
        name: str | None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> Sequence[ReleaseView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.releases, viewer.tenant, type, name, is_open, before, limit)
        return [_view(row) for row in rows]

    async def warm_ups(self, viewer: Viewer, *, domain: str | None) -> Sequence[WarmUpView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.warm_ups, viewer.tenant, domain, MOST_WARM_UPS)
        return [
            WarmUpView(tenant=row["slug"], standing=standing, sent_today=row["sent_today"])
            for row in rows
            for standing in warm_up_store.standings([row])
        ]


def _view(row: asyncpg.Record) -> ReleaseView:
    at = release_store.release_of(row)
    cap: int | None = row["limit_cap"]
    if cap is not None:
        cap = at.cap if at.phase is Phase.CLOSED else max(0, cap - row["use_before"])
    return ReleaseView(
        id=row["id"],
        tenant=row["slug"],
        type=row["type"],
        kind=row["kind"],
        name=row["name"],
        fresh=row["fresh"],
        release=at,
        feedback=release_store.feedback_of(row),
        mode=Mode(row["mode"]),
        may_leave=cap,
        accepted=row["size"],
        expiry_ms=row["expiry_ms"],
        waiting=row["waiting"],
        opened_by=row["opened_by"],
        opened_because=row["opened_because"],
        ended_at=row["ended_at"],
    )
