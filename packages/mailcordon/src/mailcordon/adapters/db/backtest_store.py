"""Reads what back-tests are made of. Implements `control.backtests.BacktestStore`, as the control role."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import breaker_store, connection_pool, lane_policy_row, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.backtests import Explain, too_much
from mailcordon.core.priority import Class
from mailcordon.guard.backtest import BackLane, Change
from mailcordon.guard.backtest_job import Record
from mailcordon.guard.backtest_limits import CappedLane
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.policy.check import Known

_SQL = queries.load("backtest_store.sql")
_BREAKER = queries.load("breaker_store.sql")
_HOUR, _DAY = 60, 1440
_HISTORY_DAYS = 30  #: before the back-test, that the breaker knows when it begins
MOST_ROWS = 400_000
MOST_MINUTES = 2_000_000  #: of lanes, that hours are spread over
_TIMEOUT = 60.0


class BacktestStore:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def known(self) -> Known:
        async with connection_pool.acquire(self._control) as conn:
            row = await conn.fetchrow(_SQL.names)
        assert row is not None
        types = {name: Class(class_) for name, class_ in zip(row["types"], row["classes"], strict=True)}
        return Known(tenants=frozenset(row["tenants"]), types=types)

    async def record(self, explain: Explain, *, tenant: int | None, minutes: int) -> Record:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            at = await conn.fetchrow(_SQL.from_when)
            assert at is not None
            now = at["now"] // 60_000
            since = (now - minutes) // _HOUR * _HOUR
            # Whole minutes, and only those all of whose changes are there.
            exact = now if at["feed"] is None else at["feed"] // 60_000 + 1
            by_minute = now if at["minutes"] is None else -(-at["minutes"] // _HOUR) * _HOUR
            exact, by_minute = (
                max(since, exact),
                min(max(since, by_minute), max(since, exact) // _HOUR * _HOUR),
            )
            ids = [row["lane"] for row in await conn.fetch(_SQL.lane_ids, tenant, since // _DAY * _DAY)]
            rows = await conn.fetch(_BREAKER.lanes, ids)
            lanes = [row["lane"] for row in rows]
            history = since - _HISTORY_DAYS * _DAY
            hours = await conn.fetch(
                _SQL.hours, lanes, history // _HOUR, by_minute // _HOUR, MOST_ROWS + 1, timeout=_TIMEOUT
            )
            _check(len(hours))
            await asyncio.to_thread(_check_minutes, hours, since)
            some = await conn.fetch(_SQL.minutes, lanes, by_minute, exact, MOST_ROWS + 1, timeout=_TIMEOUT)
            _check(len(hours) + len(some))
            changes = await conn.fetch(_SQL.changes, lanes, exact, MOST_ROWS + 1, timeout=_TIMEOUT)
            _check(len(hours) + len(some) + len(changes))
            domains = await conn.fetch(_SQL.domains, lanes, by_minute)
            days = await conn.fetch(_SQL.days, lanes, (since - 60 * _DAY) // _DAY, since // _DAY)

        def made() -> Record:
            by_lane = {row["lane"]: row for row in days}
            back: list[BackLane] = []
            capped: list[CappedLane] = []
            for row in rows:
                explained = explain(row["slug"], row["type"], Class(row["class"]))
                document = lane_policy_row.document_of(explained.policy)
                watched = breaker_store.watched({**dict(row), "document": document}, since, None)
                back.append(
                    BackLane(facts=watched.facts, slug=row["slug"], mode=explained.policy.breaker.mode)
                )
                of = by_lane[row["lane"]]
                first = of["first_minute"]
                capped.append(
                    CappedLane(
                        lane=row["lane"],
                        tenant=row["tenant"],
                        class_=Class(row["class"]),
                        explained=explained,
                        days=dict(zip(of["days"] or (), of["sent"] or (), strict=True)),
                        first_day=None if first is None or first >= since else first // _DAY,
                    )
                )
            older = [_delta(row) for row in hours]
            return Record(
                since=since,
                until=now,
                minutes_since=by_minute,
                exact_since=exact,
                lanes=back,
                capped=capped,
                history=[delta for delta in older if delta.minute < since],
                hours=[delta for delta in older if delta.minute >= since],
                minutes=[_delta(row) for row in some],
                changes=_in_order(changes),
                domains=[DomainDelta(*row) for row in domains],
            )

        return await asyncio.to_thread(made)  # hundreds of thousands of rows, and a policy for each lane


def _check(rows: int) -> None:
    if rows > MOST_ROWS:
        raise too_much(MOST_ROWS)


def _check_minutes(hours: Sequence[asyncpg.Record], since: int) -> None:
    """An hour is replayed as up to 60 minutes."""
    if sum(min(60, row["sent"]) for row in hours if row["minute"] >= since) > MOST_MINUTES:
        raise too_much(MOST_MINUTES)


def _delta(row: asyncpg.Record) -> Delta:
    columns: dict[str, Any] = {name: row[name] for name in Delta._fields}
    return Delta(**columns)


def _in_order(rows: Sequence[asyncpg.Record]) -> list[Change]:
    """Folds follow each other; a clock that was set back must not change that."""
    found: list[Change] = []
    at = 0
    for row in rows:
        at = max(at, row["at"] // 1000)
        found.append(Change(at, _delta(row)))
    return found
