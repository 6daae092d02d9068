"""Implements `observe.incidents.view.IncidentReads` and `IncidentChanges`: as the control role; to a tenant's key as the reader
role, which sees only what concerns the tenant."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.core.incident import Kind
from mailcordon.messages import incidents as messages
from mailcordon.messages import times as times_of
from mailcordon.observe.incidents import view
from mailcordon.observe.incidents.view import (
    AlarmView,
    Detail,
    EntryView,
    IncidentView,
    OwnAlarm,
    OwnView,
    Report,
    Times,
)

_SQL = queries.load("incident_reader.sql")
_SHARED = queries.load("shared.sql")


class IncidentReader(ViewerReads):
    async def page(
        self,
        *,
        is_open: bool | None,
        kind: str | None,
        tenant: int | None,
        severity: str | None,
        before: int | None,
        limit: int,
    ) -> list[IncidentView]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.incidents, None, is_open, kind, tenant, severity, before, limit)
        return [_view(row) for row in rows]

    async def detail(self, id: int) -> Detail:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            row = await conn.fetchrow(_SQL.incidents, id, None, None, None, None, None, 1)
            if row is None:
                raise NotFound(messages.no_incident(id), code="no-such-incident")
            alarms = await conn.fetch(_SQL.alarms, id)
            entries = await conn.fetch(_SQL.entries, id, view.LONGEST_TIMELINE)
            changes = await conn.fetch(_SQL.changes, id, view.MOST_CHANGES, view.CHANGES)
        return Detail(
            incident=_view(row),
            alarms=[AlarmView(**_with_kind(one)) for one in alarms],
            timeline=view.timeline(
                [EntryView(**dict(one)) for one in entries], [view.Change(**dict(one)) for one in changes]
            ),
        )

    async def own_page(
        self,
        tenant: int,
        *,
        is_open: bool | None,
        kind: str | None,
        severity: str | None,
        before: int | None,
        limit: int,
    ) -> list[OwnView]:
        async with row_level_security.read_transaction(
            self._control, self._reader, tenant, snapshot=False
        ) as conn:
            rows = await conn.fetch(_SQL.own_incidents, None, is_open, kind, severity, before, limit)
        return await self._own(tenant, [OwnView(**_with_kind(row)) for row in rows])

    async def report(self, tenant: int, slug: str, id: int, *, as_tenant: bool) -> Report:
        async with row_level_security.read_transaction(
            self._control, self._reader, tenant if as_tenant else None, snapshot=True
        ) as conn:
            if not as_tenant:
                await conn.execute(_SQL.set_tenant, tenant)
            row = await conn.fetchrow(_SQL.own_incidents, id, None, None, None, None, 1)
            is_there = not as_tenant and await conn.fetchval(_SQL.is_there, id)
            if row is None and is_there:
                raise NotFound(messages.does_not_concern(id, slug), code="not-concerned")
            if row is None:
                raise NotFound(messages.no_incident(id), code="no-such-incident")
            alarms = await conn.fetch(_SQL.own_alarms, id)
            actions = await conn.fetch(_SQL.own_actions, id)
        (incident,) = await self._own(tenant, [OwnView(**_with_kind(row))])
        foreign = await self._foreign(
            tenant, [*(one["sentence"] or "" for one in alarms), *(one["text"] for one in actions)]
        )
        own: list[OwnAlarm] = []
        for one in alarms:
            fields = _with_kind(one)
            if fields["sentence"] is None or view.names_any(fields["sentence"], foreign):
                fields["sentence"] = messages.own_sentence(kind=fields["kind"])
            own.append(OwnAlarm(**fields))
        return Report(
            tenant=slug,
            incident=incident,
            alarms=own,
            actions=[(one["at"], one["text"]) for one in actions if not view.names_any(one["text"], foreign)],
            holds=(),
        )

    async def without_others(self, tenant: int, texts: Sequence[str]) -> list[str]:
        foreign = await self._foreign(tenant, texts)
        return [text for text in texts if not view.names_any(text, foreign)]

    async def times(self, since: int, *, by_kind: bool, by_month: bool) -> list[Times]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.times, since, by_kind, by_month)
        return [
            Times(kind=None if row["kind"] is None else Kind(row["kind"]), **_without(row, "kind"))
            for row in rows
        ]

    async def _own(self, tenant: int, found: Sequence[OwnView]) -> list[OwnView]:
        """Leaves out sentences that name another tenant."""
        foreign = await self._foreign(
            tenant, [text for one in found for text in (one.sentence, one.culprit) if text]
        )
        return [
            dataclasses.replace(
                one,
                sentence=None if view.names_any(one.sentence, foreign) else one.sentence,
                culprit=None if view.names_any(one.culprit, foreign) else one.culprit,
            )
            for one in found
        ]

    async def _foreign(self, tenant: int, texts: Sequence[str]) -> frozenset[str]:
        if not texts:
            return frozenset()
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.foreign_names, tenant, view.words_of(texts))
        return frozenset(row["word"] for row in rows)


class IncidentEditor:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def note(self, id: int, text: str, *, actor: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await _locked(conn, id)
            if row["notes"] >= view.MOST_NOTES:
                raise Conflict(messages.too_many_notes(view.MOST_NOTES), code="too-many-notes")
            await conn.execute(_SQL.enter, id, "note", actor, text)
            await _audit(conn, "incident.note", row, id, text, actor=actor)

    async def acknowledge(self, id: int, *, actor: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await _locked(conn, id, is_open=True)
            if row["acknowledged_at"] is not None:
                return
            await conn.execute(_SQL.acknowledge, id, actor)
            await conn.execute(_SQL.enter, id, "acknowledged", actor, messages.entry_acknowledged())
            await _audit(conn, "incident.acknowledge", row, id, None, actor=actor)

    async def close(self, id: int, because: str, *, actor: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await _locked(conn, id, is_open=True)
            await conn.execute(_SQL.close, id, actor, because)
            await conn.execute(_SQL.enter, id, "closed", actor, because)
            await _audit(conn, "incident.close", row, id, because, actor=actor)

    async def reported(self, id: int, at: int | None, *, actor: str) -> None:
        async with connection_pool.transaction(self._control) as conn:
            row = await _locked(conn, id)
            if at is not None and at > await conn.fetchval(_SHARED.now):
                raise Invalid(Fault("at", messages.reported_in_future()))
            await conn.execute(_SQL.report, id, at)
            text = messages.entry_reported(None if at is None else times_of.minute(at))
            await conn.execute(_SQL.enter, id, "reported", actor, text)
            await _audit(conn, "incident.reported", row, id, text, actor=actor)


async def _locked(conn: PooledConnection, id: int, *, is_open: bool = False) -> asyncpg.Record:
    row = await conn.fetchrow(_SQL.change, id)
    if row is None:
        raise NotFound(messages.no_incident(id), code="no-such-incident")
    if is_open and row["closed_at"] is not None:
        raise Conflict(messages.already_closed(id), code="already-closed")
    return row


async def _audit(
    conn: PooledConnection, action: str, row: asyncpg.Record, id: int, because: str | None, *, actor: str
) -> None:
    await conn.execute(
        _SHARED.write_audit,
        actor,
        action,
        row["tenant"],
        f"incident {id}: {row['cause']}",
        None,
        None,
        because,
    )


def _view(row: asyncpg.Record) -> IncidentView:
    fields = _with_kind(row)
    fields["evidence"] = json.loads(fields["evidence"])
    return IncidentView(**fields)


def _with_kind(row: asyncpg.Record) -> dict[str, Any]:
    return {**dict(row), "kind": Kind(row["kind"])}


def _without(row: asyncpg.Record, name: str) -> dict[str, Any]:
    fields = dict(row)
    del fields[name]
    return fields
