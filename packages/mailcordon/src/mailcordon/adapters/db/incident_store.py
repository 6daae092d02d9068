"""Implements `observe.incidents.loop.IncidentStore`, as the control role.

All statements run on the session that holds the lock: a process that was suspended and lost it cannot write a late round.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.leading_session import IDLE_SECONDS, LeadingSession
from mailcordon.core.incident import Kind, Scope, ScopeKind
from mailcordon.observe.incidents.book import Change, Entry, Held, Incident, Kept, Stored

_SQL = queries.load("incident_store.sql")
_LOCK = 20557  #: first key of the advisory lock of the process that runs it
MOST_EVIDENCE = 16_384  #: characters of an incident's evidence


class IncidentStore:
    def __init__(self, dsn: str, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._session = LeadingSession(dsn, "incidents", _LOCK, idle_seconds=idle_seconds)

    async def close(self) -> None:
        await self._session.close()

    async def leads(self, *, stand_by: bool) -> bool:
        return await self._session.leads(stand_by=stand_by)

    async def read(self, reopen_ms: int, kept: Sequence[int]) -> Stored:
        async with self._session.use() as connection:
            now = await connection.fetchval(_SQL.now)
            rows = await connection.fetch(_SQL.read, reopen_ms, list(kept))
        return Stored(now=now, incidents=[_incident(row) for row in rows])

    async def with_alarms(self) -> list[int]:
        async with self._session.use() as connection:
            return [row["incident"] for row in await connection.fetch(_SQL.with_alarms)]

    async def held(self, incidents: Sequence[Incident]) -> Mapping[int, Kept]:
        ids = [one.id for one in incidents if one.id is not None]
        held: dict[int, dict[str, Held]] = defaultdict(dict)
        listed: dict[int, set[str]] = defaultdict(set)
        actions: dict[int, set[str]] = defaultdict(set)
        async with self._session.use() as connection:
            for row in await connection.fetch(_SQL.listed, ids):
                listed[row["incident"]].add(row["key"])
                if row["has_ended"]:
                    continue
                held[row["incident"]][row["key"]] = Held(
                    key=row["key"],
                    source=row["source"],
                    cause=row["cause"],
                    severity=row["severity"],
                    contained=row["contained"],
                )
            for row in await connection.fetch(_SQL.actions, ids):
                actions[row["incident"]].add(row["key"])
        return {
            one.id: Kept(
                incident=one,
                held=held.get(one.id, {}),
                listed=frozenset(listed.get(one.id, ())),
                actions=frozenset(actions.get(one.id, ())),
            )
            for one in incidents
            if one.id is not None
        }

    async def write(self, changes: Sequence[Change]) -> list[int] | None:
        written: list[int] = []
        known = {one.after.incident.id: one for one in changes if one.after.incident.id is not None}
        async with self._session.use() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                rows = await connection.fetch(_SQL.lock_rows, sorted(known))
                if len(rows) < len(known) or any(row["is_open"] != known[row["id"]].was_open for row in rows):
                    await transaction.rollback()
                    return None
                for change in changes:
                    written.append(await _write(connection, change))
                await transaction.commit()
            except TimeoutError:
                connection.terminate()  # the rollback would wait for the same server once more
                raise
            except BaseException:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await transaction.rollback()
                raise
        return written


async def _write(connection: engine.Connection, change: Change) -> int:
    one = change.after.incident
    texts = (
        one.scope.name,
        one.tenant,
        one.lane,
        one.culprit,
        one.sentence,
        one.next,
        one.command,
        one.since,
    )
    if (id := one.id) is None:
        id = await connection.fetchval(
            _SQL.open,
            one.kind,
            one.cause,
            one.severity,
            one.scope.kind,
            *texts,
            one.opened_at,
            one.identified_at,
            one.mitigated_at,
            one.mitigated_by,
            one.seen_at,
            one.cause_seen_at,
            one.alarms,
            one.entries,
            sorted(one.concerned),
            _evidence(one),
        )
    else:
        await connection.execute(
            _SQL.change,
            id,
            one.kind,
            one.severity,
            one.scope.kind,
            *texts,
            one.identified_at,
            one.mitigated_at,
            one.mitigated_by,
            one.seen_at,
            one.cause_seen_at,
            one.alarms,
            one.entries,
            sorted(one.concerned),
            _evidence(one),
            one.closed_at,
            one.closed_by,
            one.closed_because,
            change.reopened,
            change.part_of,
        )
    if change.ended:
        await connection.execute(_SQL.end_alarms, id, list(change.ended), one.closed_at or change.at)
    if change.added:
        held, alarms = zip(*change.added, strict=True)
        await connection.execute(
            _SQL.add_alarms,
            id,
            [each.key for each in held],
            [each.source for each in held],
            [each.kind for each in alarms],
            [each.cause for each in held],
            [each.severity for each in held],
            [each.contained for each in held],
            [each.tenant for each in alarms],
            [each.sentence for each in alarms],
            [each.since for each in alarms],
            change.at,
        )
    if change.changed:
        await connection.execute(
            _SQL.change_alarms,
            id,
            [each.key for each in change.changed],
            [each.source for each in change.changed],
            [each.cause for each in change.changed],
            [each.severity for each in change.changed],
            [each.contained for each in change.changed],
        )
    if change.words:
        await connection.execute(_SQL.reword_alarms, id, [*change.words], [*change.words.values()])
    await _enter(connection, id, change.entries)
    return id


async def _enter(connection: engine.Connection, incident: int, entries: Sequence[Entry]) -> None:
    if entries:
        await connection.execute(
            _SQL.enter,
            incident,
            [each.at for each in entries],
            [each.what for each in entries],
            [each.author for each in entries],
            [each.text for each in entries],
            [each.key for each in entries],
        )


def _evidence(one: Incident) -> str | None:
    """None: as it is stored."""
    if not one.evidence:
        return None
    text = json.dumps(one.evidence, default=str)
    return text if len(text) <= MOST_EVIDENCE else json.dumps({"omitted": f"{len(text)} characters"})


def _incident(row: asyncpg.Record) -> Incident:
    fields = dict(row)
    scope = Scope(kind=ScopeKind(fields.pop("scope")), name=fields.pop("name"))
    concerned = frozenset(fields.pop("concerned"))
    return Incident(kind=Kind(fields.pop("kind")), scope=scope, concerned=concerned, **fields)
