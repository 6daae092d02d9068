"""Rows of the metrics reader as lines."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import asyncpg

from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.metrics_statements import EXPOSURES
from mailcordon.adapters.db.stop_row import stop_from_row
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.observe import metrics_view as view

_TIMES = frozenset({"minute", "hour", "day"})


def line(row: asyncpg.Record, by: str) -> view.MetricLine:
    found: Mapping[str, Any] = dict(row)

    def when(*kinds: str, name: str) -> Any:
        return found.get(name) if by in kinds else None

    class_, provider = when("lane", "type", "class", name="class"), when("provider", name="provider")
    return view.MetricLine(
        key=row["key"],
        by=by,  # pyright: ignore[reportArgumentType]
        counts={name: int(found.get(name) or 0) for name in COLUMNS},
        silent_sent=int(row["silent_sent"] or 0),
        silent_complained=int(row["silent_complained"] or 0),
        exposure=view.Exposure(**{name: float(row[f"{name}_exposure"] or 0) for name in EXPOSURES}),
        tenant=found.get("slug"),
        type=when("lane", "type", name="type_name"),
        class_=None if class_ is None else Class(class_),
        provider=None if provider is None else Provider(provider),
        campaign=when("campaign", name="campaign"),
        list=when("list", name="list"),
        domain=when("domain", name="domain"),
        pool=when("pool", name="pool"),
        at=when(*_TIMES, name="at"),
        lane=int(row["key"]) if by == "lane" else None,
        tenant_id=found.get("tenant") if by in ("lane", "tenant", "campaign", "list") else None,
        moved=bool(found.get("moved")) and by in ("domain", "pool"),
    )


def with_flows(
    lines: list[view.MetricLine], flows: Mapping[str, view.Flow], limit: int
) -> list[view.MetricLine]:
    """Lanes that accepted mail and sent none have a line too."""
    known_keys = {line.key for line in lines}
    more = [
        view.MetricLine(
            key=key,
            by="lane",
            counts=dict.fromkeys(COLUMNS, 0),
            silent_sent=0,
            silent_complained=0,
            exposure=view.Exposure(bounces=0, complaints=0, blocks=0, delays=0),
            tenant=flow.tenant,
            type=flow.type,
            class_=flow.class_,
            lane=int(key),
        )
        for key, flow in flows.items()
        if key not in known_keys
    ]
    return sorted([*lines, *more], key=lambda line: line.key)[:limit]


def flow(row: asyncpg.Record) -> view.Flow:
    values = {
        field.name: row[field.name] for field in fields(view.Flow) if field.name not in ("tenant", "class_")
    }
    return view.Flow(**values, tenant=row["slug"], class_=Class(row["class"]))


def held(row: asyncpg.Record) -> view.Keeping:
    hold = hold_from_row(row)
    return view.Keeping(
        what="hold", id=hold.id, sentence=hold.sentence, since=hold.since, until=row["lifted_at"]
    )


def stopped(row: asyncpg.Record, *, for_tenants: bool) -> view.Keeping:
    stop = stop_from_row(row)
    if for_tenants:
        stop = stop.for_tenants
    sentence = stop.sentence if stop.ended_at is None else stop.record
    return view.Keeping(what="stop", id=stop.id, sentence=sentence, since=stop.since, until=stop.ended_at)
