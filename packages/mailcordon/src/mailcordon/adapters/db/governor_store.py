"""Holds in PostgreSQL. Implements `control.ports.GovernorStore`.

Each method is one transaction of the governor's role. The queue's statements lock the same lanes; a deadlock with them is
retried, since placing a hold must not fail by chance.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, stop_store
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.control import preview
from mailcordon.control.preview import LaneCounts, Preview
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.hold import Hold, NewHold, state_of
from mailcordon.core.priority import Class
from mailcordon.core.target import Target
from mailcordon.messages import api, reasons

_SQL = queries.load("governor_store.sql")
_SHARED = queries.load("shared.sql")
POLICY = "policy"  #: the owner of holds on lanes whose domain is not verified

T = TypeVar("T")


def _as_json(hold: Hold) -> str:
    """A hold for the audit trail, as JSON."""
    target = hold.target
    return json.dumps(
        {
            "id": hold.id,
            "class": target.class_.word if target.class_ is not None else None,
            "lane": target.lane,
            "provider": target.provider.word if target.provider is not None else None,
            "campaign": target.campaign,
            "list": target.list,
            "stops": hold.stops,
            "rate": hold.rate,
            "owner": hold.owner,
            "because": hold.because,
            "until": hold.until,
        }
    )


class GovernorStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.stops = stop_store.StopStore(pool)

    async def place(self, new: NewHold, *, actor: str, once: bool) -> Hold:
        async def run(conn: PooledConnection) -> Hold:
            slug = await _lock_tenant(conn, new.target.tenant)
            if once and (same := await _existing_hold(conn, new)) is not None:
                return same
            lanes = await _lock_lanes(conn, new.target)
            hold = await _insert(conn, new, actor, slug, lanes)
            await _derive(conn, new.target.tenant, list(lanes))
            await conn.execute(_SHARED.bump_epoch, "hold")
            return hold

        return await self._transact(run)

    async def lift(self, tenant: int, ids: Sequence[int], *, actor: str, because: str) -> list[Hold]:
        async def run(conn: PooledConnection) -> list[Hold]:
            slug = await _lock_tenant(conn, tenant)
            lanes = await _lock_lanes(conn, Target(tenant=tenant))
            holds = await _lift(conn, tenant, ids, actor, because, slug, lanes)
            if holds:
                await _derive(conn, tenant, list(lanes))
                await conn.execute(_SHARED.bump_epoch, "hold")
            return holds

        return await self._transact(run)

    async def align(self, tenant: int) -> None:
        async def run(conn: PooledConnection) -> None:
            slug = await _lock_tenant(conn, tenant)
            await stop_store.lock(conn)
            lanes = await _lock_lanes(conn, Target(tenant=tenant))
            unverified = await conn.fetch(_SQL.unverified_lanes, tenant)
            for row in unverified:
                await _insert(conn, _unverified(tenant, **dict(row)), POLICY, slug, lanes)
            verified = await conn.fetch(_SQL.verified_holds, tenant)
            for row in verified:
                await _lift(conn, tenant, [row["id"]], POLICY, _no_longer(row), slug, lanes)
            changed = await stop_store.derive(conn, list(lanes))
            changed += await _derive(conn, tenant, list(lanes))
            if changed or unverified or verified:
                await conn.execute(_SHARED.bump_epoch, "hold")

        await self._transact(run)

    async def set_rate(self, tenant: int, lane: int, rate: float | None, *, actor: str, because: str) -> None:
        async def run(conn: PooledConnection) -> None:
            slug = await _lock_tenant(conn, tenant)
            lanes = await _lock_lanes(conn, Target(tenant=tenant, lane=lane))
            before = await conn.fetchval(_SQL.policy_rate, lane, tenant)
            if before == rate:
                return
            await conn.execute(_SQL.set_policy_rate, lane, rate)
            await _derive(conn, tenant, [lane])
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "lane.rate",
                tenant,
                f"{lanes[lane]} of {slug}",
                json.dumps({"rate": before}),
                json.dumps({"rate": rate}),
                because,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            await conn.execute(_SHARED.bump_epoch, "hold")

        await self._transact(run)

    async def open_holds(self, tenant: int) -> list[Hold]:
        async with connection_pool.acquire(self._pool) as conn:
            return [hold_from_row(row) for row in await conn.fetch(_SQL.open_holds, tenant)]

    async def preview(self, target: Target) -> Preview:
        scope = (target.tenant, target.class_, target.lane, target.provider, target.campaign, target.list)

        async def run(conn: PooledConnection) -> Preview:
            rows = await conn.fetch(_SQL.preview, *scope)
            names = await conn.fetch(_SQL.lane_names, target.tenant)
            holds = [hold_from_row(row) for row in await conn.fetch(_SQL.open_holds, target.tenant)]
            covered = {row["id"] for row in rows}
            by_lane = {
                row["id"]: [
                    h for h in holds if h.target.covers_lane(target.tenant, Class(row["class"]), row["id"])
                ]
                for row in rows
            }
            return Preview(
                target=target,
                lanes=tuple(
                    LaneCounts(
                        lane=row["id"],
                        type=row["type"],
                        class_=Class(row["class"]),
                        state=state_of(by_lane[row["id"]]),
                        ready=row["ready"],
                        waiting=row["waiting"],
                        sending=row["sending"],
                    )
                    for row in rows
                ),
                untouched=tuple(row["type"] for row in names if row["id"] not in covered),
                holds=tuple(hold for hold in holds if any(hold in covering for covering in by_lane.values())),
            )

        return await self._transact(run, snapshot=True)

    async def announce_cancel(self, target: Target, *, actor: str, because: str) -> list[int]:
        async def run(conn: PooledConnection) -> list[int]:
            slug = await _lock_tenant(conn, target.tenant)
            lanes = await _lock_lanes(conn, target)
            words = preview.mail_of(target, slug, _lane_name(lanes, target.lane))
            await conn.execute(
                _SHARED.write_audit, actor, "delivery.cancel", target.tenant, words, None, None, because
            )
            return list(lanes)

        return await self._transact(run)

    async def cancel(self, target: Target, lane: int, *, detail: str, most: int) -> int:
        narrow = (target.provider, target.campaign, target.list)

        async def run(conn: PooledConnection) -> int:
            return await conn.fetchval(_SQL.cancel_ready, lane, *narrow, most, detail) or await conn.fetchval(
                _SQL.cancel_waiting, lane, *narrow, most, detail
            )

        return await self._transact(run)

    async def due_holds(self) -> list[tuple[int, list[int]]]:
        async with connection_pool.acquire(self._pool) as conn:
            return [(row["tenant"], row["holds"]) for row in await conn.fetch(_SQL.due_holds)]

    async def unaligned_tenants(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            return [row["tenant"] for row in await conn.fetch(_SQL.unaligned_tenants)]

    async def _transact(
        self, run: Callable[[PooledConnection], Awaitable[T]], *, snapshot: bool = False
    ) -> T:
        try:
            return await connection_pool.transact(self._pool, run, snapshot=snapshot)
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(api.lane_of_tenant_unknown(), code="no-such-lane") from None


async def _lock_tenant(conn: PooledConnection, tenant: int) -> str:
    """Locks the tenant's holds and returns its slug."""
    await conn.execute(_SQL.lock_tenant, tenant)
    slug = await conn.fetchval(_SQL.tenant_slug, tenant)
    if slug is None:
        raise NotFound(api.tenant_gone(), code="no-such-tenant")
    return slug


async def _lock_lanes(conn: PooledConnection, target: Target) -> dict[int, str]:
    """Locks the target's lanes, in the order of their ids. Returns the type of each."""
    rows = await conn.fetch(_SQL.lock_lanes, target.tenant, target.class_, target.lane)
    if target.lane is not None and not rows:
        if target.class_ is not None:
            raise Invalid(Fault("class", api.type_of_another_class()))
        raise NotFound(api.lane_of_tenant_unknown(), code="no-such-lane")
    return {row["id"]: row["type"] for row in rows}


async def _derive(conn: PooledConnection, tenant: int, lanes: Sequence[int]) -> int:
    """Derives the lanes from the set of open holds and wakes the turns of released ones. Returns how many changed."""
    changed = await conn.fetch(_SQL.derive_lanes, tenant, lanes)
    if turns := sorted({row["turn"] for row in changed if not row["held"]}):
        await conn.execute(_SHARED.wake_turns, turns)
    return len(changed)


async def _existing_hold(conn: PooledConnection, new: NewHold) -> Hold | None:
    target, evidence = new.target, json.dumps(dict(new.evidence))
    row = await conn.fetchrow(_SQL.same_hold, target.tenant, new.owner, evidence, *_scope(target))
    return None if row is None else hold_from_row(row)


async def _insert(conn: PooledConnection, new: NewHold, actor: str, slug: str, lanes: dict[int, str]) -> Hold:
    """Inserts a hold and its audit row. The caller derives the lanes and bumps the epoch."""
    target = new.target
    evidence = json.dumps(dict(new.evidence))
    row = await conn.fetchrow(
        _SQL.insert_hold,
        target.tenant,
        *_scope(target),
        new.stops,
        new.rate,
        new.owner,
        new.because,
        evidence,
        actor,
        new.until,
    )
    assert row is not None
    hold = hold_from_row(row)
    words = preview.mail_of(target, slug, _lane_name(lanes, target.lane))
    what = f"hold {hold.id} on {words}"
    await conn.execute(
        _SHARED.write_audit, actor, "hold.place", target.tenant, what, None, _as_json(hold), new.because
    )
    return hold


async def _lift(
    conn: PooledConnection,
    tenant: int,
    ids: Sequence[int],
    actor: str,
    because: str,
    slug: str,
    lanes: dict[int, str],
) -> list[Hold]:
    """Lifts those that are open, with audit rows, and returns them. The caller derives the lanes and bumps the epoch."""
    rows = await conn.fetch(_SQL.lift_holds, tenant, list(ids), actor, because)
    holds = sorted((hold_from_row(row) for row in rows), key=lambda hold: hold.id)
    for hold in holds:
        words = preview.mail_of(hold.target, slug, _lane_name(lanes, hold.target.lane))
        what = f"hold {hold.id} on {words}"
        await conn.execute(
            _SHARED.write_audit, actor, "hold.lift", tenant, what, _as_json(hold), None, because
        )
    return holds


def _unverified(tenant: int, lane: int, domain: str, freed_because: str | None) -> NewHold:
    evidence: dict[str, str | bool] = {"identity": domain}
    if freed_because is None:
        because = reasons.domain_not_verified(domain)
    else:
        because = reasons.domain_not_the_tenants(domain, freed_because)
        evidence["freed"] = True
    target = Target(tenant=tenant, lane=lane)
    return NewHold(target=target, owner=POLICY, because=because, evidence=evidence)


def _no_longer(row: asyncpg.Record) -> str:
    """Why a hold for a domain is lifted."""
    if row["freed_because"] is not None:
        return reasons.domain_not_the_tenants(row["domain"], row["freed_because"])
    if row["verified"]:
        return reasons.domain_verified(row["domain"])
    return reasons.lane_moved(row["domain"]) if row["moved"] else reasons.domain_is_the_tenants(row["domain"])


def _scope(target: Target) -> tuple[int | str | None, ...]:
    return (target.class_, target.lane, target.provider, target.campaign, target.list)


def _lane_name(lanes: dict[int, str], lane: int | None) -> str | None:
    return None if lane is None else lanes.get(lane, f"lane {lane}")
