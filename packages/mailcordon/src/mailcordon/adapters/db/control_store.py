"""Tenants and the catalogue, as the control role. Desired state, audit and epoch change in one transaction."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from mailcordon.adapters.db import connection_pool, key_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control import keys
from mailcordon.control.catalogue import MessageType
from mailcordon.control.desired import Resource
from mailcordon.control.tenants import Draft, Facts, Onboarding, TenantFacts, first_key
from mailcordon.control.work import Work
from mailcordon.core import names, text
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.priority import Class
from mailcordon.messages import api

_SQL = queries.load("control_store.sql")
_SHARED = queries.load("shared.sql")


def type_of(row: asyncpg.Record) -> MessageType:
    return MessageType(
        id=row["id"],
        name=row["name"],
        class_=Class(row["class"]),
        criticality=row["criticality"],
        description=text.harmless(row["description"]),  # older versions took any
        expiry_ms=row["expiry_ms"],
        grace_ms=row["grace_ms"],
        resend=row["resend"],
    )


async def write_desired(
    conn: PooledConnection, tenant: int | None, resources: Sequence[Resource], work: Work
) -> None:
    """Writes what SES should have. Sorted by name, so that two transactions with the same shared set cannot deadlock. What every
    tenant needs is urgent; the rest uses the share of `work`."""
    for one in sorted(resources, key=lambda each: (each.kind, each.name)):
        whose, share = (None, Work.URGENT) if one.shared else (tenant, work)
        await conn.execute(
            _SQL.want_resource, one.kind.word, one.name, int(one.kind), whose, json.dumps(one.want), share
        )


class _Transaction:
    """One onboarding, inside the transaction that `ControlStore.onboarding` opened."""

    def __init__(self, conn: PooledConnection) -> None:
        self._conn = conn

    async def facts(self, slug: str, domains: Sequence[str]) -> Facts:
        conn = self._conn
        row = await conn.fetchrow(_SQL.tenant_by_slug, slug)
        tenant = None
        if row is not None:
            lanes = await conn.fetch(_SQL.lanes_of_tenant, row["id"])
            tenant = TenantFacts(
                id=row["id"],
                key=row["key"],
                dedicated=row["dedicated"],
                lanes={lane["type"]: lane["domain"] for lane in lanes},
                classes=frozenset(Class(lane["class"]) for lane in lanes),
                retired=row["retired_at"] is not None,
            )
        types = [type_of(each) for each in await conn.fetch(_SQL.types)]
        taken = await conn.fetch(_SQL.taken_domains, tenant.id if tenant else None, list(domains))
        return Facts(
            tenant=tenant,
            types={each.name: each for each in types},
            taken=frozenset(each["domain"] for each in taken),
            sets=await conn.fetchval(_SQL.count_sets),
        )

    async def store(self, draft: Draft, *, actor: str) -> int:
        conn = self._conn
        if draft.is_new:
            tenant = await conn.fetchval(_SQL.insert_tenant, draft.key, draft.slug, draft.dedicated)
        else:
            row = await conn.fetchrow(_SQL.tenant_by_slug, draft.slug)
            assert row is not None
            tenant = row["id"]
        for domain in draft.domains:
            await conn.execute(_SQL.insert_identity, tenant, domain)
        for one in draft.sets:
            await conn.execute(
                _SQL.insert_set, one.name, one.kind, one.class_, tenant if one.dedicated else None
            )
        for lane in draft.lanes:
            type = lane.type
            await conn.execute(_SQL.insert_turn, tenant, type.class_)
            id = await conn.fetchval(
                _SQL.insert_lane, tenant, type.id, type.class_, lane.expiry_ms, lane.grace_ms, lane.resend
            )
            await conn.execute(_SQL.insert_route, id, tenant, draft.key, lane.domain, lane.configuration_set)
        await write_desired(conn, tenant, draft.resources, Work.ONBOARDING)
        await self._audit(draft, tenant, actor)
        await conn.execute(_SHARED.bump_epoch, "control")
        return tenant

    async def _audit(self, draft: Draft, tenant: int, actor: str) -> None:
        after = {
            "key": draft.key,
            "dedicated": draft.dedicated,
            "lanes": {lane.type.name: lane.domain for lane in draft.lanes},
        }
        action = "tenant.onboard" if draft.is_new else "tenant.extend"
        await self._conn.execute(
            _SHARED.write_audit, actor, action, tenant, f"tenant {draft.slug}", None, json.dumps(after), None
        )

    async def key_prefix(self, tenant: int) -> str | None:
        return await self._conn.fetchval(_SHARED.first_key_prefix, tenant)

    async def add_key(self, tenant: int, slug: str, minted: keys.Minted, *, actor: str) -> None:
        await key_store.insert_key(self._conn, minted, first_key(slug), tenant_id=tenant, actor=actor)


class ControlStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def onboarding(self) -> AsyncGenerator[Onboarding]:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.lock_onboarding)
            yield _Transaction(conn)

    async def add_type(self, new: MessageType, *, actor: str) -> MessageType:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(
                _SQL.insert_type,
                new.name,
                new.class_,
                new.criticality,
                new.description,
                new.expiry_ms,
                new.grace_ms,
                new.resend,
            )
            if row is None:
                raise Conflict(api.type_exists(new.name), code="type-exists")
            made = type_of(row)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "type.create",
                None,
                f"type {new.name}",
                None,
                made.as_json(),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return made

    async def change_type(self, name: str, change: dict[str, object], *, actor: str) -> MessageType:
        """Changes some fields of the type, and every lane of it. Returns the type as changed."""
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock_type, name) if names.is_slug(name) else None
            if row is None:
                raise NotFound(api.no_type(text.harmless(name, 64)), code="no-such-type")
            before = type_of(row)
            after = before.changed(change)
            if after == before:
                return before
            await conn.execute(
                _SQL.update_type,
                after.id,
                after.criticality,
                after.description,
                after.expiry_ms,
                after.grace_ms,
                after.resend,
            )
            expiry, grace, resend = after.effective()
            await conn.execute(_SQL.update_lanes_of_type, after.id, expiry, grace, resend)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "type.change",
                None,
                f"type {name}",
                before.as_json(),
                after.as_json(),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return after
