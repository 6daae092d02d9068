"""Reads and cancels messages.

Implements `send.view.MessageReader`. A tenant's key reads as the reader role, which sees only that tenant's rows. Everything
about one message is read in one snapshot, so a delivery is never seen twice or missed while it moves.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import asyncpg

from mailcordon.adapters.db import engine, queries, row_level_security
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.adapters.db.suppression_row import suppression_from_row
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.health import Outflow
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.reason import Reason
from mailcordon.core.suppression import Suppression
from mailcordon.messages import reasons, times
from mailcordon.send.view import (
    DeliveryRow,
    MessageRecords,
    MessageRow,
    PastHold,
    PastStop,
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
            holds = await connection.fetch(_SQL.holds_since, row["lane"], ids.ms_of(message))
            stops = await connection.fetch(_SQL.stops_since, row["lane"], ids.ms_of(message))
            gaps = await connection.fetch(_SQL.without_dispatcher, ids.ms_of(message))
            outflow = await connection.fetchrow(_SHARED.outflow)
        assert outflow is not None
        timelines: dict[int, list[TimelineEntry]] = {}
        for one in history:
            timelines.setdefault(one["delivery"], []).append(_timeline_entry(one))
        defaults = CLASS_DEFAULTS[Class(row["class"])]
        return MessageRecords(
            message=MessageRow(
                id=row["id"],
                tenant=row["tenant"],
                tenant_slug=row["slug"],
                lane=row["lane"],
                type=row["type"],
                from_address=row["from_address"],
                recipients=row["recipients"],
                campaign=row["campaign"],
                list=row["list"],
            ),
            rows=[_row(one) for one in rows],
            history=timelines,
            class_=Class(row["class"]),
            holds=[_past_hold(one) for one in holds],
            stops=[
                *(_past_stop(one, as_tenant=tenant is not None) for one in known(stops)),
                *map(_without_dispatcher, gaps),
            ],
            outflow=Outflow(**outflow),
            expiry_ms=row["expiry_ms"],
            silence_ms=defaults.max_delivery_seconds * 1000 + _SLACK_MS,
            now=outflow["now"],
        )

    async def tenant_id(self, slug: str) -> int | None:
        async with self._snapshot(None) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def deliveries_to(self, tenant: int, hash: bytes, limit: int, *, as_tenant: bool) -> Sequence[int]:
        """Ids of the newest deliveries of this tenant to an address."""
        async with self._snapshot(tenant if as_tenant else None) as connection:
            return [row["id"] for row in await connection.fetch(_SQL.deliveries_to, tenant, hash, limit)]

    async def suppressions_of(self, tenant: int, hash: bytes, *, as_tenant: bool) -> Sequence[Suppression]:
        async with self._snapshot(tenant if as_tenant else None) as connection:
            return [
                suppression_from_row(row)
                for row in await connection.fetch(_SQL.suppressions_of, tenant, hash)
            ]


class MessageCanceller:
    """Implements `send.view.Canceller`. Connects as the send role."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "cancel", index_plans=False)

    async def close(self) -> None:
        await self._connection.close()

    async def cancel_message(self, message: int, lane: int, detail: str) -> Sequence[int]:
        async with self._connection.use() as connection:
            return [row["id"] for row in await connection.fetch(_SQL.cancel_message, message, lane, detail)]


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
    )


def _past_stop(row: asyncpg.Record, *, as_tenant: bool) -> PastStop:
    stop = stop_from_row(row)
    if as_tenant:
        stop = stop.for_tenants
    return PastStop(
        sentence=stop.sentence,
        record=stop.record,
        since=row["kept_from"],
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
    return TimelineEntry(at=row["at"], what=what, detail=row["detail"])
