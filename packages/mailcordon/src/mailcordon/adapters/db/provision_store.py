"""The observed-state table: what SES should have, what it was last seen to have, and when to check again."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from mailcordon.adapters.db import platform_reader, queries
from mailcordon.adapters.db.control_store import write_desired
from mailcordon.adapters.db.engine import Pool, PooledConnection, row_count
from mailcordon.control import desired, plan
from mailcordon.control.desired import Json, Resource, Settings
from mailcordon.control.plan import Change
from mailcordon.control.reconcile import Row
from mailcordon.control.work import WORK_OF_ROWS, Work

_SQL = queries.load("provision_store.sql")
_CONTROL = queries.load("control_store.sql")
_SHARED = queries.load("shared.sql")
ACTOR = "control"


class ProvisionStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(
        self, limit: int, work: Work | None = None, busy: Iterable[int] = (), *, newest: bool = False
    ) -> list[Row]:
        if work is None:
            found: list[Row] = []
            for each in WORK_OF_ROWS:
                if len(found) < limit:
                    found += await self.due(limit - len(found), each, busy)
            return found
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_SQL.by_index)
            if newest:
                await conn.execute(_SQL.put_newest_first, list(busy))
            rows = await conn.fetch(_SQL.due, work, limit, list(busy))
        return [
            Row(
                resource=Resource(
                    desired.parse_kind(row["kind"]),
                    row["name"],
                    json.loads(row["desired"]),
                    row["tenant"] is None,
                ),
                tenant=row["tenant"],
                seen=row["seen"],
                attempts=row["attempts"],
                age=row["age"],
                version=row["version"],
                wanted=row["wanted"],
                work=Work(row["work"]),
                allowed=frozenset(row["allowed"] or ()),
                accepted=json.loads(row["accepted"]) if row["accepted"] else None,
            )
            for row in rows
        ]

    async def kinds_due(self) -> list[Work]:
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_SQL.by_index)
            return [Work(row["work"]) for row in await conn.fetch(_SQL.kinds_due, list(WORK_OF_ROWS))]

    async def recheck_all(self) -> None:
        await self._pool.execute(_SQL.recheck_all)

    async def size(self) -> int:
        return await self._pool.fetchval(_SQL.size)

    async def applied(
        self, row: Row, observed: Mapping[str, Json], changes: Sequence[Change], *, again_in: float
    ) -> None:
        one = row.resource
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(
                _SQL.applied,
                one.kind.word,
                one.name,
                json.dumps(observed),
                again_in,
                json.dumps(one.want),
                row.version,
            )
            if row.seen and any(change.action == plan.CREATE for change in changes):
                await conn.execute(_SQL.recheck_dependents, one.name)
            await _audit(conn, row, changes)

    async def failed(self, row: Row, error: str, changes: Sequence[Change], *, again_in: float) -> None:
        one = row.resource
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(
                _SQL.failed, one.kind.word, one.name, error, again_in, json.dumps(one.want), row.version
            )
            await conn.execute(_SQL.recheck_needed, one.kind.word, one.name)
            await conn.execute(_SQL.postpone_dependents, one.kind.word, one.name)
            await _audit(conn, row, changes)

    async def identity(self, domain: str, status: str, records: Sequence[Mapping[str, str]]) -> int | None:
        async with self._pool.acquire() as conn, conn.transaction():
            before = await conn.fetchrow(_SQL.lock_identity, domain)
            if before is None:
                return None
            await conn.execute(_SQL.set_identity, domain, status, json.dumps(list(records)))
            if before["status"] == status:
                return None
            await conn.execute(
                _SHARED.write_audit,
                ACTOR,
                f"identity.{status}",
                before["tenant"],
                f"identity {domain}",
                json.dumps({"status": before["status"]}),
                json.dumps({"status": status}),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return before["tenant"]

    async def tenant_arn(self, key: str) -> str | None:
        return await self._pool.fetchval(_SQL.tenant_arn, key)

    async def want_everything(self, settings: Settings) -> None:
        """Derives every wish again, so that changed settings or a newer version reach tenants that were onboarded before."""
        async with self._pool.acquire() as conn, conn.transaction():
            for one in desired.shared_sets():
                await conn.execute(_CONTROL.insert_set, one.name, one.kind, one.class_, None)
            await write_desired(conn, None, desired.of_shared(settings), Work.BULK)
        async with self._pool.acquire() as conn, conn.transaction():
            # No lane may be added between our read and our write.
            await conn.execute(_CONTROL.lock_onboarding)
            read = await platform_reader.whole(conn)
            for slug, tenant in read.platform.tenants.items():
                await write_desired(conn, read.ids[slug], desired.of_tenant(tenant, settings), Work.BULK)

    @asynccontextmanager
    async def reconciler_lock(self) -> AsyncGenerator[Callable[[], Awaitable[bool]] | None]:
        """Yields None unless this process is the one that reconciles; else a function that says whether it still is, since the
        lock ends with its connection. Two would be safe, but would call SES twice as often."""
        async with self._pool.acquire() as conn:

            async def holds() -> bool:
                return bool(await conn.fetchval(_SQL.holds_reconciler_lock))

            yield holds if await conn.fetchval(_SQL.try_reconciler_lock) else None


async def make_due(conn: PooledConnection, lane: int) -> int:
    """SES refused a call of this lane: makes every resource on its route due at once. Returns how many."""
    return row_count(await conn.execute(_SQL.make_due, lane))


async def _audit(conn: PooledConnection, row: Row, changes: Sequence[Change]) -> None:
    for change in changes:
        await conn.execute(
            _SHARED.write_audit,
            ACTOR,
            f"ses.{change.action}",
            row.tenant,
            str(change),
            json.dumps(change.was) if change.was is not None else None,
            json.dumps(change.resource.want),
            None,
        )
