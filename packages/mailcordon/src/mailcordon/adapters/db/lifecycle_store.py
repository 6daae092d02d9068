"""Retiring and unretiring, as the control role. The rows of a step are written in the transaction of its plan."""

import json
from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.retirement import Retiring
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict
from mailcordon.core.priority import Class
from mailcordon.messages import lifecycle

_SQL = queries.load("lifecycle_store.sql")
_CONTROL = queries.load("control_store.sql")
_SHARED = queries.load("shared.sql")


async def write(conn: PooledConnection, step: Step, tenant: int, *, actor: str, because: str | None) -> None:
    """Writes the rows of a step that retires or unretires, with an audit row of each object. The caller holds the onboarding lock
    and bumps the epoch `control`."""
    match step.kind:
        case StepKind.RETIRE_LANE | StepKind.RETIRE_DOMAIN | StepKind.RETIRE_TENANT:
            await _retire(conn, step, tenant, actor, because)
        case StepKind.UNRETIRE_LANE | StepKind.UNRETIRE_DOMAIN | StepKind.UNRETIRE_TENANT:
            await _unretire(conn, step, tenant, actor, because)
        case _:
            raise ValueError(step.kind)


async def _retire(conn: PooledConnection, step: Step, tenant: int, actor: str, because: str | None) -> None:
    mail, with_ = step.mail or "drain", step.kind.value.removeprefix("retire-")
    lanes = await conn.fetch(_SQL.retire_lanes, tenant, step.type, step.domain, mail, with_)
    if step.kind is not StepKind.RETIRE_LANE:
        await conn.execute(_SQL.retire_domains, tenant, step.domain, with_)
    prefixes: list[str] = []
    if step.kind is StepKind.RETIRE_TENANT:
        await conn.execute(_SQL.retire_tenant, tenant)
        prefixes = sorted(row["prefix"] for row in await conn.fetch(_SQL.revoke_keys, tenant))
    after = {"mail": mail, "lanes": sorted(row["type"] for row in lanes), "keys": prefixes}
    await _audit(conn, step, tenant, actor, because, after)


async def _unretire(conn: PooledConnection, step: Step, tenant: int, actor: str, because: str | None) -> None:
    with_ = step.kind.value.removeprefix("unretire-")
    if step.kind is StepKind.UNRETIRE_LANE:
        lanes = await conn.fetch(_SQL.unretire_lanes, tenant, step.type, None, None)
    else:
        lanes = await conn.fetch(_SQL.unretire_lanes, tenant, None, step.domain, with_)
        await conn.execute(_SQL.unretire_domains, tenant, step.domain, with_)
    if step.kind is StepKind.UNRETIRE_TENANT:
        if await conn.fetchval(_SQL.being_erased, tenant):
            raise Conflict(lifecycle.being_erased(step.tenant), code="being-erased")
        await conn.execute(_SQL.unretire_tenant, tenant)
    await _audit(conn, step, tenant, actor, because, {"lanes": sorted(row["type"] for row in lanes)})


async def _audit(
    conn: PooledConnection, step: Step, tenant: int, actor: str, because: str | None, after: object
) -> None:
    what, _, of = step.kind.value.partition("-")
    slug = await conn.fetchval(_SQL.slug, tenant)
    action = f"{'identity' if of == 'domain' else of}.{what}"
    words = _words(slug, type=step.type, domain=step.domain)
    await conn.execute(_SHARED.write_audit, actor, action, tenant, words, None, json.dumps(after), because)


def _words(slug: str, *, type: str | None = None, domain: str | None = None) -> str:
    return f"{type} of {slug}" if type else f"identity {domain}" if domain else f"tenant {slug}"


class LifecycleStore:
    """Implements `control.retirement.RetirementStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def retiring(self) -> list[Retiring]:
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
            for row in await self._pool.fetch(_SQL.retiring)
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
            await conn.execute(_CONTROL.lock_onboarding)
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
