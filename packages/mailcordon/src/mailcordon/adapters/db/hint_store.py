"""Hints: what SES's management events said, and who called. Rows of 90 days, at most 100,000."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, row_count
from mailcordon.control.hints import Hint, Place
from mailcordon.control.work import Work

KEPT_DAYS = 90
MOST_ROWS = 100_000

_SQL = queries.load("hint_store.sql")


class HintStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, hints: Sequence[Hint]) -> None:
        distinct = list({(hint.event, hint.place, hint.by, hint.at): hint for hint in hints}.values())
        if not distinct:
            return
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(
                _SQL.record,
                [hint.event for hint in distinct],
                [hint.place.kind for hint in distinct],
                [hint.place.name for hint in distinct],
                [hint.place.member for hint in distinct],
                [json.dumps(asdict(hint.by)) for hint in distinct],
                [hint.at for hint in distinct],
            )

    async def look(self, places: Sequence[Place], *, in_seconds: float, work: Work) -> Place | None:
        for place in places:
            destination = place.member.startswith("event-destination/")
            status = await self._pool.execute(
                _SQL.look, place.kind, place.name, destination, in_seconds, work
            )
            if row_count(status):
                return place
        return None

    async def purge(self) -> int:
        return row_count(await self._pool.execute(_SQL.purge, KEPT_DAYS, MOST_ROWS))
