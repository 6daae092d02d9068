"""Implements `control.pacing.view.PacingReads`: as the control role; to a tenant's key as the reader role."""

from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import queries, release_store, warm_up_store
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control.pacing.view import ReleaseView, WarmUpView
from mailcordon.control.views import Viewer
from mailcordon.core.limit import Mode
from mailcordon.guard.release import Phase

_SQL = queries.load("pacing_reader.sql")
MOST_WARM_UPS = 10_000


class PacingReader(ViewerReads):
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
