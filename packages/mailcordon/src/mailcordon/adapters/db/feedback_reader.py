"""Implements `control.feedback.FeedbackReads`: as the control role; to a tenant's key as the reader role, without names of what
tenants share."""

import json
from typing import Any

import asyncpg

from mailcordon.adapters.db import feedback_marks, queries
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control.feedback import LaneMark, LossView
from mailcordon.control.views import Viewer
from mailcordon.core.feedback import Mark

_SQL = queries.load("feedback_reader.sql")
_SHARED = queries.load("shared.sql")


class FeedbackReader(ViewerReads):
    async def losses(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[LossView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.losses, viewer.tenant, is_open, before, limit)
        return [_view(row) for row in rows]

    async def own(self, viewer: Viewer, *, is_open: bool | None, limit: int) -> list[LaneMark]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.own_losses, is_open, limit)
        return [
            LaneMark(
                type=row["type"],
                mark=Mark(
                    lane=row["lane"],
                    loss=None,
                    signal=row["signal"],
                    provider=row["provider"],
                    since=row["since"],
                    until=row["until"],
                    late=row["late"],
                ),
            )
            for row in rows
        ]

    async def of_lane(self, viewer: Viewer, tenant: str, type: str) -> list[Mark]:
        async with self._as(viewer) as conn:
            lane = await conn.fetchval(_SQL.lane_of, tenant, type)
            now = await conn.fetchval(_SHARED.now)
            if lane is None:
                return []
            read = feedback_marks.own_marks if viewer.as_tenant else feedback_marks.marks
            found = await read(conn, [lane], now - 1, now)
        return [mark for mark in found if mark.until is None]


def _view(row: asyncpg.Record) -> LossView:
    found: dict[str, Any] = dict(row)
    found["evidence"] = json.loads(found["evidence"])
    return LossView(**found)
