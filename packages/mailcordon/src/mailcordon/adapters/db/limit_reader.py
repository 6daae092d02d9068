"""Limits with what is counted in them and what waits for them. Implements `control.limits.LimitReads`.

A tenant's key reads as the reader role, which sees only that tenant's rows.
"""

from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import queries, row_level_security
from mailcordon.adapters.db.engine import Connection, Pool, PooledConnection
from mailcordon.adapters.db.limit_row import limit_from_row
from mailcordon.control.limits import MOST_WAITING, ShownLimit
from mailcordon.control.views import Viewer
from mailcordon.core.limit import Mode
from mailcordon.guard.limits import rules, sentences
from mailcordon.guard.limits.sentences import LaneName
from mailcordon.guard.limits.windows import Use

_SQL = queries.load("limit_reader.sql")


class LimitReader:
    def __init__(self, control: Pool, reader: Pool) -> None:
        self._control = control
        self._reader = reader

    async def limits(
        self, viewer: Viewer, *, lane: int | None, owner: str | None, after: int, limit: int
    ) -> Sequence[ShownLimit]:
        return await self._read(viewer, lane, owner, after, limit, None)

    async def limit(self, viewer: Viewer, id: int) -> ShownLimit | None:
        found = await self._read(viewer, None, None, 0, 1, id)
        return found[0] if found else None

    async def _read(
        self, viewer: Viewer, lane: int | None, owner: str | None, after: int, limit: int, id: int | None
    ) -> list[ShownLimit]:
        as_tenant = viewer.tenant if viewer.as_tenant else None
        async with row_level_security.read_transaction(
            self._control, self._reader, as_tenant, snapshot=True
        ) as connection:
            rows = await connection.fetch(_SQL.limits, viewer.tenant, lane, owner, after, limit, id)
            full = [row["id"] for row in rows if _closes_lanes(row)]
            ready = await connection.fetch(_SQL.ready_of, full) if full else []
            asked = [row["api_key"] for row in rows if row["api_key"] is not None]
            # The reader role does not see keys: to a tenant its limit names the number.
            named = await connection.fetch(_SQL.key_names, asked) if asked and as_tenant is None else []
        more = {row["id"]: row["mails"] for row in ready}
        names = {row["id"]: row["name"] for row in named}
        return [_shown(row, more.get(row["id"], 0), names.get(row["api_key"])) for row in rows]


def _use(row: asyncpg.Record) -> Use | None:
    return None if row["used"] is None else Use(*row["used"])


def _closes_lanes(row: asyncpg.Record) -> bool:
    limit, use = limit_from_row(row), _use(row)
    return (
        use is not None
        and limit.mode is Mode.ENFORCE
        and rules.is_wide(limit)
        and not use.room(limit.cap, limit.per, row["now"])
    )


def _shown(row: asyncpg.Record, ready: int, key: str | None) -> ShownLimit:
    limit, use, now = limit_from_row(row), _use(row), row["now"]
    return ShownLimit(
        limit=limit,
        tenant=row["slug"],
        type=row["type"],
        key=key,
        used=None if use is None else use.counted(limit.per, now),
        opens_at=(use or Use()).opens_at(limit.per, now),
        waiting=min(MOST_WAITING, row["waiting"] + ready),
        would_have_held=row["would_have_held"] or 0,
        would_since=row["would_since"],
    )


async def why_closed(connection: Connection | PooledConnection, lanes: Sequence[int]) -> dict[int, str]:
    """By lane, the sentence of the limit that keeps all of its mail now. Of several, of the one that opens last."""
    found: dict[int, tuple[int, str]] = {}
    for row in await connection.fetch(_SQL.of_lanes, lanes):
        limit, use, now = limit_from_row(row), Use(*row["used"]), row["now"]
        if use.room(limit.cap, limit.per, now):
            continue
        opens_at = use.opens_at(limit.per, now)
        rank = opens_at if opens_at is not None else 1 << 62
        if rank > found.get(row["of_lane"], (0, ""))[0]:
            found[row["of_lane"]] = rank, sentences.over(limit, LaneName(row["slug"], row["type"]), opens_at)
    return {lane: sentence for lane, (_, sentence) in found.items()}
