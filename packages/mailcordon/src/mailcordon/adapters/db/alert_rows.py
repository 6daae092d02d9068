"""Rows of alerts as nouns: channels, incidents, and what a channel was told."""

import dataclasses

import asyncpg

from mailcordon.core.incident import Kind, ScopeKind
from mailcordon.core.text import harmless
from mailcordon.observe.alerts.nouns import AlertView, Channel, Incident, Thread, What


def channel_of(row: asyncpg.Record, secret: dict[str, str] | None = None) -> Channel:
    return Channel(
        id=row["id"],
        name=row["name"],
        form=row["form"],
        target=row["target"],
        least=row["least"],
        kinds=frozenset(Kind(one) for one in row["kinds"]),
        tenants=frozenset(row["tenants"]),
        secret=secret or {},
        lane=row["lane"],
        lane_name=None if row["lane"] is None else f"{row['slug']}/{row['type']}",
        sender=row["sender"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        failing_since=row["failing_since"],
        problem=row["problem"],
        sealed=row["secret"] or b"",
    )


def view_of(row: asyncpg.Record) -> AlertView:
    return AlertView(
        id=row["id"],
        incident=row["incident"],
        channel=row["channel_name"],
        form=row["form"],
        kind=row["kind"],
        severity=row["severity"],
        tenant=row["slug"],
        sentence=row["sentence"],
        told_at=row["told_at"],
        sent=row["sent"],
        remind_at=row["remind_at"],
        what=row["what"],
        due_at=row["due_at"],
        tries=row["tries"],
        problem=row["problem"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        closed_at=row["closed_at"],
    )


def thread_of(row: asyncpg.Record) -> Thread:
    return Thread(
        told_severity=row["told_severity"],
        told_culprit=row["told_culprit"],
        told_acknowledged=row["told_acknowledged"],
        told_closed=row["told_closed"],
        reminders=row["reminders"],
        remind_at=row["remind_at"],
        what=None if row["what"] is None else What(row["what"]),
        tries=row["tries"],
    )


def as_shown(incident: Incident) -> Incident:
    """As it may be shown: some of its words come from SES, the DNS or a caller, and a line break would make lines or commands of
    their own."""
    return dataclasses.replace(
        incident,
        name=harmless(incident.name),
        culprit=None if incident.culprit is None else harmless(incident.culprit),
        sentence=harmless(incident.sentence),
        next=harmless(incident.next),
        command=None if incident.command is None else harmless(incident.command),
        closed_because=None if incident.closed_because is None else harmless(incident.closed_because),
    )


def known_of(row: asyncpg.Record) -> Incident | None:
    """None for a kind or scope of a newer version: it must not keep the others from being told."""
    try:
        return incident_of(row)
    except ValueError:
        return None


def incident_of(row: asyncpg.Record) -> Incident:
    return Incident(
        id=row["id"],
        kind=Kind(row["kind"]),
        cause=row["cause"],
        severity=row["severity"],
        scope=ScopeKind(row["scope"]),
        name=row["name"],
        tenant=row["tenant"],
        tenant_slug=row["slug"],
        lane=row["lane"],
        culprit=row["culprit"],
        sentence=row["sentence"],
        next=row["next"],
        command=row["command"],
        since=row["since"],
        opened_at=row["opened_at"],
        mitigated_at=row["mitigated_at"],
        mitigated_by=row["mitigated_by"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        closed_because=row["closed_because"],
        concerned=frozenset(row["concerned"]),
    )
