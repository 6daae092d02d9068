"""The control role's housekeeping, each step one bounded statement."""

import asyncio
from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.accept_store import NODE_LOCK
from mailcordon.adapters.db.engine import Pool, row_count
from mailcordon.control import retention
from mailcordon.control.administration import SesAccount
from mailcordon.control.retention import TableDay
from mailcordon.control.upkeep import Dropped, Purged

_SQL = queries.load("upkeep_store.sql")
_SHARED = queries.load("shared.sql")
_PURGES = {
    Purged.DAY_COUNTS: _SQL.purge_day_counts,
    Purged.LANE_SUMS: _SQL.purge_lane_sums,
    Purged.FLEET_SUMS: _SQL.purge_fleet_sums,
    Purged.INCIDENTS: _SQL.purge_incidents,
    Purged.FEEDBACK_LOSSES: _SQL.purge_feedback_losses,
    Purged.BOUNCE_DOMAINS: _SQL.purge_bounce_domains,
    Purged.FEED: _SQL.purge_feed,
    Purged.QUARANTINE: _SQL.purge_quarantine,
    Purged.NOTICES: _SQL.purge_notices,
    Purged.ELSEWHERE: _SQL.purge_elsewhere,
    Purged.UNMAPPED: _SQL.purge_unmapped,
    Purged.STOPS: _SQL.purge_stops,
    Purged.ROUTES: _SQL.purge_routes,
    Purged.WORKERS: _SQL.purge_workers,
    Purged.CALLS_OF_PLANS: _SQL.purge_calls_of_plans,
    Purged.PLANS: _SQL.purge_plans,
    Purged.POLICIES: _SQL.purge_policies,
    Purged.REPORTS: _SQL.purge_reports,
    Purged.REMOVALS: _SQL.purge_removals,
    Purged.ENTRIES: _SQL.purge_entries,
    Purged.DELETED_ENTRIES: _SQL.purge_deleted_entries,
    Purged.SESSIONS: _SQL.purge_sessions,
    Purged.SIGN_IN_LINKS: _SQL.purge_sign_in_links,
    Purged.VIEW_LINKS: _SQL.purge_view_links,
    Purged.PENDING_SIGN_INS: _SQL.purge_pending_sign_ins,
}
_LOCK_ATTEMPTS = 5
_LOCK_PAUSE = (
    0.2  #: seconds, longer after each attempt: a table that a report reads must still be usable in between
)
_LONG = 660.0  #: seconds; longer than allow_long_statement, so that the server ends it first


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

    async def stored(self) -> retention.Stored:
        async with self._pool.acquire() as connection:
            facts = await connection.fetchrow(_SQL.retention_facts)
            assert facts is not None
            return retention.Stored(
                today=facts["today"],
                longest_expiry_ms=facts["longest_expiry_ms"],
                partitions=_days(await connection.fetch(_SQL.partitions)),
                in_default=_days(await connection.fetch(_SQL.days_in_default)),
            )

    async def make_partition(self, wanted: TableDay) -> bool:
        return await self._with_locks(_SQL.make_partition, wanted) is not None

    async def drop_day(self, day: TableDay) -> Dropped:
        dropped = await self._with_locks(_SQL.drop_day, day)
        return Dropped.BUSY if dropped is None else Dropped.GONE if dropped else Dropped.NEEDED

    async def _with_locks(self, statement: str, day: TableDay) -> bool | None:
        """Runs a statement whose locks everybody who uses the table waits for. It gives up after half a second of waiting and is
        tried again; None if it never got its locks."""
        for attempt in range(_LOCK_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_LOCK_PAUSE * attempt)
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await connection.execute(_SQL.allow_long_statement)
                    return await connection.fetchval(statement, day.table, day.day, timeout=_LONG)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                continue
        return None

    async def purge_idempotency(self, after: int, most: int) -> int | None:
        return await self._pool.fetchval(_SQL.purge_idempotency, after, retention.IDEMPOTENCY_MS, most)

    async def purge_urgent_bodies(self, after: int, most: int) -> int | None:
        return await self._pool.fetchval(_SQL.purge_urgent_bodies, after, retention.URGENT_BODIES_MS, most)

    async def purge(self, kind: Purged, older_ms: int, most: int) -> int:
        return row_count(await self._pool.execute(_PURGES[kind], older_ms, most))

    async def purge_slices(self, idle_days: int, idle_large_days: int, most: int) -> int:
        return await self._pool.fetchval(_SQL.purge_slices, idle_days * 1440, idle_large_days * 1440, most)

    async def count_lanes(self) -> None:
        await self._pool.execute(_SQL.count_lanes)

    async def thin_counts(self, keep_ms: int) -> None:
        await self._pool.execute(_SQL.thin_counts, keep_ms)

    async def fold_counters(self) -> None:
        async with self._pool.acquire() as connection:
            for row in await connection.fetch(_SQL.intake_nodes):
                async with connection.transaction():
                    # Who has the lock is the process with this number. While we have it nobody takes the number.
                    if await connection.fetchval(_SHARED.try_lock_in_transaction, NODE_LOCK, row["node"]):
                        await connection.execute(_SQL.fold_intake, row["node"])
            await connection.execute(_SQL.fold_finished)


def _days(rows: Sequence[asyncpg.Record]) -> frozenset[TableDay]:
    return frozenset(TableDay(row["day"], row["parent"]) for row in rows)
