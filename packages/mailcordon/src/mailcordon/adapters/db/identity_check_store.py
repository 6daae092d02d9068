"""Checks of domains in PostgreSQL. Implements `control.identity_checks.CheckStore`."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control import lapses
from mailcordon.control.identity_checks import (
    CONTROL,
    Check,
    Facts,
    LaneOf,
    LapsedLane,
    LapseHold,
    SetPolicy,
)
from mailcordon.control.lapses import Effect, Policy, State
from mailcordon.control.views import Viewer
from mailcordon.core.priority import Class

_SQL = queries.load("identity_check_store.sql")
_SHARED = queries.load("shared.sql")


class IdentityCheckStore:
    def __init__(self, pool: Pool, reader: Pool | None = None) -> None:
        """`reader`: what a tenant's key reads goes through it. The schedule has none."""
        self._pool = pool
        self._reader = reader or pool

    async def now_ms(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.now)

    async def facts(self, identity: int) -> Facts | None:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            row = await conn.fetchrow(_SQL.facts, identity)
            lanes = await conn.fetch(_SQL.lanes, identity)
        if row is None:
            return None
        return Facts(
            identity=row["id"],
            tenant=row["tenant"],
            domain=row["domain"],
            status=row["status"],
            mail_from=row["mail_from"],
            created_at=row["created_at"],
            retired=row["retired"],
            whole=None if row["whole"] is None else json.loads(row["whole"]),
            observed_at=row["observed_at"],
            public_key=row["public_key"],
            lanes=tuple(
                LaneOf(id=each["id"], type=each["type"], class_=Class(each["class"]), domain=each["domain"])
                for each in lanes
            ),
        )

    async def ask(
        self, identity: int, tenant: int, *, now: int, apart_ms: int, per_minute: int
    ) -> tuple[bool, int]:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.lock_tenant_checks, tenant)
            row = await conn.fetchrow(_SQL.asked, identity, tenant, now)
            assert row is not None
            since = apart_ms if row["asked_at"] is None else now - row["asked_at"]
            if 0 <= since < apart_ms:
                return False, math.ceil((apart_ms - since) / 1000)
            if row["recent"] >= per_minute:
                return True, 0
            await conn.execute(_SQL.ask, identity, now)
            return False, 0

    async def look_at_ses(self, domain: str) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.look_at_ses, domain)

    async def claim_due(self, now: int, *, lease_ms: int, limit: int) -> list[int] | None:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.claim_due, now, lease_ms, limit)
        return [row["identity"] for row in rows if row["active"]] if rows else None

    async def record(
        self,
        identity: int,
        check: Check,
        fold: Callable[[State], State],
        next_check: Callable[[State], int],
        *,
        keep: int,
    ) -> State | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock_state, identity)
            if row is None:
                return None
            before = lapses.from_json(json.loads(row["evidence"]))
            # One that took longer than a later one is kept, and says nothing new.
            is_late = row["checked_at"] is not None and row["checked_at"] > check.at
            after = before if is_late else fold(before)
            await conn.execute(
                _SQL.write_check,
                identity,
                check.at,
                check.asked,
                check.authoritative,
                check.complete,
                check.passes,
                json.dumps(check.result),
            )
            await conn.execute(_SQL.keep_newest, identity, keep)
            await conn.execute(
                _SQL.write_state,
                identity,
                json.dumps(lapses.to_json(after)),
                after.lapsed_at,
                next_check(after),
                check.at,
                check.complete,
            )
            await _audit(conn, row, before, after)
        return after

    async def last(self, viewer: Viewer, identity: int) -> tuple[Check | None, State, int] | None:
        tenant = viewer.tenant if viewer.as_tenant else None
        async with row_level_security.read_transaction(
            self._pool, self._reader, tenant, snapshot=True
        ) as conn:
            row = await conn.fetchrow(_SQL.last, identity)
        if row is None:
            return None
        check = None if row["at"] is None else _check(row)
        return check, lapses.from_json(json.loads(row["evidence"])), row["next_check_at"]

    async def lapsed_lanes(self) -> list[LapsedLane]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.lapsed_lanes)
        return [
            LapsedLane(
                tenant=row["tenant"],
                lane=row["lane"],
                class_=Class(row["class"]),
                domain=row["domain"],
                state=lapses.from_json(json.loads(row["evidence"])),
            )
            for row in rows
        ]

    async def lapse_holds(self) -> list[LapseHold]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.lapse_holds)
        return [LapseHold(**{**dict(row), "evidence": json.loads(row["evidence"])}) for row in rows]

    async def policies(self) -> dict[tuple[Class, Effect], SetPolicy]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.policies)
        return {(each.class_, each.effect): each for each in map(_policy, rows)}

    async def set_policy(
        self, class_: Class, effect: Effect, policy: Policy, *, actor: str, because: str
    ) -> None:
        before = (await self.policies()).get((class_, effect))
        was = before.policy if before is not None else lapses.DEFAULTS[class_, effect]
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(
                _SQL.set_policy, class_, effect.value, policy.action, policy.rate, actor, because
            )
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "lapse-policy.set",
                None,
                f"lapse policy {class_.word} {effect.value}",
                json.dumps(_terms(was)),
                json.dumps(_terms(policy)),
                because,
            )


async def _audit(conn: PooledConnection, row: asyncpg.Record, before: State, after: State) -> None:
    """Only that a domain lapses or recovers: what the checks saw is in their own rows."""
    if (before.lapsed_at is None) == (after.lapsed_at is None):
        return
    lapsed = after.lapsed_at is not None
    await conn.execute(
        _SHARED.write_audit,
        CONTROL,
        "identity.lapsed" if lapsed else "identity.recovered",
        row["tenant"],
        f"identity {row['domain']}",
        json.dumps({"lapses": _names(before)}),
        json.dumps({"lapses": _names(after)}),
        lapses.because(row["domain"], after) if lapsed else None,
    )


def _names(state: State) -> list[str]:
    return sorted(f"{each.loss.code} {each.loss.record}" for each in state.lapses)


def _terms(policy: Policy) -> Mapping[str, Any]:
    return {"action": policy.action, "rate": policy.rate}


def _check(row: asyncpg.Record) -> Check:
    return Check(
        at=row["at"],
        asked=row["asked"],
        authoritative=row["authoritative"],
        complete=row["complete"],
        passes=row["passes"],
        result=json.loads(row["result"]),
    )


def _policy(row: asyncpg.Record) -> SetPolicy:
    return SetPolicy(
        class_=Class(row["class"]),
        effect=Effect(row["effect"]),
        policy=Policy(action=row["action"], rate=row["rate"]),
        is_default=False,
        by=row["by"],
        because=row["because"],
        at=row["at"],
    )
