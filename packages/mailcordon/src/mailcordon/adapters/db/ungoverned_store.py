"""Ungoverned senders, what is expected of them, and SES's count beside ours, as the control role."""

import json
from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, ungoverned_rows
from mailcordon.adapters.db.engine import Pool
from mailcordon.control import send_count
from mailcordon.control.send_count import Judged, Known, Reading
from mailcordon.control.ungoverned import Count, Expectation, Seen, Sender
from mailcordon.core.ungoverned import LEDGER_MS, Sighting

MOST_ALARMS = 1_000
_KNOWN = ("unknown", "others", "named", "ours_lag", "ours_day", "ours_window", "ours_first")
_JUDGED = ("lowest", "excess", "compared", "over_since", "under_since", "grew_at", "grown_to")

_SQL = queries.load("ungoverned_store.sql")
_SHARED = queries.load("shared.sql")


class UngovernedStore:
    """Implements control.ungoverned.Store."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, sightings: Sequence[Sighting]) -> None:
        """Those of CloudTrail; the observer records events in its own transactions."""
        async with connection_pool.transaction(self._pool) as connection:
            await ungoverned_rows.record(connection, sightings)

    async def now(self) -> int:
        async with connection_pool.acquire(self._pool) as connection:
            return await connection.fetchval(_SHARED.now)

    async def senders(
        self, *, id: int | None = None, tenant: int | None = None, before: int | None = None, limit: int = 100
    ) -> list[Sender]:
        async with connection_pool.acquire(self._pool) as connection:
            rows = await connection.fetch(_SQL.senders, id, tenant, before, limit, None)
        return [_sender(row) for row in rows]

    async def counts(self) -> list[Count]:
        async with connection_pool.acquire(self._pool) as connection:
            return [Count(**row) for row in await connection.fetch(_SQL.counts)]

    async def seen(self, shown_ms: int) -> Seen:
        """What alarms are made from: senders with mail of the last `shown_ms`."""
        async with connection_pool.acquire(self._pool) as connection:
            now = await connection.fetchval(_SHARED.now)
            rows = await connection.fetch(_SQL.senders, None, None, None, MOST_ALARMS, now - shown_ms)
            counts = await connection.fetch(_SQL.counts)
        return Seen(
            now=now,
            senders=[_sender(row) for row in rows],
            counts=[Count(**row) for row in counts],
        )

    async def expectations(self, *, before: int | None, limit: int) -> list[Expectation]:
        async with connection_pool.acquire(self._pool) as connection:
            rows = await connection.fetch(_SQL.expectations, before, limit)
        return [Expectation(**row) for row in rows]

    async def expect(
        self, identity: str, caller: str | None, *, until_seconds: float, because: str, actor: str
    ) -> Expectation:
        async with connection_pool.transaction(self._pool) as connection:
            await connection.execute(_SQL.end_same, identity, caller, actor)
            row = await connection.fetchrow(
                _SQL.expect, identity, caller, round(until_seconds * 1000), because, actor
            )
            assert row is not None
            await _audit(connection, "ungoverned.expect", row, actor, because)
        return Expectation(**row)

    async def unexpect(self, id: int, *, actor: str, because: str) -> Expectation | None:
        async with connection_pool.transaction(self._pool) as connection:
            row = await connection.fetchrow(_SQL.unexpect, id, actor)
            if row is None:
                return None
            await _audit(connection, "ungoverned.unexpect", row, actor, because)
        return Expectation(**row)

    async def count_sent(self, cell: str, lag_ms: int) -> None:
        """Adds what SES said last, and judges the reading before it."""
        async with connection_pool.transaction(self._pool) as connection:
            new = await connection.fetchrow(_SQL.reading, cell)
            if new is None:
                return
            row = await connection.fetchrow(_SQL.to_judge, cell, new["at"], lag_ms)
            if row is None:
                return
            reading = Reading(at=row["at"], sent=row["sent"], ours=row["ours"])
            before = Judged(**{name: row[name] for name in _JUDGED if row[name] is not None})
            known = Known(
                ours_now=new["ours"], lowest=row["lowest_lag"], **{name: row[name] for name in _KNOWN}
            )
            judged = send_count.judge(reading, known, before, lag_ms=lag_ms)
            if judged.over_since is not None and before.over_since is None:
                called = await connection.fetchval(_SQL.called)
                known = replace(known, unknown=known.unknown + called)
                judged = send_count.judge(reading, known, before, lag_ms=lag_ms)
            values = [getattr(judged, name) for name in _JUDGED]
            is_same = (judged.over_since, judged.under_since) == (before.over_since, before.under_since)
            await connection.execute(_SQL.judged, cell, row["at"], *values, is_same)
            await connection.execute(_SQL.thin, cell, row["at"])

    async def purge(self, keep_ms: int) -> None:
        async with connection_pool.acquire(self._pool) as connection:
            await connection.execute(_SQL.purge, keep_ms, LEDGER_MS)


async def _audit(
    connection: connection_pool.PooledConnection, action: str, row: asyncpg.Record, actor: str, because: str
) -> None:
    whose = row["identity"] + (f" by {row['caller']}" if row["caller"] else "")
    after = json.dumps({"until": row["until"], "ended": row["ended_at"] is not None})
    if "@" in row["identity"]:  # it can be a person's address
        personal = json.dumps({"address": row["identity"]})
        about = whose.replace(row["identity"], "{address}")
        await connection.execute(
            _SHARED.write_personal_audit, actor, action, None, about, None, after, because, personal
        )
        return
    await connection.execute(_SHARED.write_audit, actor, action, None, whose, None, after, because)


def _sender(row: asyncpg.Record) -> Sender:
    expected = (
        None
        if row["expected"] is None
        else Expectation(
            id=row["expected"],
            identity=row["expected_identity"],
            caller=row["expected_caller"],
            since=row["expected_since"],
            until=row["expected_until"],
            because=row["because"],
            by=row["by"],
            ended_at=row["ended_at"],
            ended_by=row["ended_by"],
        )
    )
    plain = (
        *("id", "identity", "caller", "tenant", "tenant_slug", "first_at", "last_at", "since", "seen_at"),
        *("mails", "recipients", "bounces", "complaints", "day_mails"),
    )
    return Sender(**{name: row[name] for name in plain}, facts=json.loads(row["facts"]), expected=expected)
