"""Stops in PostgreSQL. Implements `control.stops.StopStore`, as the governor's role."""

import json
from collections.abc import Sequence

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection, row_count
from mailcordon.adapters.db.provision_store import make_due
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.control.stops import AccountSays, Covering
from mailcordon.core.stop import NewStop, Stop, StopScope

_SQL = queries.load("stop_store.sql")
_SHARED = queries.load("shared.sql")


class StopStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def place(self, new: NewStop, *, actor: str, hits: int) -> Stop:
        async def run(conn: PooledConnection) -> Stop:
            await conn.execute(_SQL.lock_stops)
            row = await conn.fetchrow(
                _SQL.count_refusal, new.scope.value, new.name, str(new.cause), hits, new.said
            )
            if row is not None:
                return stop_from_row(row)
            row = await conn.fetchrow(
                _SQL.insert_stop,
                new.scope.value,
                new.name,
                new.tenant,
                new.lane if new.scope is StopScope.LANE else None,
                str(new.cause),
                new.because,
                new.said,
                new.first_probe_ms,
                hits,
            )
            assert row is not None
            stop = stop_from_row(row)
            if new.lane is not None:
                await make_due(conn, new.lane)
            await _changed(conn, [stop])
            await _audit(conn, stop, actor, "stop.place", stop.because)
            return stop

        return await connection_pool.transact(self._pool, run)

    async def end(self, ids: Sequence[int], *, actor: str, because: str) -> list[Stop]:
        async def run(conn: PooledConnection) -> list[Stop]:
            await conn.execute(_SQL.lock_stops)
            rows = await conn.fetch(_SQL.end_stops, list(ids), actor, because)
            ended = sorted((stop_from_row(row) for row in known(rows)), key=lambda stop: stop.id)
            if ended:
                await _changed(conn, ended)
            for stop in ended:
                await _audit(conn, stop, actor, "stop.end", because)
            return ended

        return await connection_pool.transact(self._pool, run)

    async def take_probes(self, worker: int, first_ms: int) -> list[Stop]:
        async with connection_pool.acquire(self._pool) as conn:
            return [
                stop_from_row(row) for row in known(await conn.fetch(_SQL.take_probes, str(worker), first_ms))
            ]

    async def probe_lane(self, stop: Stop) -> int | None:
        async with connection_pool.acquire(self._pool) as conn:
            if not stop.narrow:
                return await conn.fetchval(_SQL.any_probe_lane, stop.id)
            return await conn.fetchval(_SQL.probe_lane, stop.id, stop.scope.value, stop.name)

    async def record_probe(self, stop: Stop, found: str, lane: int | None) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.record_probe, stop.id, found)
            if lane is not None and stop.narrow:
                await make_due(conn, lane)

    async def probe_soon(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return row_count(await conn.execute(_SQL.probe_soon))

    async def account(self, cell: str) -> AccountSays | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.account, cell)
        return None if row is None else AccountSays(row["enabled"], row["has_quota"])

    async def open(self) -> list[Stop]:
        async with connection_pool.acquire(self._pool) as conn:
            return [stop_from_row(row) for row in known(await conn.fetch(_SHARED.open_stops))]

    async def covering(self, lanes: Sequence[int]) -> list[Covering]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.stops_covering, list(lanes))
        return [Covering(stop_from_row(row), row["others"]) for row in known(rows)]

    async def of_gone_workers(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            return [row["id"] for row in await conn.fetch(_SQL.stops_of_gone_workers)]

    async def of_no_lane(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            return [row["id"] for row in await conn.fetch(_SQL.stops_of_no_lane)]


async def derive(conn: PooledConnection, lanes: Sequence[int]) -> int:
    """Derives `stopped` of these lanes from the open stops, and wakes the turns of released ones. Returns how many changed.

    The caller holds the lock of the stops.
    """
    await conn.execute(_SQL.lock_covered, lanes)
    changed = await conn.fetch(_SQL.derive_stopped, lanes)
    if turns := sorted({row["turn"] for row in changed if not row["stopped"] and not row["held"]}):
        await conn.execute(_SHARED.wake_turns, turns)
    return len(changed)


async def lock(conn: PooledConnection) -> None:
    await conn.execute(_SQL.lock_stops)


async def _changed(conn: PooledConnection, stops: Sequence[Stop]) -> None:
    lanes: set[int] = set()
    for stop in stops:
        if stop.narrow:
            lanes |= {row["lane"] for row in await conn.fetch(_SQL.lanes_under, stop.scope.value, stop.name)}
    if lanes:
        await derive(conn, sorted(lanes))
    await conn.execute(_SHARED.bump_epoch, "hold")


async def _audit(conn: PooledConnection, stop: Stop, actor: str, action: str, because: str) -> None:
    name = await conn.fetchval(_SQL.lane_name, stop.lane) if stop.scope is StopScope.LANE else stop.name
    words = f"stop {stop.id} of {stop.scope.value} {name}"
    facts = json.dumps(
        {
            "id": stop.id,
            "scope": stop.scope.value,
            "name": stop.name,
            "cause": str(stop.cause),
            "said": "{said}" if stop.said else "",
        }
    )
    before, after = (None, facts) if action == "stop.place" else (facts, None)
    # SES's words may name an address.
    personal = json.dumps({"said": stop.said}) if stop.said else None
    if stop.said:
        because = because.replace(stop.said, "{said}")
    await conn.execute(
        _SHARED.write_personal_audit,
        *(actor, action, stop.tenant, words, before, after, because, personal),
    )
