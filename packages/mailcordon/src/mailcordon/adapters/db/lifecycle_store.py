"""Retiring and bringing back, as the control role. The rows of a step are written in the transaction of its plan."""

from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.control import preview
from mailcordon.control.lifecycle import Facts, LaneFacts
from mailcordon.control.retirement import Retiring
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.messages import lifecycle

_SQL = queries.load("lifecycle_store.sql")
_PLANS = queries.load("plan_store.sql")
_SHARED = queries.load("shared.sql")


async def write(conn: PooledConnection, step: Step, tenant: int, *, actor: str) -> None:
    """Writes the rows of a step that retires or brings back. Raises Conflict. The caller holds the lock of the desired state,
    audits the step and bumps the epoch `control`."""
    what, _, with_ = step.kind.value.partition("-")
    if what == "unretire":
        await _unretire(conn, step, tenant, with_)
    else:
        await _retire(conn, step, tenant, with_, actor)


async def _retire(conn: PooledConnection, step: Step, tenant: int, with_: str, actor: str) -> None:
    await conn.execute(_SQL.retire_lanes, tenant, step.type, step.domain, step.mail or "drain", with_)
    await conn.execute(_SQL.stop_moving, tenant)
    if step.kind is not StepKind.RETIRE_LANE:
        await conn.execute(_SQL.retire_domains, tenant, step.domain, with_)
    if step.kind is StepKind.RETIRE_TENANT:
        await conn.execute(_SQL.retire_tenant, tenant)
        for prefix in sorted(row["prefix"] for row in await conn.fetch(_SQL.revoke_keys, tenant)):
            words, because = f"key {prefix} of {step.tenant}", lifecycle.revoked_with_tenant()
            await conn.execute(_SHARED.write_audit, actor, "key.revoke", tenant, words, None, None, because)


async def _unretire(conn: PooledConnection, step: Step, tenant: int, with_: str) -> None:
    if step.kind is StepKind.UNRETIRE_TENANT:
        if await conn.fetchval(_SQL.being_erased, tenant):
            raise Conflict(lifecycle.being_erased(step.tenant), code="being-erased")
        await conn.execute(_SQL.unretire_tenant, tenant)
    by_itself = None if step.kind is StepKind.UNRETIRE_LANE else with_
    await conn.execute(_SQL.unretire_lanes, tenant, step.type, step.domain, by_itself)
    if by_itself is not None:
        await conn.execute(_SQL.unretire_domains, tenant, step.domain, by_itself)


async def unretire_lanes_on(conn: PooledConnection, tenant: int, domain: str) -> None:
    """The lanes that were retired with a domain which is the tenant's again."""
    await conn.execute(_SQL.unretire_lanes, tenant, None, domain, "domain")


def _words(slug: str, *, type: str | None = None, domain: str | None = None) -> str:
    return f"{type} of {slug}" if type else f"identity {domain}" if domain else f"tenant {slug}"


class LifecycleStore:
    """Implements `control.retirement.RetirementStore` and `control.lifecycle.FactsReader`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def retiring(self, after: int, most: int) -> list[Retiring]:
        return [
            Retiring(
                lane=row["lane"],
                tenant=row["tenant"],
                slug=row["slug"],
                type=row["type"],
                class_=Class(row["class"]),
                mail=row["mail"],
                sealed=row["sealed"],
                drained_for=row["drained_for"],
                has_mail=row["has_mail"],
                has_cancellable=row["has_cancellable"],
                has_sent=row["has_sent"],
            )
            for row in await self._pool.fetch(_SQL.retiring, after, most)
        ]

    async def seal(self) -> bool:
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                await conn.execute(_SQL.wait_briefly)
                await conn.execute(_SQL.seal)
                await conn.fetch(_SQL.sealed)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return False
        return True

    async def drained(self, lanes: Sequence[int]) -> None:
        await self._pool.execute(_SQL.drained, list(lanes))

    async def with_ends(self) -> list[int]:
        return [row["tenant"] for row in await self._pool.fetch(_SQL.tenants_with_ends)]

    async def finish(self, tenant: int, lanes: Sequence[int], *, actor: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_PLANS.lock_desired)
            slug = await conn.fetchval(_SQL.slug, tenant)
            types = [row["type"] for row in await conn.fetch(_SQL.lanes_done, tenant, list(lanes))]
            domains = [row["domain"] for row in await conn.fetch(_SQL.domains_done, tenant)]
            gone = await conn.fetchval(_SQL.tenants_done, tenant) is not None
            ended = [("lane.retired", _words(slug, type=type)) for type in sorted(types)]
            ended += [("identity.retired", _words(slug, domain=domain)) for domain in sorted(domains)]
            ended += [("tenant.retired", _words(slug))] if gone else []
            for action, words in ended:
                because = lifecycle.nothing_needs_it()
                await conn.execute(_SHARED.write_audit, actor, action, tenant, words, None, None, because)
            if ended:
                await conn.execute(_SHARED.bump_epoch, "control")
            return bool(ended)

    async def facts(self, slug: str) -> Facts | None:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            tenant = await conn.fetchrow(_SQL.tenant_facts, slug)
            if tenant is None:
                return None
            rows = await conn.fetch(_SQL.lane_facts, tenant["id"])
            holds = await conn.fetch(_SHARED.why_held, [row["lane"] for row in rows])
        first = {row["covered_lane"]: hold_from_row(row) for row in holds}
        return Facts(
            slug=tenant["slug"],
            lanes=[_lane(row, first.get(row["lane"])) for row in rows],
            gone=frozenset(tenant["gone"]),
            verified=frozenset(tenant["verified"]),
            keys=tenant["keys"],
            dedicated=tenant["dedicated"],
            ses_tenants=tenant["ses_tenants"],
        )


def _lane(row: asyncpg.Record, hold: Hold | None) -> LaneFacts:
    return LaneFacts(
        type=row["type"],
        class_=Class(row["class"]),
        domain=row["domain"],
        verified=row["verified"],
        configuration_set=row["configuration_set"],
        ses_tenant=row["ses_tenant"],
        retired_with=row["retired_with"],
        retire_mail=row["retire_mail"],
        ended=row["ended"],
        hold=None if hold is None else preview.named(hold),
        queued=row["queued"],
        sending=row["sending"],
        expires_seconds=row["expiry_ms"] / 1000,
    )
