"""The control role's housekeeping, each step one bounded statement."""

import json
from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.administration import SesAccount
from mailcordon.control.upkeep import Removal
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.messages import reasons

_SQL = queries.load("upkeep_store.sql")
_SHARED = queries.load("shared.sql")
_URGENT_KEPT_MS = CLASS_DEFAULTS[Class.URGENT].expiry_ms + 3_600_000


class UpkeepStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write_account(self, cell: str, account: SesAccount) -> None:
        await self._pool.execute(
            _SQL.write_account,
            cell,
            account.max_send_rate,
            account.max_24h,
            account.sent_24h,
            account.sending_enabled,
            account.enforcement,
        )

    async def tenants_by_key(self, keys: Sequence[str]) -> dict[str, int]:
        rows = await self._pool.fetch(_SQL.tenants_by_key, list(keys))
        return {row["key"]: row["id"] for row in rows}

    async def paused(self) -> dict[int, list[int]]:
        rows = await self._pool.fetch(_SQL.tenants_paused_by_ses)
        return {row["tenant"]: row["holds"] for row in rows}

    async def recheck_refused(self) -> int:
        return int((await self._pool.execute(_SQL.recheck_refused)).split()[-1])

    async def removals(self, limit: int) -> list[Removal]:
        return [
            Removal(
                tenant=row["tenant"],
                ses_tenant=row["key"],
                slug=row["slug"],
                hash=row["hash"],
                scope=row["scope"],
                target=row["target"],
                address=row["address"],
                alone=row["alone"],
            )
            for row in await self._pool.fetch(_SQL.requested_removals, limit)
        ]

    async def removed(self, removal: Removal) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            gone = await conn.fetchval(
                _SQL.delete_removed, removal.tenant, removal.hash, removal.scope, removal.target
            )
            if gone is None:
                return
            before = json.dumps({"scope": removal.scope, "target": removal.target})
            words = f"suppression of {removal.address} for {removal.slug}"
            await conn.execute(
                _SHARED.write_audit,
                "control",
                "suppression.removed",
                removal.tenant,
                words,
                before,
                None,
                reasons.removed_at_ses_too(),
            )

    async def ensure_partitions(self, days: int) -> int:
        return await self._pool.fetchval(_SQL.ensure_partitions, days)

    async def purge_idempotency(self, most: int) -> int:
        return int((await self._pool.execute(_SQL.purge_idempotency, most)).split()[-1])

    async def purge_content(self, after: int, *, urgent: bool, most: int) -> tuple[int, int | None]:
        # Expired mail is never sent. One hour more, because a type may have an expiry of its own.
        kept = (
            _URGENT_KEPT_MS
            if urgent
            else max(defaults.content_kept_ms for defaults in CLASS_DEFAULTS.values())
        )
        statement = _SQL.purge_urgent_content if urgent else _SQL.purge_content
        row = await self._pool.fetchrow(statement, after, kept, most)
        assert row is not None
        return row["gone"], row["last"]
