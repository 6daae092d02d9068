"""Implements `control.lane_map.Reader`, as the control role: for the platform only."""

from typing import cast

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.lane_map import LaneMap, MappedLane, Sort, State
from mailcordon.core.priority import Class

_SQL = queries.load("lane_map_reader.sql")
_SHARED = queries.load("shared.sql")
_SPAN = 360  #: minutes of a bucket
_BUCKETS = 5  #: the present one, and those of a day before it
_MINUTE_MS = 60_000


class LaneMapReader:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    async def lane_map(
        self, *, tenant: int | None, class_: Class | None, state: State | None, sort: Sort, limit: int
    ) -> LaneMap:
        async with connection_pool.acquire(self._control) as conn:
            now = cast(int, await conn.fetchval(_SHARED.now)) // _MINUTE_MS
            newest = now - now % _SPAN
            minutes = [newest - _SPAN * place for place in range(_BUCKETS)]
            rows = await conn.fetch(_SQL.lane_map, minutes, tenant, class_, state, sort, limit)
        first = rows[0]
        return LaneMap(
            since=minutes[-1] * _MINUTE_MS,
            states={
                "open": first["is_open"],
                "throttled": first["throttled"],
                "stopped": first["stopped"],
                "held": first["held"],
            },
            lanes=[
                MappedLane(
                    tenant=row["tenant"],
                    type=row["type"],
                    class_=Class(row["class"]),
                    state=row["state"],
                    sent=row["sent"],
                    hard_bounced=row["hard_bounced"],
                    complained=row["complained"],
                )
                for row in rows
                if row["tenant"] is not None
            ],
        )
