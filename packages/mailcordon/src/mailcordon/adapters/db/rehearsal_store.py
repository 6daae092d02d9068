"""Reads what rehearsals are made of. Implements `control.rehearsals.RehearsalStore`, as the control role."""

import dataclasses
from collections.abc import Collection, Mapping

import asyncpg

from mailcordon.adapters.db import alert_rows, connection_pool, policy_rows, queries
from mailcordon.adapters.db.backtest_store import BacktestStore
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.rehearsals import People, Read
from mailcordon.core.incident import SEVERITIES, Kind, ScopeKind, Severity
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.policy import layers
from mailcordon.guard.policy.effective import Explained
from mailcordon.guard.rehearsal.week import Given, Way
from mailcordon.observe.alerts import plan
from mailcordon.observe.alerts.nouns import Channel, Incident

_SQL = queries.load("rehearsal_store.sql")
_ALERTS = queries.load("alert_store.sql")


class RehearsalStore:
    def __init__(self, control: Pool) -> None:
        self._control = control
        self._records = BacktestStore(control)

    async def read(self, *, minutes: int) -> Read:
        async with connection_pool.acquire(self._control) as conn:
            force = await policy_rows.in_force(conn)

        def explain(slug: str, type: str, class_: Class) -> Explained:
            return layers.effective(force.read, force.version, slug, type, class_)

        record = await self._records.record(explain, tenant=None, minutes=minutes)
        ids = [one.facts.lane for one in record.lanes]
        async with connection_pool.acquire(self._control) as conn:
            lanes = {row["lane"]: row for row in await conn.fetch(_SQL.lanes, ids)}
            routes = await conn.fetch(_SQL.routes, ids)
        # What the breaker may do now, not what the policy asks for: a lane that is not proved holds nothing.
        armed = [
            dataclasses.replace(
                one,
                mode=Mode(lanes[one.facts.lane]["absolute"] or Mode.SHADOW)
                if one.facts.lane in lanes
                else Mode.SHADOW,
            )
            for one in record.lanes
        ]
        return Read(
            given=Given(
                record=dataclasses.replace(record, lanes=armed),
                ways=_ways(routes),
                relative=frozenset(lane for lane, row in lanes.items() if row["relative"] == Mode.ENFORCE),
            ),
            own={row["lane"]: _way(row) for row in routes if row["path"] == "isolated"},
            tenants={lane: row["tenant"] for lane, row in lanes.items()},
        )

    async def people(self, tenants: Collection[int]) -> Mapping[int, People]:
        async with connection_pool.acquire(self._control) as conn:
            channels = [alert_rows.channel_of(row) for row in await conn.fetch(_ALERTS.channels, None)]
            rows = await conn.fetch(_SQL.people, sorted(tenants))
        return {
            row["tenant"]: People(
                channels={each: _told(channels, row["tenant"], each) for each in SEVERITIES},
                contacts=row["contacts"],
                owner_group=row["owner_group"],
            )
            for row in rows
        }


def _ways(routes: list[asyncpg.Record]) -> dict[int, Way]:
    """By the path that most of a lane's mail takes."""
    found: dict[int, Way] = {}
    for row in routes:
        found.setdefault(row["lane"], _way(row))
    return found


def _way(row: asyncpg.Record) -> Way:
    return Way(domain=row["domain"], pool=row["ip_pool"] or "")


def _told(channels: list[Channel], tenant: int, severity: Severity) -> list[str]:
    """Channels that an incident of the breaker about the tenant's mail is told to, by the rule of alerts."""
    incident = Incident(
        id=0,
        kind=Kind.BREAKER,
        cause="",
        severity=severity,
        scope=ScopeKind.LANE,
        name="",
        tenant=tenant,
        tenant_slug=None,
        lane=None,
        culprit=None,
        sentence="",
        next="",
        command=None,
        since=0,
        opened_at=0,
        mitigated_at=None,
        mitigated_by=None,
        acknowledged_at=None,
        acknowledged_by=None,
        closed_at=None,
        closed_by=None,
        closed_because=None,
    )
    return [one.name for one in channels if one.failing_since is None and plan.wants(one, incident)]
