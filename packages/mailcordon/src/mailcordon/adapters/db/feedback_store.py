"""Implements `observe.feedback_loop.WatchStore`, as the control role."""

import dataclasses
import json
from collections.abc import Iterator, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.core import health
from mailcordon.core.feedback import Cause, Signal
from mailcordon.messages import feedback as messages
from mailcordon.messages import proofs
from mailcordon.observe.feedback_loop import Counted, OfDay, Round
from mailcordon.observe.feedback_watch import (
    LATE,
    Change,
    Difference,
    Evidence,
    Fault,
    Loss,
    NewLoss,
    ObserverBeat,
    Observers,
)

_SQL = queries.load("feedback_store.sql")
_MINUTE = 60_000
_SIGNALS: dict[str, Signal] = {"SEND": "send", "BOUNCE": "bounce", "COMPLAINT": "complaint"}


class FeedbackStore:
    """`topic`: the ARN that destinations should publish to."""

    def __init__(self, control: Pool, *, topic: str) -> None:
        self._control = control
        self._topic = topic

    async def read(self, fold: int | None, *, window: int, queue: str) -> Round:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            at = await conn.fetchrow(_SQL.fold, fold)
            assert at is not None
            oldest = at["now"] // _MINUTE - window
            if at["continues"] and at["fold"] == fold:
                rows = []
            elif at["continues"]:
                rows = await conn.fetch(_SQL.changed, fold, at["fold"], oldest)
            else:
                rows = await conn.fetch(_SQL.window, oldest)
            beats = await conn.fetch(_SQL.observers, queue)
            login = await conn.fetchrow(_SQL.observer_login)
            differences = await conn.fetch(_SQL.differences, window)
            seen = await conn.fetch(_SQL.seen_calls, oldest * _MINUTE)
            losses = await conn.fetch(_SQL.losses)
        assert login is not None
        return Round(
            now=at["now"],
            folded_at=at["folded_at"],
            fold=at["fold"],
            is_whole=not at["continues"],
            counted=[Counted(**dict(row)) for row in rows],
            observers=Observers(
                beats=[_beat(row, at["now"], queue) for row in beats],
                sessions=login["sessions"],
                may_connect=login["may_connect"],
            ),
            differences=[one for row in differences for one in _differences(row, self._topic)],
            seen_calls={row["configuration_set"]: row["called_at"] for row in seen},
            losses=[_loss(row) for row in losses],
        )

    async def days(self, since: int) -> list[OfDay]:
        async with connection_pool.acquire(self._control) as conn:
            return [OfDay(**dict(row)) for row in await conn.fetch(_SQL.days, since)]

    async def record(
        self, now: int, new: Sequence[NewLoss], changes: Sequence[Change]
    ) -> list[tuple[int, NewLoss]]:
        raised: list[tuple[int, NewLoss]] = []
        async with connection_pool.transaction(self._control) as conn:
            for one in changes:
                fault, evidence = one.fault, one.evidence
                await conn.execute(
                    _SQL.change_loss,
                    one.id,
                    None if fault is None else fault.cause.value,
                    None if fault is None else fault.says,
                    None if fault is None else fault.cause in LATE,
                    None if evidence is None else _json(evidence),
                    one.until,
                    now,
                    None if evidence is None else evidence.missing,
                )
            for loss in new:
                id = await conn.fetchval(
                    _SQL.raise_loss,
                    loss.signal,
                    loss.configuration_set,
                    loss.provider,
                    loss.since,
                    loss.until,
                    now,
                    loss.fault.cause.value,
                    loss.fault.says,
                    loss.late,
                    _json(loss.evidence),
                    loss.evidence.missing,
                )
                if id is not None:
                    raised.append((id, loss))
        return raised

    async def recount(self, now: int, ids: Sequence[int]) -> None:
        async with connection_pool.acquire(self._control) as conn:
            await conn.execute(_SQL.recount, list(ids), now)


def _json(evidence: Evidence) -> str:
    return json.dumps(
        {name: value for name, value in dataclasses.asdict(evidence).items() if value is not None}
    )


def _beat(row: asyncpg.Record, now: int, queue: str) -> ObserverBeat:
    return ObserverBeat(
        host=row["host"],
        pid=row["pid"],
        beat=row["beat"],
        silent=health.silent(row["beat"], now),
        queue=queue,
        receives=row["live"],
        problem=row["problem"],
        last_event=row["last_event"],
    )


def _loss(row: asyncpg.Record) -> Loss:
    return Loss(
        id=row["id"],
        signal=row["signal"],
        configuration_set=row["configuration_set"],
        provider=row["provider"],
        since=row["since"],
        until=row["until"],
        cause=Cause(row["cause"]),
        last=row["last"],
    )


def _differences(row: asyncpg.Record, topic: str) -> Iterator[Difference]:
    name: str = row["configuration_set"]
    detail = json.loads(row["detail"])
    signals: frozenset[Signal] = frozenset(_SIGNALS.values())
    match row["kind"]:
        case "missing-resource":
            fault = Fault(Cause.SET_MISSING, proofs.no_set(name))
        case "missing-destination":
            fault = Fault(Cause.DESTINATION_MISSING, proofs.no_destination(name))
        case "destination-disabled":
            fault = Fault(Cause.DESTINATION_DISABLED, proofs.destination_disabled(name))
        case "destination-redirected":
            fault = Fault(
                Cause.DESTINATION_ELSEWHERE, proofs.destination_elsewhere(name, detail.get("topic"), topic)
            )
        case _:
            lacks = list(detail.get("fewer") or ())
            signals = frozenset(_SIGNALS[one] for one in lacks if one in _SIGNALS)
            if not signals:
                return
            fault = Fault(Cause.DESTINATION_EVENTS, proofs.destination_lacks(name, lacks))
    if row["ended"] is not None:
        fault = Fault(fault.cause, messages.repaired(fault.says))
    yield Difference(
        configuration_set=name, fault=fault, signals=signals, since=row["since"], ended=row["ended"]
    )
