"""Begins releases for large batches that arrive, and counts their mail. Part of the accept store (docs/pacing.md)."""

from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard import release
from mailcordon.messages import pacing
from mailcordon.send.ports import Arrived, BatchName

_SQL = queries.load("release_intake.sql")
#: Open releases of one lane that are told apart. An app that names more campaigns at a time is paced as a lane.
MOST_OF_LANE = 200


async def arrived(connection: engine.Connection, batches: Sequence[Arrived], node: int) -> None:
    """In the transaction of the caller. Batches that need no pace are left out: of a list that the lane has mailed before, or of
    a lane whose policy only observes."""
    ordered = sorted(batches)
    open_ = await _open(connection, [one.batch for one in ordered])
    missing = [one.batch for one in ordered if one.batch not in open_]
    if missing:
        await _begin(connection, missing)
        open_ = await _open(connection, [one.batch for one in ordered])
    counted = sorted(
        (open_[one.batch], one.batch.tenant, one.deliveries) for one in ordered if one.batch in open_
    )
    if counted:
        await connection.execute(_SQL.count, *([one[n] for one in counted] for n in range(3)), node)


async def _open(connection: engine.Connection, batches: Sequence[BatchName]) -> Mapping[BatchName, int]:
    rows = await connection.fetch(_SQL.open_releases, *_columns(batches))
    return {batches[row["o"] - 1]: row["id"] for row in rows}


async def _begin(connection: engine.Connection, batches: Sequence[BatchName]) -> None:
    rows = await connection.fetch(_SQL.lanes_of_batches, *_columns(batches), MOST_OF_LANE)
    begun: dict[BatchName, asyncpg.Record] = {}
    for row in rows:
        place: int = row["o"]
        one = batches[place - 1]
        if row["crowded"]:
            one = BatchName(one.tenant, one.lane, "lane", "")
        if one.kind == "list" and not row["fresh"]:
            continue
        begun[one] = row
    for one, row in sorted(begun.items()):
        policy = policy_of(row["document"], Class(row["class"])).release
        if policy.mode is Mode.OBSERVE:
            continue
        await connection.execute(
            _SQL.begin,
            *(one.tenant, one.lane, one.kind, one.name),
            policy.first,
            row["fresh"],
            str(release.Why.SIZE),
            str(policy.mode),
            pacing.leaves_in_steps(one.kind, one.name, policy.first),
        )


def _columns(batches: Sequence[BatchName]) -> tuple[list[int], list[str], list[str]]:
    return [one.lane for one in batches], [one.kind for one in batches], [one.name for one in batches]
