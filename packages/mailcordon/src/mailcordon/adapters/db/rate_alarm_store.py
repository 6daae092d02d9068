"""Implements `observe.rate_watch.RateStore`, as the control role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import parse_provider
from mailcordon.guard.delays import Signal
from mailcordon.observe.rate_alarms import LEAST_EVENTS, MINUTE_MS, WINDOW, Cell, LaneMail, Part
from mailcordon.observe.rate_watch import Changes, LaneFacts, Open

_SQL = queries.load("rate_alarm_store.sql")
_HOUR = 60
MOST_SLICES = 200  #: campaigns and lists of a lane that are told apart
_ONSET_MINUTES = 120
_ONSET_SLICES = 50


@dataclass(frozen=True, slots=True)
class _Slice:
    id: int
    campaign: str | None
    list: str | None
    first: int
    last: int


class RateAlarmStore:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def changes(self, fold: int | None) -> Changes:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.changes, fold)
        at = rows[0]
        return Changes(
            now=at["now"],
            fold=at["fold"],
            continues=at["continues"],
            events={row["lane"]: row["events"] for row in rows if row["lane"] is not None},
        )

    async def suspects(self, since: int) -> Mapping[int, int]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.suspects, since - since % (24 * _HOUR), LEAST_EVENTS)
        return {row["lane"]: row["events"] for row in rows}

    async def lanes(self, ids: Sequence[int], now: int) -> Sequence[LaneFacts]:
        minute = now // MINUTE_MS
        oldest = _whole_hour(minute - max(WINDOW.values()))
        tens = _whole_hour(minute - WINDOW[Signal.BOUNCES])
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            lanes = await conn.fetch(_SQL.lanes, list(ids))
            whole = await conn.fetch(_SQL.whole, list(ids), oldest, tens, minute)
            slices = _by_lane(await conn.fetch(_SQL.slices, list(ids), oldest, MOST_SLICES + 1))
            kept = {lane: of[:MOST_SLICES] for lane, of in slices.items()}
            every = [one for of in kept.values() for one in of]
            hours = await conn.fetch(
                _SQL.hours,
                [one.id for one in every],
                [max(one.first, oldest) // _HOUR for one in every],
                [one.last // _HOUR for one in every],
            )
            holds = await conn.fetch(_SQL.holds, list(ids))
        by_slice = _rows_by(hours, "slice")
        by_lane = _rows_by(whole, "lane")
        return [
            LaneFacts(
                observed=row["observed"],
                mail=LaneMail(
                    lane=row["id"],
                    class_=Class(row["class"]),
                    whole=[_cell_of_lane(one) for one in by_lane.get(row["id"], ())],
                    parts=[
                        _cell(one, of, one["hour"] * _HOUR, _HOUR)
                        for of in kept.get(row["id"], ())
                        for one in by_slice.get(of.id, ())
                    ],
                    complete=len(slices.get(row["id"], ())) <= MOST_SLICES,
                ),
                tenant=row["tenant"],
                slug=row["slug"],
                type=row["type"],
                holds=_holds(holds, row["id"]),
                last=_last(kept.get(row["id"], ())),
            )
            for row in lanes
        ]

    async def minutes(self, lane: int, part: Part | None, since: int) -> Sequence[Cell]:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            slices = await self._slices(conn, lane, part, since)
            rows = await conn.fetch(
                _SQL.minutes,
                [one.id for one in slices],
                [max(one.first, since) for one in slices],
                [min(one.last, since + _ONSET_MINUTES - 1) for one in slices],
            )
        by_slice = _rows_by(rows, "slice")
        return [_cell(row, of, row["minute"], 1) for of in slices for row in by_slice.get(of.id, ())]

    async def _slices(self, conn: PooledConnection, lane: int, part: Part | None, since: int) -> list[_Slice]:
        """Of one lane, or of a list or campaign of it: the worst."""
        found = _by_lane(await conn.fetch(_SQL.slices, [lane], since, MOST_SLICES)).get(lane, [])
        if part is not None and part.kind != "provider":
            found = [one for one in found if getattr(one, part.kind) == part.value]
        return found[:_ONSET_SLICES]

    async def first_seen(self, lane: int, part: Part | None, minute: int, *, after: int) -> int | None:
        provider = parse_provider(part.value) if part is not None and part.kind == "provider" else None
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            slices = await self._slices(conn, lane, part, minute)
            return await conn.fetchval(_SQL.first_seen, after, minute, [one.id for one in slices], provider)

    async def open(self) -> Sequence[Open]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.open_alarms)
        return [
            Open(
                lane=row["lane"],
                signal=Signal(row["signal"]),
                part=Part(row["part"], row["value"]) if row["part"] else None,
                since=row["since"],
                raised_at=row["raised_at"],
            )
            for row in rows
        ]

    async def record(self, raised: Sequence[Open], ended: Sequence[Open]) -> None:
        async with connection_pool.transaction(self._control) as conn:
            for one in ended:
                await conn.execute(_SQL.end_alarm, *_key(one))
            for one in raised:
                await conn.execute(_SQL.raise_alarm, *_key(one), one.since, one.raised_at)


def _key(one: Open) -> tuple[int, str, str, str]:
    kind, value = ("", "") if one.part is None else (one.part.kind, one.part.value)
    return one.lane, str(one.signal), kind, value


def _whole_hour(minute: int) -> int:
    return minute - minute % _HOUR


def _rows_by(rows: Sequence[asyncpg.Record], column: str) -> dict[int, list[asyncpg.Record]]:
    found: dict[int, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def _by_lane(rows: Sequence[asyncpg.Record]) -> dict[int, list[_Slice]]:
    return {
        lane: [
            _Slice(row["id"], row["campaign"], row["list"], row["first_minute"], row["last_minute"])
            for row in of
        ]
        for lane, of in _rows_by(rows, "lane").items()
    }


def _cell_of_lane(row: asyncpg.Record) -> Cell:
    return Cell(
        start=row["minute"],
        span=row["span"],
        sent=row["sent"],
        bounced=row["bounced"],
        complained=row["complained"],
        heard=row["heard"],
    )


def _cell(row: asyncpg.Record, of: _Slice, start: int, span: int) -> Cell:
    silent: bool = row["silent"]
    return Cell(
        start=start,
        span=span,
        sent=row["sent"],
        bounced=row["bounced"],
        complained=0 if silent else row["complained"],
        heard=0 if silent else row["sent"],
        campaign=of.campaign,
        list=of.list,
        provider=row["provider"],
    )


def _holds(rows: Sequence[Any], lane: int) -> tuple[Hold, ...]:
    return tuple(hold_from_row(row) for row in rows if row["covered_lane"] == lane)


def _last(slices: Sequence[_Slice]) -> dict[Part | None, int]:
    """The minute of the last mail of the lane and of each list and campaign."""
    found: dict[Part | None, int] = {}
    for one in slices:
        parts: list[Part | None] = [None]
        parts += [Part("list", one.list)] if one.list is not None else []
        parts += [Part("campaign", one.campaign)] if one.campaign is not None else []
        for part in parts:
            found[part] = max(found.get(part, one.last), one.last)
    return found
