"""What the control plane shows: read as the control role for a platform key, as the reader role for a tenant's key."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.control_store import type_of
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.route_row import route_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.control.catalogue import MessageType
from mailcordon.control.keys import Key
from mailcordon.control.sharing import UsedRoute
from mailcordon.control.views import (
    HoldView,
    IdentityView,
    LaneView,
    StepView,
    TenantFilter,
    TenantRow,
    TenantView,
    Viewer,
)
from mailcordon.control.views import StopView as StopView
from mailcordon.core import ids
from mailcordon.core.health import Outflow
from mailcordon.core.stop import Stop

_SQL = queries.load("control_reader.sql")
_SHARED = queries.load("shared.sql")


class ControlReader:
    def __init__(self, control: Pool, reader: Pool) -> None:
        self._control = control
        self._reader = reader
        self._keys = KeyStore(control)

    def _as(self, viewer: Viewer) -> AbstractAsyncContextManager[PooledConnection]:
        if viewer.as_tenant:
            assert viewer.tenant is not None
        tenant = viewer.tenant if viewer.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=True)

    async def now_ms(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.now)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    async def lane_id(self, tenant: int, type: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SQL.lane_id, tenant, type)

    async def observed_only(self, tenant: int, lane: int | None) -> bool:
        async with connection_pool.acquire(self._control) as conn:
            return bool(await conn.fetchval(_SQL.observed_only, tenant, lane))

    async def tenant(self, viewer: Viewer, slug: str) -> TenantView | None:
        async with self._as(viewer) as conn:
            row = await conn.fetchrow(_SQL.tenant, slug)
        return None if row is None else TenantView(**dict(row))

    async def tenants(
        self, viewer: Viewer, wanted: TenantFilter, *, after: int, limit: int, count_to: int
    ) -> list[TenantRow]:
        asked = (wanted.prefix, wanted.state, wanted.tier)
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.tenants, viewer.tenant, after, limit, *asked, count_to)
        return [TenantRow(**dict(row)) for row in rows]

    async def lanes(
        self, viewer: Viewer, *, type: str | None, state: str | None, after: int, limit: int, count_to: int
    ) -> list[LaneView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.lanes, viewer.tenant, type, state, after, limit, count_to)
        return [_lane(row) for row in rows]

    async def facts(self, viewer: Viewer, tenants: Sequence[int]) -> dict[int, list[UsedRoute]]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.lane_facts, list(tenants))
        found: dict[int, list[UsedRoute]] = {tenant: [] for tenant in tenants}
        for row in rows:
            used = UsedRoute(
                route=route_from_row(row),
                set_kind=row["set_kind"],
                shared_domain=row["shared_domain"],
                shared_percent=row["shared_percent"],
            )
            found[row["tenant"]].append(used)
        return found

    async def outflow(self, viewer: Viewer) -> Outflow:
        async with self._as(viewer) as conn:
            row = await conn.fetchrow(_SHARED.outflow)
        assert row is not None
        return Outflow(**row)

    async def open_holds(self, viewer: Viewer, tenants: Sequence[int]) -> list[HoldView]:
        async with self._as(viewer) as conn:
            return [_hold(row) for row in await conn.fetch(_SQL.open_holds, list(tenants))]

    async def holds(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[HoldView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.holds, viewer.tenant, is_open, before, limit)
        return [_hold(row) for row in rows]

    async def holds_by_id(self, ids: Sequence[int]) -> list[HoldView]:
        async with connection_pool.acquire(self._control) as conn:
            return [_hold(row) for row in await conn.fetch(_SQL.holds_by_id, list(ids))]

    async def stops_on(self, viewer: Viewer, lanes: Sequence[int]) -> dict[int, list[Stop]]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.stops_on, list(lanes))
        found: dict[int, list[Stop]] = {}
        for row in known(rows):
            found.setdefault(row["covered_lane"], []).append(replace(_seen(viewer, row), path=row["path"]))
        return found

    async def stops(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[StopView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.stops, viewer.tenant, is_open, before, limit)
        return [_stop(row, _seen(viewer, row)) for row in known(rows)]

    async def stops_by_id(self, ids: Sequence[int]) -> list[StopView]:
        async with connection_pool.acquire(self._control) as conn:
            return [
                _stop(row, stop_from_row(row)) for row in known(await conn.fetch(_SQL.stops_by_id, list(ids)))
            ]

    async def identities(
        self, viewer: Viewer, *, domain: str | None, after: int, limit: int
    ) -> list[IdentityView]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.identities, viewer.tenant, domain, after, limit)
        return [IdentityView(**{**dict(row), "records": json.loads(row["records"])}) for row in rows]

    async def provisioning(self, viewer: Viewer, tenant: int) -> list[StepView]:
        async with self._as(viewer) as conn:
            return [StepView(**dict(row)) for row in await conn.fetch(_SQL.provisioning, tenant)]

    async def key_prefix(self, tenant: int) -> str | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.first_key_prefix, tenant)

    async def types(self) -> list[MessageType]:
        async with connection_pool.acquire(self._control) as conn:
            return [type_of(row) for row in await conn.fetch(_SQL.types)]

    async def keys(self, tenant: int | None, *, after: int, limit: int) -> list[Key]:
        return await self._keys.list(tenant, after=after, limit=limit)


def _hold(row: asyncpg.Record) -> HoldView:
    return HoldView(
        hold=hold_from_row(row),
        tenant=row["slug"],
        type=row["type_name"],
        lifted_at=row["lifted_at"],
        lifted_by=row["lifted_by"],
        lifted_because=row["lifted_because"],
    )


def _seen(viewer: Viewer, row: asyncpg.Record) -> Stop:
    stop = stop_from_row(row)
    return stop.for_tenants if viewer.as_tenant else stop


def _stop(row: asyncpg.Record, stop: Stop) -> StopView:
    return StopView(stop=stop, tenant=row["slug"], type=row["type_name"])


def _lane(row: asyncpg.Record) -> LaneView:
    return LaneView(
        tenant=row["slug"],
        route=route_from_row(row),
        state=row["state"],
        rate=row["rate"],
        own_rate=row["policy_rate"],
        deliveries=row["deliveries"],
        oldest_at=None if row["oldest_id"] is None else ids.ms_of(row["oldest_id"]),
        identity_status=row["identity_status"],
        retiring_at=row["retiring_at"],
        retire_mail=row["retire_mail"],
    )
