"""Reads the state of the installation as numbers, as the control role."""

from dataclasses import dataclass

import asyncpg

from mailcordon.adapters.db import connection_pool, engine, queries, status_reader
from mailcordon.control.machine_state import (
    IncidentTimes,
    LastHour,
    OpenHolds,
    OpenIncidents,
    QueuedMail,
    State,
    WaitingMessages,
)
from mailcordon.core.delivery import Why
from mailcordon.core.priority import Class

_SQL = queries.load("machine_state_reader.sql")
_TIMEOUT = 5.0  #: seconds for one statement
MOST_COUNTED = 100_000  #: waiting deliveries of one kind; counting more would cost more than it tells
MOST_MESSAGES = 10_000  #: waiting messages of one webhook
_TIMES_MS = 30 * 86_400_000  #: incidents that were opened in this time
_HOUR_MS = 3_600_000
_OUTCOMES = ("sent", "delivered", "hard_bounced", "soft_bounced", "complained")
_WHYS = (Why.RETRY, Why.UNKNOWN, Why.HELD)


@dataclass(frozen=True, slots=True)
class MachineStateReader:
    """Implements `control.machine_state.StateReader`. Names the `top` lanes with the most mail, and as many webhooks."""

    control: engine.Pool
    top: int

    async def state(self) -> State:
        """Raises Unavailable."""
        async with connection_pool.acquire(self.control) as connection:
            facts = await status_reader.read(connection)
            lanes = await connection.fetch(_SQL.queued, self.top, timeout=_TIMEOUT)
            waiting = await connection.fetch(_SQL.waiting, list(_WHYS), MOST_COUNTED, timeout=_TIMEOUT)
            holds = await connection.fetch(_SQL.open_holds, timeout=_TIMEOUT)
            incidents = await connection.fetch(_SQL.open_incidents, timeout=_TIMEOUT)
            times = await connection.fetch(_SQL.incident_times, facts.now - _TIMES_MS, timeout=_TIMEOUT)
            hour = facts.now // _HOUR_MS - 1
            last_hour = await connection.fetch(_SQL.last_hour, self.top, hour, timeout=_TIMEOUT)
            webhooks = await connection.fetch(_SQL.webhooks, self.top, MOST_MESSAGES, timeout=_TIMEOUT)
        return State(
            facts=facts,
            lanes=[
                QueuedMail(
                    tenant=row["tenant"],
                    type=row["type"],
                    class_=Class(row["class"]),
                    deliveries=row["deliveries"],
                )
                for row in lanes
            ],
            waiting={Why(row["why"]).name.lower(): row["count"] for row in waiting},
            holds=[OpenHolds(**row) for row in holds],
            incidents=[OpenIncidents(**row) for row in incidents],
            times=[
                IncidentTimes(kind=row["kind"], identify_ms=row["identify"], mitigate_ms=row["mitigate"])
                for row in times
            ],
            last_hour=[_last_hour(row) for row in last_hour],
            webhooks=[WaitingMessages(**row) for row in webhooks],
        )


def _last_hour(row: asyncpg.Record) -> LastHour:
    return LastHour(tenant=row["tenant"], type=row["type"], outcomes={name: row[name] for name in _OUTCOMES})
