"""Implements `control.rollouts.view.RolloutReads`: as the control role; to a tenant's key as the reader role."""

import json
from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, rollout_row
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control.rollouts.view import FreezeView, OverrideView, RolloutView, StepView
from mailcordon.control.views import Viewer
from mailcordon.guard.rollouts import course
from mailcordon.guard.rollouts.nouns import State
from mailcordon.messages import rollouts as words

_SQL = queries.load("rollout_reader.sql")


class RolloutReader(ViewerReads):
    async def rollouts(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> Sequence[RolloutView]:
        async with self._as(viewer, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.rollouts, viewer.tenant, is_open, before, limit, None)
        return [_view(row, [], []) for row in rows]

    async def rollout(self, viewer: Viewer, id: int) -> RolloutView | None:
        async with self._as(viewer, snapshot=True) as conn:
            row = await conn.fetchrow(_SQL.rollouts, viewer.tenant, None, None, 1, id)
            if row is None:
                return None
            return _view(row, await conn.fetch(_SQL.steps, id), await conn.fetch(_SQL.overrides, id))

    async def freezes(self) -> Sequence[FreezeView]:
        async with connection_pool.acquire(self._control) as conn:
            return [FreezeView(**dict(row)) for row in await conn.fetch(_SQL.freezes)]


def _view(
    row: asyncpg.Record, steps: Sequence[asyncpg.Record], overrides: Sequence[asyncpg.Record]
) -> RolloutView:
    standing = rollout_row.standing(row)
    return RolloutView(
        id=row["id"],
        tenant=row["slug"],
        types=tuple(row["types"]),
        standing=standing,
        began_at=row["began_at"],
        began_by=row["began_by"],
        because=row["because"],
        looked_at=row["looked_at"] or None,
        verdict=row["verdict"],
        sentence=words.finishing(row["plan"]) if standing.state is State.FINISHING else row["sentence"],
        moving=row["moving"],
        plan=row["plan"] if standing.state is State.FINISHING else None,
        ended_at=row["ended_at"],
        rests_until=course.rests_until(standing),
        gates=json.loads(row["gates"]),
        checklist=json.loads(row["checklist"]),
        steps=tuple(StepView(**dict(step)) for step in steps),
        overrides=tuple(OverrideView(**dict(each)) for each in overrides),
    )
