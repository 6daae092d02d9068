"""Reads what is late, full, doubtful or found by SES: facts of the status that the alarms need every few seconds."""

from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.stop_row import known
from mailcordon.control import status_checks, status_events, status_facts
from mailcordon.control.status_facts import OpenStop
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider

_SQL = queries.load("alarm_facts.sql")
_TIMEOUT = 5.0  #: seconds for one statement
SILENT_MS = 600_000  #: a release whose feedback does not come for so long; most outcomes come within seconds
PAST_MS = 600_000  #: a stop that ended longer ago explains no waiting mail

_Connection = engine.Connection | engine.PooledConnection


async def waiting_mail(connection: _Connection) -> Mapping[str, Any]:
    """Mail that waits for too long, for a release that bad feedback closed, or urgent and over a limit."""
    async with connection.transaction():
        await connection.execute(_SQL.index_plans)
        longest = [status_checks.LONGEST_WAIT_MS[class_] for class_ in Class]
        late = await connection.fetch(_SQL.late_lanes, longest, timeout=_TIMEOUT)
        releases = await connection.fetch(_SQL.stopped_releases, SILENT_MS, timeout=_TIMEOUT)
        urgent = await connection.fetch(_SQL.urgent_over_limits, timeout=_TIMEOUT)
    return {
        "late": [_waiting(dict(row)) for row in late],
        "stopped_releases": [status_facts.StoppedRelease(**row) for row in releases],
        "over_limits": [status_facts.LateOverLimit(**row) for row in urgent],
    }


def _waiting(values: dict[str, Any]) -> status_facts.Waiting:
    return status_facts.Waiting(class_=Class(values.pop("class")), **values)


async def past_stops(
    connection: _Connection, of_row: Callable[[asyncpg.Record], OpenStop]
) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.past_stops, PAST_MS, timeout=_TIMEOUT)
    return {"past_stops": [of_row(row) for row in known(rows)]}


async def ses_findings(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.ses_findings, timeout=_TIMEOUT)
    return {"ses_findings": [status_facts.SesFinding(**row) for row in rows]}


async def doubtful(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.doubtful, status_events.DOUBTFUL_MS, timeout=_TIMEOUT)
    return {"doubtful": [status_facts.Doubtful(**row) for row in rows]}


async def full_lanes(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.full_lanes, status_events.FULL_MS, timeout=_TIMEOUT)
    return {"full": [status_facts.FullLane(**row) for row in rows]}


async def back_rollouts(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.back_rollouts, timeout=_TIMEOUT)
    return {
        "back_rollouts": [
            status_facts.BackRollout(
                id=row["id"],
                tenant=row["tenant"],
                types=row["types"],
                lanes=row["lanes"],
                at_fault=row["at_fault"],
                provider=None if row["provider"] is None else Provider(row["provider"]).word,
                domains=row["domains"],
                configuration_sets=row["sets"],
                sentence=row["sentence"],
                moving=row["moving"],
                since=row["since"],
            )
            for row in rows
        ]
    }


async def pool_troubles(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.pool_troubles, timeout=_TIMEOUT)
    words = {int(each): each.word for each in Provider}
    return {
        "pool_troubles": [
            status_facts.PoolTrouble(
                pool=row["pool"],
                code=row["code"],
                provider=words.get(row["provider"]),
                sentence=row["sentence"],
                next=row["next"],
                since=row["since"],
            )
            for row in rows
        ]
    }
