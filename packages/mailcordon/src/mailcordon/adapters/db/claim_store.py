"""Claims, as the control role; a tenant's key reads its own as the reader role."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from mailcordon.adapters.db import connection_pool, finding_store, plan_store, queries, row_level_security
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.claims import Claim, ClaimTransaction, Holder, Owned, Proof, SharedParent
from mailcordon.control.difference import Found

_SQL = queries.load("claim_store.sql")
_SHARED = queries.load("shared.sql")
_LOOK = ("claims", "look-alikes")  #: what finds them (finding_store.see)


class _Transaction(plan_store.StoredTransaction):
    async def now(self) -> datetime:
        return await self.conn.fetchval(_SQL.now)

    async def tenant_exists(self, slug: str) -> bool:
        return await self.conn.fetchval(_SQL.tenant_exists, slug)

    async def prove_verified(self) -> None:
        for row in await self.conn.fetch(_SQL.prove_verified):
            await self._audit("claim.prove", row, "control", '{"proof": "ses"}')

    async def open_claim(self, slug: str, domain: str) -> Claim | None:
        row = await self.conn.fetchrow(_SQL.open_claim, slug, domain)
        return None if row is None else _claim(row)

    async def claim(self, id: int) -> Claim | None:
        row = await self.conn.fetchrow(_SQL.claim, id)
        return None if row is None else _claim(row)

    async def holders(self, domain: str) -> list[Holder]:
        return [Holder(**dict(row)) for row in await self.conn.fetch(_SQL.holders, domain)]

    async def contend(self, slug: str, domain: str, token: str, *, actor: str) -> None:
        tenant = await self.conn.fetchval(_SQL.contend, slug, domain, token, actor)
        await self.conn.execute(
            _SHARED.write_audit, actor, "claim.contend", tenant, f"identity {domain}", None, None, None
        )
        for row in await self.conn.fetch(_SQL.mark_contended, domain):
            # No actor: it belongs to the other tenant's story.
            await self._audit("claim.contended", row, "control", None)

    async def looked(self, id: int, said: str, *, again_at: datetime) -> None:
        await self.conn.execute(_SQL.looked, id, said, again_at)

    async def prove(self, id: int, proof: Proof, *, actor: str) -> None:
        for row in await self.conn.fetch(_SQL.prove, id, proof):
            await self._audit("claim.prove", row, actor, f'{{"proof": "{proof}"}}')

    async def end(self, id: int, because: str, *, actor: str) -> None:
        for row in await self.conn.fetch(_SQL.end, id, because):
            await self._audit("claim.end", row, actor, None, because)
        await self.conn.execute(_SQL.unmark_contended)

    async def end_rivals(self, domain: str, but: int, because: str, *, actor: str) -> None:
        for row in await self.conn.fetch(_SQL.end_rivals, domain, but, because):
            await self._audit("claim.end", row, actor, None, because)
        await self.conn.execute(_SQL.unmark_contended)

    async def share(self, domain: str, *, actor: str, because: str) -> None:
        if await self.conn.fetchval(_SQL.share, domain, actor, because) is None:
            return
        for row in await self.conn.fetch(_SQL.prove_below, domain):
            await self._audit("claim.prove", row, actor, '{"proof": "parent"}')
        await self._changed("domain.share", domain, actor, because)

    async def unshare(self, domain: str, *, actor: str, because: str) -> bool:
        if await self.conn.fetchval(_SQL.unshare, domain) is None:
            return False
        await self.conn.execute(_SQL.unprove_below, domain)
        await self._changed("domain.unshare", domain, actor, because)
        return True

    async def _changed(self, action: str, domain: str, actor: str, because: str) -> None:
        what = f"shared domain {domain}"
        await self.conn.execute(_SHARED.write_audit, actor, action, None, what, None, None, because)
        await self.conn.execute(_SHARED.bump_epoch, "desired")  # plans were made on other rules
        await self.conn.execute(_SHARED.bump_epoch, "control")

    async def _audit(
        self, action: str, row: asyncpg.Record, actor: str, after: str | None, because: str | None = None
    ) -> None:
        what = f"identity {row['domain']}"
        await self.conn.execute(_SHARED.write_audit, actor, action, row["tenant"], what, None, after, because)


class ClaimStore:
    def __init__(
        self, control: Pool, reader: Pool | None = None, late_ms: Sequence[int] = plan_store.NOT_LATE
    ) -> None:
        """`reader`: a pool of the reader login, for tenants' keys. `late_ms`: as in `PlanStore`."""
        self._control = control
        self._reader = reader
        self._late_ms = late_ms

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[ClaimTransaction]:
        async with plan_store.locked(self._control) as conn:
            yield _Transaction(conn, self._late_ms)

    async def claims(
        self, tenant: int | None, *, as_tenant: bool, after: int, limit: int, ended: bool
    ) -> list[Claim]:
        reader = self._reader or self._control
        under = tenant if as_tenant else None
        async with row_level_security.read_transaction(self._control, reader, under, snapshot=False) as conn:
            return [_claim(row) for row in await conn.fetch(_SQL.claims, tenant, after, limit, ended)]

    async def provable(self) -> bool:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SQL.provable)

    async def lapsed(self, claimed_before: datetime, limit: int) -> list[int]:
        async with connection_pool.acquire(self._control) as conn:
            return [row["id"] for row in await conn.fetch(_SQL.lapsed, claimed_before, limit)]

    async def to_look(self, limit: int) -> list[Claim]:
        async with connection_pool.acquire(self._control) as conn:
            return [_claim(row) for row in await conn.fetch(_SQL.to_look, limit)]

    async def now(self) -> datetime:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SQL.now)

    async def revision(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.epoch, "desired")

    async def owned(self) -> list[Owned]:
        async with connection_pool.acquire(self._control) as conn:
            return [Owned(**dict(row)) for row in await conn.fetch(_SQL.owned)]

    async def found_look_alikes(self, found: Sequence[Found]) -> None:
        async with connection_pool.transaction(self._control) as conn:
            await finding_store.see(conn, _LOOK, found, left={each.key for each in found})

    async def shared_parents(self) -> list[SharedParent]:
        async with connection_pool.acquire(self._control) as conn:
            return [SharedParent(**dict(row)) for row in await conn.fetch(_SQL.shared_parents)]


def _claim(row: asyncpg.Record) -> Claim:
    return Claim(**dict(row))
