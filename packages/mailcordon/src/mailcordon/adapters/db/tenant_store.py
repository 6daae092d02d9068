"""Onboarding, as the control role: the plan, the tenant's first key and the audit rows in one transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mailcordon.adapters.db import key_store, plan_store, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control import keys
from mailcordon.control.tenants import Onboarding, first_key

_SHARED = queries.load("shared.sql")


class _Transaction(plan_store.StoredTransaction):
    async def tenant_id(self, slug: str) -> int:
        return await self.conn.fetchval(_SHARED.tenant_id, slug)

    async def key_prefix(self, tenant: int) -> str | None:
        return await self.conn.fetchval(_SHARED.first_key_prefix, tenant)

    async def add_key(self, tenant: int, slug: str, minted: keys.Minted, *, actor: str) -> None:
        await key_store.insert_key(self.conn, minted, first_key(slug), tenant_id=tenant, actor=actor)


class TenantStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def onboarding(self) -> AsyncGenerator[Onboarding]:
        async with plan_store.locked(self._pool) as conn:
            yield _Transaction(conn)
