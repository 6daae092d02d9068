"""Reads the facts of `control.account`, as the control role."""

import json
from dataclasses import dataclass

from mailcordon.adapters.db import connection_pool, engine, queries, quota_forecast
from mailcordon.control import account
from mailcordon.control.account import Facts, Limits, Reviewed, Waiting
from mailcordon.control.work import Work
from mailcordon.core import health
from mailcordon.guard.delays import Signal

_SQL = queries.load("account_reader.sql")
_SHARED = queries.load("shared.sql")


@dataclass(frozen=True, slots=True)
class AccountReader:
    """Implements `control.account.Reader`."""

    control: engine.Pool

    async def facts(self) -> Facts:
        async with connection_pool.acquire(self.control) as connection:
            return await read(connection)


async def read(connection: engine.Connection | engine.PooledConnection) -> account.Facts:
    """Raises what the driver raises for a database that cannot be reached."""
    waiting = [
        Waiting(
            work=Work(row["work"]), resources=row["resources"], tenants=row["tenants"], since=row["since"]
        )
        for row in await connection.fetch(_SQL.waiting)
    ]
    removals = await connection.fetchrow(_SQL.removals)
    if removals is not None and removals["resources"]:
        waiting.append(Waiting(work=Work.SUPPRESSION, **removals))
    calls = await connection.fetchval(_SQL.calls, health.SILENT_AFTER_MS)
    now = await connection.fetchval(_SHARED.now)
    limits = [Limits(**row) for row in await connection.fetch(_SQL.limits)]
    forecast = None
    if len(limits) == 1:  # what left is not counted by account
        quota, used = limits[0].max_24h, limits[0].sent_24h
        forecast = await quota_forecast.read(connection, now=now, quota=quota, used=used)
    review = await connection.fetchrow(_SQL.review)
    assert review is not None
    return Facts(
        now=now,
        reviewed=(
            Reviewed(signal=Signal.BOUNCES, mails=review["sent"], events=review["hard_bounces"]),
            Reviewed(signal=Signal.COMPLAINTS, mails=review["heard"], events=review["complaints"]),
        ),
        limits=limits,
        forecast=forecast,
        waiting=waiting,
        calls=None if calls is None else json.loads(calls),
        oldest_read=await connection.fetchval(_SQL.oldest_read),
    )
