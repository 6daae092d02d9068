"""What arming the breaker for a lane depends on, read from the tables. Judged by guard/arming.py."""

import json
from collections.abc import Collection, Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import feedback_marks, lane_policy_row, queries
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.control import proofs
from mailcordon.core.priority import Class
from mailcordon.guard.arming import ArmingFacts, Wish
from mailcordon.messages import feedback, times
from mailcordon.observe.breaker.records import MINUTE_MS, Judged

_SQL = queries.load("breaker_arming.sql")
_DAY = 1440
_QUARTER = 360  #: minutes of a bucket of counts


async def judged(
    conn: PooledConnection, lanes: Collection[int], now: int, *, proof_days: int
) -> Sequence[Judged]:
    """`now`: milliseconds since 1970."""
    minute = now // MINUTE_MS
    last = (minute - _DAY) // _QUARTER * _QUARTER - _QUARTER
    week = minute - 7 * _DAY
    rows = await conn.fetch(_SQL.arming, sorted(lanes), week - week % _DAY, last - 7 * _DAY, last)
    tenants = sorted({row["tenant"] for row in rows})
    stray = {row["tenant"]: row["stray"] for row in await conn.fetch(_SQL.stray, tenants)}
    lost: dict[int, list[str]] = {}
    for mark in await feedback_marks.marks(conn, sorted(lanes), now - 1, now):
        if mark.until is None:
            lost.setdefault(mark.lane, []).append(feedback.own_lanes(times.minute(mark.since)))
    return [_judged(row, now, stray, lost, proof_days) for row in rows]


def _judged(
    row: asyncpg.Record,
    now: int,
    stray: Mapping[int, int],
    lost: Mapping[int, Sequence[str]],
    proof_days: int,
) -> Judged:
    last = None
    if row["proof"] is not None:
        last = proofs.Last(
            id=row["proof"],
            ended_at=row["ended_at"],
            proved=row["proved"],
            because=row["because"] or "",
            parts=None if row["parts"] is None else json.loads(row["parts"]),
        )
    parts = None if row["parts_now"] is None else json.loads(row["parts_now"])
    freshness = proofs.fresh(last, parts, now, days=proof_days)
    first = row["first_minute"]
    return Judged(
        lane=row["lane"],
        facts=ArmingFacts(
            wish=None if row["wish"] is None else Wish(row["wish"]),
            policy=lane_policy_row.policy_of(row["document"], Class(row["class"])).breaker.mode,
            proved=freshness.is_fresh,
            proof_says=freshness.because,
            lost=tuple(lost.get(row["lane"], ())),
            events=row["events"],
            stray=stray.get(row["tenant"], 0),
            days=0.0 if first is None else max(0.0, (now / MINUTE_MS - first) / _DAY),
            sent=row["sent"],
            ended=row["ended"],
            cordons=row["cordons"],
        ),
        lost_since=row["lost_since"],
    )
