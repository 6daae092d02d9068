"""What SES's suppression lists say of our addresses, and the removals that wait for it, as the control role."""

import json
from typing import Any

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.ses_lists import Entry, Removal, Wanted
from mailcordon.messages import reasons

_SQL = queries.load("ses_list_store.sql")
_SHARED = queries.load("shared.sql")


class SesListStore:
    """Implements control.ses_lists.SesListStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def removals(self, limit: int, each: int) -> list[Removal]:
        return [
            Removal(
                tenant=row["tenant"],
                slug=row["slug"],
                lists=tuple(row["lists"]),
                account_applies=row["account_applies"],
                hash=row["hash"],
                scope=row["scope"],
                target=row["target"],
                address=row["address"],
                spellings=tuple(row["spellings"]),
                alone=row["alone"],
                waited_ms=row["waited_ms"],
            )
            for row in await self._pool.fetch(_SQL.requested_removals, limit, each)
        ]

    async def removed(self, removal: Removal) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            gone = await conn.fetchval(
                _SQL.delete_removed, removal.tenant, removal.hash, removal.scope, removal.target
            )
            if gone is None:
                return
            if removal.alone:
                await conn.execute(_SQL.entries_are_gone, removal.tenant, removal.hash)
            before = json.dumps({"scope": removal.scope, "target": removal.target})
            await conn.execute(
                _SHARED.write_personal_audit,
                "control",
                "suppression.removed",
                removal.tenant,
                f"suppression of {{address}} for {removal.slug}",
                before,
                None,
                reasons.removed_at_ses_too(),
                json.dumps({"address": removal.address}),
            )

    async def waits(self, removal: Removal, why: str, seconds: float) -> None:
        await self._pool.execute(
            _SQL.removal_waits,
            removal.tenant,
            removal.hash,
            removal.scope,
            removal.target,
            why[:2000],
            int(seconds * 1000),
        )

    async def forgotten(self, limit: int) -> list[Removal]:
        return [
            Removal(
                tenant=row["tenant"],
                slug=row["slug"],
                lists=tuple(row["lists"]),
                account_applies=False,
                hash=row["hash"],
                scope=0,
                target=0,
                address=row["spellings"][0],
                spellings=tuple(row["spellings"]),
                alone=True,
            )
            for row in await self._pool.fetch(_SQL.forgotten, limit)
        ]

    async def forgotten_at_ses(self, removal: Removal) -> None:
        await self._pool.execute(_SQL.forgotten_at_ses, removal.tenant, removal.hash)

    async def not_forgotten(self, removal: Removal, why: str, seconds: float) -> None:
        await self._pool.execute(
            _SQL.not_forgotten, removal.tenant, removal.hash, why[:2000], int(seconds * 1000)
        )

    async def wanted(self, limit: int, each: int) -> list[Wanted]:
        return [
            Wanted(tenant=row["tenant"], hash=row["hash"], list=row["list"], spelling=row["spelling"])
            for row in await self._pool.fetch(_SQL.wanted, limit, each)
        ]

    async def read(self, wanted: Wanted, found: Entry | None) -> None:
        key = (wanted.tenant, wanted.hash, wanted.list, wanted.spelling)
        async with self._pool.acquire() as conn, conn.transaction():
            if found is None:
                await conn.execute(_SQL.entry_read, *key, False, None, None, None, None)
                return
            await conn.execute(
                _SQL.entry_read,
                *key,
                True,
                found.reason,
                found.listed_at,
                found.message_id,
                found.feedback_id,
            )
            evidence = json.dumps({"ses": _shown(wanted, found)})
            complained = found.reason == "COMPLAINT"
            await conn.execute(
                _SQL.suppress_listed,
                wanted.tenant,
                wanted.hash,
                wanted.spelling,
                complained,
                not wanted.list,
                evidence,
                found.listed_at,
            )
            await conn.execute(_SQL.explain_listed, wanted.tenant, wanted.hash, evidence)

    async def not_read(self, wanted: Wanted, why: str, seconds: float) -> None:
        key = (wanted.tenant, wanted.hash, wanted.list, wanted.spelling)
        await self._pool.execute(_SQL.entry_not_read, *key, why[:2000], int(seconds * 1000))


def _shown(wanted: Wanted, found: Entry) -> dict[str, Any]:
    shown = {
        "list": wanted.list or "account",
        "spelling": found.spelling,
        "reason": found.reason,
        "listed_at": found.listed_at,
        # The account's list is shared: its entry may be about mail of another tenant.
        "message_id": found.message_id if wanted.list else None,
        "feedback_id": found.feedback_id if wanted.list else None,
    }
    return {name: value for name, value in shown.items() if value is not None}
