"""Reads the facts of `control.status_facts`, as the control role.

Each check reads its own statements. What fails makes that check unread and leaves the others alone, so that a slow table does
not hide a stop. A database that is away is an error of the whole.
"""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg

from mailcordon.adapters.db import (
    alarm_facts,
    connection_pool,
    engine,
    finding_store,
    health_reader,
    queries,
    quota_forecast,
    split_store,
    storage_reader,
)
from mailcordon.adapters.db.driver_errors import UNREACHABLE, in_words
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.control import difference, lapses, status_checks, status_facts
from mailcordon.control.feedback import LossView
from mailcordon.control.problem import Check
from mailcordon.control.status_facts import Facts
from mailcordon.control.suppression_split.splits import MOST_MOVED
from mailcordon.core.drift import Drift
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.messages import alarms as alarm_messages
from mailcordon.messages import holds as hold_messages

_SQL = queries.load("status_reader.sql")
_SHARED = queries.load("shared.sql")
_TIMEOUT = 5.0  #: seconds for one statement

_Connection = engine.Connection | engine.PooledConnection
_Read = Callable[[_Connection], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What is read at once. `seconds`: how old its facts may be for the alarms, judged every second at most; None: no alarm is
    made of them. `is_slow`: as of a source of alarms (observe/incidents/sources.py)."""

    checks: tuple[Check, ...]  #: that cannot be made without it
    read: _Read
    seconds: float | None
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class StatusReader:
    """Implements `control.status_facts.Reader`."""

    control: engine.Pool

    async def facts(self) -> Facts:
        """Raises Unavailable while the database cannot be reached."""
        async with connection_pool.acquire(self.control) as connection:
            return await read(connection)


async def read(connection: _Connection) -> Facts:
    """Raises what the driver raises for a database that cannot be reached."""
    now = await connection.fetchval(_SHARED.now, timeout=_TIMEOUT)
    found, unread = await readings(connection, READINGS)
    return Facts(now=now, unread=unread, **found)


async def readings(
    connection: _Connection, wanted: Sequence[Reading]
) -> tuple[dict[str, Any], dict[Check, str]]:
    """The members of `Facts` that they read, and why the facts of a check are missing. Raises what the driver raises for a
    database that cannot be reached."""
    found: dict[str, Any] = {}
    unread: dict[Check, str] = {}
    for one in wanted:
        try:
            found.update(await one.read(connection))
        except UNREACHABLE as error:
            if connection.is_closed():
                raise
            unread.update(dict.fromkeys(one.checks, in_words(error)))
        except asyncpg.PostgresError as error:
            unread.update(dict.fromkeys(one.checks, in_words(error)))
    return found, unread


async def _beats(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.beats, timeout=_TIMEOUT)
    return {"beats": [status_facts.Beat(**{**row, "facts": json.loads(row["facts"])}) for row in rows]}


async def _observing(connection: _Connection) -> Mapping[str, Any]:
    row = await connection.fetchrow(_SQL.observing, timeout=_TIMEOUT)
    if row is None:
        return {}
    return {
        "observe_only": row["observe_only"],
        "unmapped": None
        if not row["events"]
        else status_facts.Unmapped(
            events=row["events"], origins=row["origins"], identity=row["identity"] or ""
        ),
    }


async def _waiting(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.oldest_waiting, timeout=_TIMEOUT)
    holds = await connection.fetch(_SQL.open_holds, timeout=_TIMEOUT)
    retirements = await connection.fetch(_SQL.held_retirements, timeout=_TIMEOUT)
    return {
        "waiting": [
            status_facts.Waiting(
                class_=Class(row["class"]), tenant=row["tenant"], type=row["type"], since=row["since"]
            )
            for row in rows
        ],
        "holds": [_hold(row) for row in holds],
        "retirements": [status_facts.HeldRetirement(**dict(row)) for row in retirements],
    }


def _hold(row: asyncpg.Record) -> status_facts.HeldMail:
    hold = hold_from_row(row)
    target = hold.target
    mail = hold_messages.mail_of(
        row["slug"],
        type=row["type_name"],
        class_=None if target.class_ is None else target.class_.word,
        provider=None if target.provider is None else target.provider.word,
        campaign=target.campaign,
        list=target.list,
    )
    return status_facts.HeldMail(
        tenant=row["slug"],
        mail=mail,
        sentence=hold.sentence,
        since=hold.since,
        stops=hold.stops,
        ends=hold.ends,
        type=row["type_name"],
        part=target.list or target.campaign or (None if target.provider is None else target.provider.word),
    )


async def _stops(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.named_stops, timeout=_TIMEOUT)
    return {"stops": [_stop(row) for row in known(rows)]}


def _stop(row: asyncpg.Record) -> status_facts.OpenStop:
    stop = stop_from_row(row)
    return status_facts.OpenStop(
        id=stop.id,
        scope=stop.scope,
        name=stop.name,
        tenant=row["slug"],
        type=row["type_name"],
        cause=stop.cause,
        because=stop.because,
        sentence=stop.sentence,
        since=stop.since,
        probe_at=stop.next_probe,
        last_probe=stop.last_probe,
        record=stop.record,
    )


async def _accounts(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.accounts, timeout=_TIMEOUT)
    accounts = [status_facts.Account(**row) for row in rows]
    if len(accounts) == 1:  # what left is not counted by account
        (one,) = accounts
        now: int = await connection.fetchval(_SHARED.now, timeout=_TIMEOUT)
        found = await quota_forecast.read(connection, now=now, quota=one.max_24h, used=one.sent_24h)
        accounts = [dataclasses.replace(one, forecast=found)]
    return {"accounts": accounts}


async def _seen_call(connection: _Connection) -> Mapping[str, Any]:
    row = await connection.fetchrow(_SQL.seen_call, timeout=_TIMEOUT)
    assert row is not None
    return dict(row)


async def _losses(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.losses, timeout=_TIMEOUT)
    return {"losses": [_loss(row) for row in rows]}


def _loss(row: asyncpg.Record) -> status_facts.OpenLoss:
    values: dict[str, Any] = {**row, "evidence": json.loads(row["evidence"])}
    tenant = values.pop("tenant")
    one = LossView(**values)
    return status_facts.OpenLoss(
        signal=one.signal,
        sentence=one.sentence,
        cause=one.cause,
        late=one.late,
        since=one.since,
        id=one.id,
        because=one.because,
        configuration_set=one.configuration_set,
        provider=None if one.provider is None else Provider(one.provider).word,
        tenant=tenant,
    )


async def _overdue(connection: _Connection) -> Mapping[str, Any]:
    row = await connection.fetchrow(_SQL.overdue, status_checks.UNKNOWN_MARGIN_MS, timeout=_TIMEOUT)
    found = row is not None and row["count"] > 0
    recipients = await connection.fetchrow(
        _SQL.recipient_domains, status_checks.LOOKED_UP_MS, timeout=_TIMEOUT
    )
    return {
        "recipients": None if recipients is None else status_facts.RecipientDomains(**recipients),
        "overdue": status_facts.Overdue(row["count"], row["oldest"]) if row is not None and found else None,
    }


async def _set_aside(connection: _Connection) -> Mapping[str, Any]:
    return {"set_aside": await connection.fetchval(_SQL.set_aside, timeout=_TIMEOUT)}


async def _failing(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.failing, timeout=_TIMEOUT)
    plans = await connection.fetch(_SQL.plans_of_settings, timeout=_TIMEOUT)
    found = await connection.fetch(_SQL.findings, timeout=_TIMEOUT)
    return {
        "plans": [status_facts.WaitingPlan(**row) for row in plans],
        "findings": [
            status_facts.OpenFinding(
                id=row["id"],
                tenant=row["tenant"],
                sentence=difference.says(Drift(row["kind"]), json.loads(row["detail"])),
                plan=row["plan"],
                since=row["since"],
                severity=row["severity"],
                resource_kind=row["resource_kind"],
                resource=row["resource"],
                by=_caller(row["by"]),
                held=row["held"],
            )
            for row in found
        ],
        "failing": [
            status_facts.FailingResource(
                kind=row["kind"], name=row["name"], tenant=row["tenant"], error=row["error"] or ""
            )
            for row in rows
        ],
    }


def _caller(by: str | None) -> str | None:
    who = finding_store.by_of(by)
    if who is None or who.name is None:
        return None
    return alarm_messages.caller(name=who.name, address=who.source_ip)


async def _domains(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.lapsed_domains, timeout=_TIMEOUT)
    row = await connection.fetchrow(_SQL.unchecked_domains, status_checks.UNCHECKED_MS, timeout=_TIMEOUT)
    found = row is not None and row["count"] > 0
    return {
        "lapsed": [
            status_facts.LapsedDomain(
                domain=row["domain"],
                tenant=row["tenant"],
                sentence=lapses.because(row["domain"], lapses.from_json(json.loads(row["evidence"]))),
                since=row["since"],
                held=row["held"],
            )
            for row in rows
        ],
        "unchecked": status_facts.Unchecked(**row) if row is not None and found else None,
    }


async def _storage(connection: _Connection) -> Mapping[str, Any]:
    async with asyncio.timeout(_TIMEOUT):
        return {"storage": await storage_reader.storage(connection)}


async def _quarantine(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.quarantine_kinds, timeout=_TIMEOUT)
    return {"quarantine": [status_facts.QuarantineKind(**row) for row in rows]}


async def _snapshot(connection: _Connection) -> Mapping[str, Any]:
    return {"snapshot_seconds": await health_reader.oldest_snapshot(connection, timeout=_TIMEOUT)}


async def _unproved(connection: _Connection) -> Mapping[str, Any]:
    row = await connection.fetchrow(_SQL.unproved_lanes, timeout=_TIMEOUT)
    assert row is not None
    return {"unproved": status_facts.UnprovedLanes(**row) if row["tenant"] is not None else None}


async def _incidents(connection: _Connection) -> Mapping[str, Any]:
    rows = await connection.fetch(_SQL.open_incidents, timeout=_TIMEOUT)
    channels = await connection.fetchval(_SQL.alert_channels, timeout=_TIMEOUT)
    return {
        "incidents": [status_facts.OpenIncident(**dict(row)) for row in rows],
        "alert_channels": channels,
    }


async def _half_moved(connection: _Connection) -> Mapping[str, Any]:
    return {
        "half_moved": await split_store.moved(connection, None, "", MOST_MOVED, timeout=_TIMEOUT),
        "refilled": await split_store.refilled(connection, timeout=_TIMEOUT),
    }


READINGS: tuple[Reading, ...] = (
    Reading(("roles", "feedback", "clocks"), _beats, 1),
    Reading(("roles", "account"), _observing, 5, is_slow=True),
    Reading(("waiting mail",), _waiting, None),
    Reading(("waiting mail",), alarm_facts.waiting_mail, 3),
    Reading(("stops",), _stops, 1, is_slow=True),
    Reading(("waiting mail",), partial(alarm_facts.past_stops, of_row=_stop), 5, is_slow=True),
    Reading(("set-aside mail",), _set_aside, 10, is_slow=True),
    Reading(("account",), _accounts, 3),
    Reading(("feedback",), _seen_call, 5),
    Reading(("feedback",), _losses, 1, is_slow=True),
    Reading(("unknown outcomes",), _overdue, 30),
    Reading(("resources at SES",), _failing, 2, is_slow=True),
    Reading(("findings of SES",), alarm_facts.ses_findings, 3, is_slow=True),
    Reading(("findings of SES",), _half_moved, None),
    Reading(("backlogs",), alarm_facts.full_lanes, 2),
    Reading(("domains",), _domains, 5, is_slow=True),
    Reading(("IP pools",), alarm_facts.pool_troubles, 30),
    Reading(("rollouts",), alarm_facts.back_rollouts, 5, is_slow=True),
    Reading(("partitions", "default partitions"), _storage, 300),
    Reading(("quarantine",), _quarantine, 10, is_slow=True),
    Reading(("quarantine",), alarm_facts.doubtful, 3, is_slow=True),
    Reading(("incidents",), _incidents, None),
    Reading(("feedback",), _unproved, None),
    Reading(("snapshots",), _snapshot, 15),
)
