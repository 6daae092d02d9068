"""Erasure of personal data, as the control role. Rows of mail are changed by a function of the owner only."""

import json

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.erasure import Due, Erasure, Personal
from mailcordon.messages import lifecycle, suppressions

_SQL = queries.load("erasure_store.sql")
_SHARED = queries.load("shared.sql")


class ErasureStore:
    """Implements `control.erasure.ErasureStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def request(self, tenant: int, slug: str, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.request, tenant, actor, because):
                await conn.execute(
                    _SHARED.write_audit, actor, "tenant.erase", tenant, f"tenant {slug}", None, None, because
                )

    async def erasure(self, tenant: int) -> Erasure | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.erasure, tenant)
        return None if row is None else Erasure(**dict(row))

    async def personal(self, tenant: int, count_to: int) -> Personal:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.personal, tenant, count_to)
        assert row is not None
        return Personal(**dict(row))

    async def due(self) -> list[Due]:
        return [Due(**dict(row)) for row in await self._pool.fetch(_SQL.due)]

    async def erase_some(self, tenant: int, most: int) -> int:
        return await self._pool.fetchval(_SQL.erase_some, tenant, most, lifecycle.erased())

    async def forgotten_due(self) -> list[tuple[int, bytes]]:
        return [(row["tenant"], row["hash"]) for row in await self._pool.fetch(_SQL.forgotten_due)]

    async def forget_some(self, tenant: int, hash: bytes, most: int) -> int:
        return await self._pool.fetchval(_SQL.forget_some, tenant, hash, most, suppressions.forgotten_mail())

    async def erased(self, due: Due, *, actor: str, deliveries: int) -> None:
        after = json.dumps({"deliveries": deliveries})
        await self._pool.execute(
            _SHARED.write_audit,
            actor,
            "tenant.erased",
            due.tenant,
            f"tenant {due.slug}",
            None,
            after,
            None,
        )
