"""Policies as the control role: plans and versions of the document, and what lanes have sent."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, plan_store, policy_rows, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.control.policies import InForce, PolicyLane, PolicyPlan, PolicyTransaction, State
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.policy import suggest
from mailcordon.guard.policy.check import Known
from mailcordon.guard.policy.difference import Change
from mailcordon.guard.policy.suggest import Throughput

_SQL = queries.load("policy_store.sql")
_SHARED = queries.load("shared.sql")
_LANES_AT_ONCE = 5  #: of which hours are read


class StoredTransaction:
    def __init__(self, conn: PooledConnection) -> None:
        self.conn = conn

    async def in_force(self) -> InForce:
        return await policy_rows.in_force(self.conn)

    async def stored(self, id: int) -> PolicyPlan | None:
        await self.conn.execute(_SQL.lock_plan, id)
        row = await self.conn.fetchrow(_SQL.plan, id)
        return None if row is None else _plan(row)

    async def lanes(self, tenant: int | None = None) -> list[PolicyLane]:
        return await policy_rows.lanes(self.conn, None if tenant is None else [tenant])

    async def known(self) -> Known:
        types = {row["name"]: Class(row["class"]) for row in await self.conn.fetch(_SQL.types)}
        return Known(tenants=frozenset(row["slug"] for row in await self.conn.fetch(_SQL.slugs)), types=types)

    async def apply(
        self, id: int, version: int, tenants: Sequence[int], lanes: int, *, actor: str, because: str | None
    ) -> None:
        await self.conn.execute(_SQL.apply, id, version, actor, because, list(tenants))
        await self.conn.execute(_SQL.outdate_others, id, actor)
        said = json.dumps({"plan": id, "lanes": lanes})
        about = f"policy version {version}"
        await self.conn.execute(_SHARED.write_audit, actor, "policy.apply", None, about, None, said, because)

    async def write_next(self, most: int) -> bool:
        return await policy_rows.write_next(self.conn, most)

    async def reject(self, id: int, *, actor: str, because: str) -> None:
        await self.conn.execute(_SQL.reject, id, actor, because)
        about = f"policy plan {id}"
        await self.conn.execute(_SHARED.write_audit, actor, "policy.reject", None, about, None, None, because)


class PolicyStore:
    def __init__(self, pool: Pool) -> None:
        """`pool`: of the control login."""
        self._pool = pool
        self._day: int | None = None  #: of which new lanes have their caps

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[PolicyTransaction]:
        async with plan_store.locked(self._pool) as conn:
            yield StoredTransaction(conn)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[PolicyTransaction]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            yield StoredTransaction(conn)

    async def insert(
        self,
        base: int,
        given: Mapping[str, Any],
        changes: Sequence[Change],
        *,
        actor: str,
        because: str | None,
    ) -> int:
        said = json.dumps([asdict(one) for one in changes])
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.insert_plan, base, json.dumps(given), said, actor, because)

    async def get(self, id: int) -> PolicyPlan | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.plan, id)
        return None if row is None else _plan(row)

    async def version(self, version: int) -> PolicyPlan | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.version, version)
        return None if row is None else _plan(row)

    async def newest(self, *, state: State | None, before: int | None, limit: int) -> list[PolicyPlan]:
        async with connection_pool.acquire(self._pool) as conn:
            return [_plan(row) for row in await conn.fetch(_SQL.plans, state, before, limit)]

    async def throughput(self, lanes: Sequence[PolicyLane]) -> list[Throughput]:
        ids = [one.lane for one in lanes]
        days: dict[int, dict[int, int]] = {lane: {} for lane in ids}
        hours: dict[int, dict[int, int]] = {lane: {} for lane in ids}
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            today: int = await conn.fetchval(_SQL.today)
            since = today - suggest.DAYS
            for row in await conn.fetch(_SQL.days, ids, since):
                if row["at"] < today:
                    days[row["lane"]][row["at"]] = row["sent"]
            # A few lanes at a time: what a statement returns is decoded in one go, and keeps everybody else waiting.
            for first in range(0, len(ids), _LANES_AT_ONCE):
                part = ids[first : first + _LANES_AT_ONCE]
                for row in await conn.fetch(_SQL.hours, part, since * 24):
                    if row["at"] < today * 24:
                        hours[row["lane"]][row["at"]] = row["sent"]
        return [
            Throughput(
                tenant=one.slug,
                type=one.type,
                class_=one.class_,
                criticality=one.criticality,
                days=days[one.lane],
                hours=hours[one.lane],
            )
            for one in lanes
        ]

    async def keep(self, most: int) -> None:
        while await self._is_unwritten():
            async with self.changing() as transaction:
                await transaction.write_next(most)
        for statement in (_SQL.without_row, _SQL.with_new_keys):
            after: int | None = 0
            while (after := await self._add(statement, after, most)) is not None:
                pass
        async with connection_pool.acquire(self._pool) as conn:
            today: int = await conn.fetchval(_SQL.today)
        if today != self._day:
            lane: int | None = 0
            while (lane := await self._new_day(lane, most)) is not None:
                pass
            self._day = today

    async def _is_unwritten(self) -> bool:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchrow(_SQL.unwritten, 0) is not None

    async def _add(self, statement: str, after: int, most: int) -> int | None:
        """For the next tenants after one. Returns the last one; None: there are no more."""
        async with connection_pool.acquire(self._pool) as conn:
            if not await conn.fetchval(statement, after, 1):
                return None
        async with plan_store.locked(self._pool) as conn:
            tenants = [row["tenant"] for row in await conn.fetch(statement, after, most)]
            if tenants:
                await policy_rows.add(conn, tenants)
        return tenants[-1] if tenants else None

    async def _new_day(self, after: int, most: int) -> int | None:
        """Gives the next new lanes their caps of today. Returns the last one; None: there are no more."""
        async with connection_pool.transaction(self._pool) as conn:
            lanes = [row["lane"] for row in await conn.fetch(_SQL.new_lanes, after, most)]
            rows = await conn.fetch(_SQL.lane_policies, lanes)
            of = {
                row["lane"]: (row["tenant"], policy_of(row["document"], Class(row["class"])).new_sender)
                for row in rows
            }
            await policy_rows.write_new_senders(conn, of)
        return lanes[-1] if lanes else None


def _plan(row: asyncpg.Record) -> PolicyPlan:
    return PolicyPlan(
        id=row["id"],
        version=row["version"],
        base=row["base"],
        state=row["state"],
        document=json.loads(row["document"]),
        changes=[_change(each) for each in json.loads(row["changes"])],
        made_at=row["made_at"],
        made_by=row["made_by"],
        because=row["because"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        decided_because=row["decided_because"],
        tenants_left=len(row["unwritten"] or ()),
    )


def _change(plain: Mapping[str, Any]) -> Change:
    return Change(
        path=plain["path"],
        was=plain["was"],
        now=plain["now"],
        origin=plain["origin"],
        because=plain["because"],
        lanes=tuple(plain["lanes"]),
        number=plain["number"],
        mode=None if plain["mode"] is None else Mode(plain["mode"]),
    )
