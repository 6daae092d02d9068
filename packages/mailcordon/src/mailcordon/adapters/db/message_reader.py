"""Reads and cancels messages.

Implements `send.view.MessageReader`. A tenant's key reads as the reader role, which sees only that tenant's rows. Everything
about one message is read in one snapshot, so a delivery is never seen twice or missed while it moves.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import asyncpg

from mailcordon.adapters.db import engine, limit_reader, queries, row_level_security
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.adapters.db.suppression_row import suppression_from_row
from mailcordon.core import ids
from mailcordon.core.bounce_reason import BounceReason, Follow
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.core.health import Outflow
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.reason import Reason
from mailcordon.messages import reasons, times
from mailcordon.send import own_tags, view
from mailcordon.send.view import (
    Behind,
    Bounced,
    DeliveryRow,
    MessageRecords,
    MessageRow,
    PastHold,
    PastStop,
    StoredEvent,
    TimelineEntry,
    event_word,
)

_SQL = queries.load("message_reader.sql")
_SHARED = queries.load("shared.sql")
_SLACK_MS = 3_600_000  #: events may arrive this long after SES's own time limit


class MessageReader:
    def __init__(self, control: engine.Pool, reader: engine.Pool) -> None:
        self._control = control
        self._reader = reader

    def _snapshot(self, tenant: int | None) -> AbstractAsyncContextManager[engine.PooledConnection]:
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=True)

    async def records(self, message: int, tenant: int | None) -> MessageRecords | None:
        """None if there is no such message, or this reader may not see it."""
        async with self._snapshot(tenant) as connection:
            row = await connection.fetchrow(_SQL.message, message)
            if row is None:
                return None
            rows = await connection.fetch(_SQL.deliveries, message, row["lane"])
            history = await connection.fetch(_SQL.history, message)
            around = await _around(connection, {row["lane"]: _accepted(row)}, as_tenant=tenant is not None)
        timelines: dict[int, list[TimelineEntry]] = {}
        for one in history:
            timelines.setdefault(one["delivery"], []).append(_timeline_entry(one))
        return around.records(row, rows, timelines)

    async def events(self, message: int, limit: int) -> Sequence[StoredEvent]:
        async with self._snapshot(None) as connection:
            rows = await connection.fetch(_SQL.events, message, view.EVENT_LIMIT, limit)
        return [
            StoredEvent(
                delivery=row["delivery"],
                kind=event_word(row["kind"]),
                attempt=row["attempt"],
                at=row["at"],
                received_at=row["received_at"],
                ses_id=row["ses_id"],
                size=row["size"],
                detail=None if row["detail"] is None else json.loads(row["detail"]),
            )
            for row in rows
        ]

    async def tenant_id(self, slug: str) -> int | None:
        async with self._snapshot(None) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def address(self, tenant: int, hash: bytes, limit: int, *, as_tenant: bool) -> view.AddressRecords:
        async with self._snapshot(tenant if as_tenant else None) as connection:
            newest = [row["id"] for row in await connection.fetch(_SQL.newest_to, tenant, hash, limit)]
            suppressions = await connection.fetch(_SQL.suppressions_of, tenant, hash)
            deliveries = await records_of(connection, newest, as_tenant=as_tenant)
        return view.AddressRecords(
            deliveries=deliveries, suppressions=[suppression_from_row(row) for row in suppressions]
        )


async def records_of(
    connection: engine.PooledConnection, deliveries: Sequence[int], *, as_tenant: bool
) -> list[tuple[int, MessageRecords]]:
    """Each delivery that this reader may see, newest first, with what is known of it and its message: without history and without
    its other recipients. In the caller's snapshot."""
    if not deliveries:
        return []
    newest = await connection.fetch(_SQL.messages_of, deliveries)
    rows: dict[int, list[asyncpg.Record]] = {}
    asked, lanes = [row["delivery"] for row in newest], [row["lane"] for row in newest]
    for row in await connection.fetch(_SQL.states, asked, lanes):
        rows.setdefault(row["id"], []).append(row)
    since: dict[int, int] = {}
    for row in newest:
        since[row["lane"]] = min(_accepted(row), since.get(row["lane"], _accepted(row)))
    if not since:
        return []
    around = await _around(connection, since, as_tenant=as_tenant)
    return [(row["delivery"], around.records(row, rows.get(row["delivery"], []), {})) for row in newest]


@dataclass(frozen=True, slots=True)
class _Around:
    """What kept the mail of some lanes from leaving, and whether mail leaves now."""

    holds: dict[int, list[PastHold]]  #: by lane
    stops: dict[int, list[PastStop]]
    without_dispatcher: list[PastStop]
    limits: dict[int, str]  #: by lane
    outflow: Outflow

    def records(
        self,
        message: asyncpg.Record,
        rows: Sequence[asyncpg.Record],
        history: Mapping[int, Sequence[TimelineEntry]],
    ) -> MessageRecords:
        class_ = Class(message["class"])
        return MessageRecords(
            message=MessageRow(
                id=message["id"],
                tenant=message["tenant"],
                tenant_slug=message["slug"],
                lane=message["lane"],
                type=message["type"],
                from_address=message["from_address"],
                recipients=message["recipients"],
                learnt=message["learnt"],
                campaign=message["campaign"],
                list=message["list"],
                observed=message["path"] == "observed",
                path=message["path"],
                other_path=message["other_path"],
                tags=own_tags.decode(message["tags"]),
                send_at=message["send_at"],
                scheduled_at=message["accepted_at"],
            ),
            rows=[_row(one) for one in rows],
            history=history,
            class_=class_,
            holds=self.holds.get(message["lane"], []),
            stops=[*self.stops.get(message["lane"], []), *self.without_dispatcher],
            over_limit=self.limits.get(message["lane"]),
            outflow=self.outflow,
            expiry_ms=message["expiry_ms"],
            silence_ms=CLASS_DEFAULTS[class_].max_delivery_seconds * 1000 + _SLACK_MS,
            now=self.outflow.now,
        )


async def _around(
    connection: engine.PooledConnection, since: Mapping[int, int], *, as_tenant: bool
) -> _Around:
    """`since`: for each lane, when its oldest message was accepted."""
    lanes, times = list(since), list(since.values())
    held: dict[int, list[PastHold]] = {}
    for row in await connection.fetch(_SQL.holds_since, lanes, times):
        held.setdefault(row["of_lane"], []).append(_past_hold(row))
    stopped: dict[int, list[PastStop]] = {}
    for row in known(await connection.fetch(_SQL.stops_since, lanes, times)):
        stopped.setdefault(row["of_lane"], []).append(_past_stop(row, as_tenant=as_tenant))
    gaps = await connection.fetch(_SQL.without_dispatcher, min(times))
    limits = await limit_reader.why_closed(connection, lanes)
    outflow = await connection.fetchrow(_SHARED.outflow)
    assert outflow is not None
    return _Around(held, stopped, [*map(_without_dispatcher, gaps)], limits, Outflow(**outflow))


class MessageCanceller:
    """Implements `send.view.Canceller`. Connects as the governor, which writes the audit row in the same transaction."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "cancel", index_plans=False)

    async def close(self) -> None:
        await self._connection.close()

    async def cancel_message(
        self, message: int, lane: int, *, tenant: int, actor: str, because: str | None
    ) -> Sequence[int]:
        detail = reasons.cancelled(actor, because)
        async with self._connection.use() as connection, connection.transaction():
            rows = await connection.fetch(_SQL.cancel_message, message, lane, detail)
            if rows:
                after = json.dumps({"deliveries": [ids.delivery_id(row["id"]) for row in rows]})
                words = f"message {ids.message_id(message)}"
                await connection.execute(
                    _SHARED.write_audit, actor, "message.cancel", tenant, words, None, after, because
                )
        return [row["id"] for row in rows]


def _accepted(message: asyncpg.Record) -> int:
    return message["accepted_at"] or ids.ms_of(message["id"])


def _past_hold(row: asyncpg.Record) -> PastHold:
    return PastHold(
        hold=hold_from_row(row),
        lifted_at=row["lifted_at"],
        lifted_by=row["lifted_by"],
        lifted_because=row["lifted_because"],
    )


def _row(row: asyncpg.Record) -> DeliveryRow:
    return DeliveryRow(
        source=row["source"],
        id=row["id"],
        state=State(row["state"]),
        attempt=row["attempt"],
        provider=row["provider"],
        ses_id=row["ses_id"],
        called_at=row["called_at"],
        at=row["at"],
        reason=row["reason"],
        detail=row["detail"],
        lane_held=row["held"],
        behind=Behind(*behind) if (behind := row.get("behind")) else None,
    )


def _past_stop(row: asyncpg.Record, *, as_tenant: bool) -> PastStop:
    stop = stop_from_row(row)
    if as_tenant:
        stop = stop.for_tenants
    return PastStop(
        sentence=stop.sentence,
        record=stop.record,
        since=row["kept_from"],
        path=row["path"],
        ended_at=row["kept_until"],
        ended_because=stop.ended_because
        if row["kept_until"] == stop.ended_at
        else reasons.another_dispatcher(),
    )


def _without_dispatcher(row: asyncpg.Record) -> PastStop:
    sentence = reasons.no_dispatcher(times.minute(row["kept_from"]))
    return PastStop(
        sentence=sentence,
        record=sentence,
        since=row["kept_from"],
        ended_at=row["kept_until"],
        ended_because=reasons.dispatcher_runs(),
        reason=Reason.NO_DISPATCHER,
    )


def _timeline_entry(row: asyncpg.Record) -> TimelineEntry:
    what: str = row["what"]
    if what.startswith("event:"):
        what = "SES: " + event_word(int(what.removeprefix("event:")))
    return TimelineEntry(at=row["at"], what=what, detail=row["detail"], bounced=_bounced(row))


def _bounced(row: asyncpg.Record) -> Bounced | None:
    """None for other events, and for bounces from before reasons were stored."""
    try:
        reason, follow = BounceReason[(row["bounce_reason"] or "").upper()], Follow(row["follows"])
    except (KeyError, ValueError):
        return None
    return Bounced(reason, follow, row["what"] == f"event:{Kind.HARD_BOUNCE.value}")
