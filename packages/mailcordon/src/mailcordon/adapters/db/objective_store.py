"""Reads what objectives of lanes are judged by. Implements `observe.objectives.ObjectiveReads` and `ObjectiveStore`."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider, parse_provider
from mailcordon.guard.objectives import DAY, TIME_CLASSES, WINDOWS, Cell, Goal
from mailcordon.guard.policy.effective import ObjectivePolicy
from mailcordon.observe.breaker.alarms import cause_of
from mailcordon.observe.breaker.records import slices_of
from mailcordon.observe.objectives import Counted, LaneFacts, ObjectiveScope, Open

_SQL = queries.load("objective_store.sql")
_METRICS = queries.load("metrics_reader.sql")
_SHARED = queries.load("shared.sql")
_HOUR = 60
_HOURS = 3 * 24  #: as far back as windows of hours go
_LONGEST_DAYS = 90
_AT_ONCE = 20  #: lanes


@dataclass(slots=True)
class _Cells:
    fine: list[Cell] = field(default_factory=list[Cell])
    hours: list[Cell] = field(default_factory=list[Cell])
    days: list[Cell] = field(default_factory=list[Cell])

    def of(self, span: int) -> list[Cell]:
        return self.fine if span < _HOUR else self.hours if span < DAY else self.days

    def counted(self) -> Counted:
        return Counted(fine=self.fine, hours=self.hours, days=self.days)


Key = tuple[int, str | None]  #: a lane, and the word of a mailbox provider


class ObjectiveReader:
    """For people: a tenant's key reads as the reader role, which sees only that tenant's rows."""

    def __init__(self, control: Pool, reader: Pool) -> None:
        self._control = control
        self._reader = reader

    async def now(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SQL.now)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    async def lane_id(self, tenant: int, type: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            found = await conn.fetch(_METRICS.lanes_of, tenant, type, None)
        return found[0]["id"] if found else None

    async def page(
        self, scope: ObjectiveScope, *, type: str | None, after: int, limit: int
    ) -> Sequence[LaneFacts]:
        tenant = scope.tenant if scope.as_tenant else None
        async with row_level_security.read_transaction(
            self._control, self._reader, tenant, snapshot=True
        ) as conn:
            rows = await conn.fetch(_SQL.lanes, None, scope.tenant, type, after, limit)
            return await _in_parts(conn, rows, await conn.fetchval(_SQL.now), {})


class ObjectiveStore:
    """For the loop of alarms, as the control role."""

    def __init__(self, control: Pool) -> None:
        self._control = control

    async def now(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.now)

    async def fold(self, most: int, *, forget: bool) -> None:
        async with connection_pool.acquire(self._control) as conn:
            await conn.execute(_SQL.fold_times, most)
            if forget:
                await conn.execute(_SQL.forget_times)
                await conn.execute(_SQL.forget_path_times)

    async def candidates(self, since: int, least: int, most: int) -> Sequence[int]:
        async with connection_pool.acquire(self._control) as conn:
            return [row["lane"] for row in await conn.fetch(_SQL.candidates, since, least, most)]

    async def lanes(self, ids: Sequence[int]) -> Sequence[LaneFacts]:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.lanes, list(ids), None, None, 0, len(ids))
            causes: dict[int, list[str]] = {}
            for row in await conn.fetch(_SQL.causes, list(ids)):
                causes.setdefault(row["lane"], []).append(cause_of(row["lane"], slices_of(row["part"])))
            return await _in_parts(conn, rows, await conn.fetchval(_SQL.now), causes)

    async def open(self) -> Sequence[Open]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.open_alarms)
        return [Open(row["lane"], Goal(row["goal"]), row["provider"] or None, row["since"]) for row in rows]

    async def record(self, raised: Sequence[Open], ended: Sequence[Open]) -> None:
        async with connection_pool.transaction(self._control) as conn:
            for one in ended:
                await conn.execute(_SQL.end_alarm, one.lane, str(one.goal), one.provider or "")
            for one in raised:
                await conn.execute(_SQL.raise_alarm, one.lane, str(one.goal), one.provider or "", one.since)


async def _in_parts(
    conn: PooledConnection, rows: Sequence[asyncpg.Record], now: int, causes: Mapping[int, Sequence[str]]
) -> list[LaneFacts]:
    """A few lanes at a time, each of which has hundreds of counts: others use the event loop in between."""
    found: list[LaneFacts] = []
    for first in range(0, len(rows), _AT_ONCE):
        found += await _facts(conn, rows[first : first + _AT_ONCE], now, causes)
    return found


async def _facts(
    conn: PooledConnection, rows: Sequence[asyncpg.Record], now: int, causes: Mapping[int, Sequence[str]]
) -> list[LaneFacts]:
    """`now`: minutes since 1970."""
    policies = {row["id"]: policy_of(row["document"], Class(row["class"])).objectives for row in rows}
    days = min(_LONGEST_DAYS, max((policy.days for policy in policies.values()), default=1))
    cells: dict[Key, _Cells] = {(lane, None): _Cells() for lane in policies}
    wanted = [(lane, provider) for lane, policy in policies.items() for provider in policy.providers]
    cells |= {key: _Cells() for key in wanted}
    lanes = list(policies)
    if lanes:
        for row in await conn.fetch(_SQL.whole, lanes, now, days):
            cells[row["lane"], None].of(row["span"]).append(_cell(row, row["minute"], row["span"]))
        await _read_times(conn, cells, policies, now, days)
        await _read_ended(conn, cells, {lane: policy.days for lane, policy in policies.items()}, now)
        await _read_overdue(conn, cells, policies, now)
    if wanted:
        await _read_providers(conn, cells, wanted, now, days)
    return [
        LaneFacts(
            lane=row["id"],
            tenant=row["tenant"],
            slug=row["slug"],
            type=row["type"],
            class_=Class(row["class"]),
            policy=policies[row["id"]],
            held=row["held"],
            counted={
                provider: found.counted() for (lane, provider), found in cells.items() if lane == row["id"]
            },
            causes=causes.get(row["id"], ()),
        )
        for row in rows
    ]


async def _read_times(
    conn: PooledConnection,
    cells: Mapping[Key, _Cells],
    policies: Mapping[int, ObjectivePolicy],
    now: int,
    days: int,
) -> None:
    lanes = [lane for lane, policy in policies.items() if policy.delivered_seconds is not None]
    if not lanes:
        return
    for row in await conn.fetch(_SQL.times, lanes, now, days):
        times = tuple(row["counts"][:TIME_CLASSES])
        cell = Cell(start=row["minute"], span=row["span"], times=times)
        for provider in (None, Provider(row["provider"]).word):
            if (found := cells.get((row["lane"], provider))) is not None:
                found.of(row["span"]).append(cell)


async def _read_ended(
    conn: PooledConnection, cells: Mapping[Key, _Cells], days: Mapping[int, int], now: int
) -> None:
    """What ended unsent between the beginnings of windows and of budgets. Totals are stored once a minute."""
    ago = sorted({0, *WINDOWS, *(of * DAY for of in days.values())}, reverse=True)
    minutes = [now + 1 if minutes == 0 else now - minutes for minutes in ago]
    totals: dict[int, dict[int, int]] = {}
    for row in await conn.fetch(_SQL.ended, list(days), minutes):
        totals.setdefault(row["lane"], {})[row["minute"]] = row["ended"]
    for lane, known in totals.items():
        for start, end in itertools.pairwise(minutes):
            ended = known.get(end, 0) - known.get(start, 0)
            if ended > 0:
                cell = Cell(start=start, span=end - start, not_sent=ended)
                for kept in (cells[lane, None].fine, cells[lane, None].hours, cells[lane, None].days):
                    kept.append(cell)


async def _read_overdue(
    conn: PooledConnection, cells: Mapping[Key, _Cells], policies: Mapping[int, ObjectivePolicy], now: int
) -> None:
    asked = {
        lane: round(1000 * policy.delivered_seconds)
        for lane, policy in policies.items()
        if policy.delivered_seconds is not None
    }
    if not asked:
        return
    for row in await conn.fetch(_SQL.overdue, list(asked), list(asked.values())):
        if row["overdue"]:
            cell = Cell(start=now, span=1, overdue=row["overdue"])
            found = cells[row["lane"], None]
            for kept in (found.fine, found.hours, found.days):
                kept.append(cell)


async def _read_providers(
    conn: PooledConnection,
    cells: Mapping[Key, _Cells],
    wanted: Sequence[tuple[int, str]],
    now: int,
    days: int,
) -> None:
    lanes = [lane for lane, _ in wanted]
    providers = [int(parse_provider(word)) for _, word in wanted]
    for row in await conn.fetch(_SQL.provider_days, lanes, providers, now // DAY - days, now // DAY):
        cells[row["lane"], Provider(row["provider"]).word].days.append(
            _cell_at_provider(row, row["day"] * DAY, DAY)
        )
    slices = await conn.fetch(_SQL.provider_slices, lanes, providers, now - _HOURS * _HOUR)
    of_slice: dict[tuple[int, int], int] = {(row["slice"], row["provider"]): row["lane"] for row in slices}
    keys = [[row["slice"] for row in slices], [row["provider"] for row in slices]]
    for row in await conn.fetch(_SQL.provider_hours, *keys, now // _HOUR - _HOURS, now // _HOUR):
        lane = of_slice[row["slice"], row["provider"]]
        cells[lane, Provider(row["provider"]).word].hours.append(
            _cell_at_provider(row, row["hour"] * _HOUR, _HOUR)
        )
    for row in await conn.fetch(_SQL.provider_minutes, *keys, now - _HOUR, now):
        lane = of_slice[row["slice"], row["provider"]]
        cells[lane, Provider(row["provider"]).word].fine.append(_cell_at_provider(row, row["minute"], 1))


def _cell(row: asyncpg.Record, start: int, span: int) -> Cell:
    return Cell(
        start=start,
        span=span,
        sent=row["sent"],
        heard=row["heard"],
        delivered=row["delivered"],
        hard_bounced=row["hard_bounced"],
        bounced=row["bounced"],
        gone=row["gone"],
        complained=row["complained"],
        rejected=row["rejected"],
    )


def _cell_at_provider(row: Any, start: int, span: int) -> Cell:
    silent: bool = row["silent"]
    return Cell(
        start=start,
        span=span,
        sent=row["sent"],
        heard=0 if silent else row["sent"],
        delivered=row["delivered"],
        hard_bounced=row["hard_bounced"],
        bounced=row["bounced"],
        gone=row["gone"],
        complained=0 if silent else row["complained"],
        rejected=row["rejected"],
    )
