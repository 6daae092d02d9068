"""Suppressions as rows: of the table, with the lane's type, and as the reason for the refusal of a delivery."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.core.priority import Class
from mailcordon.core.suppression import Scope, Suppression

_SHARED = queries.load("shared.sql")


def suppression_from_row(row: asyncpg.Record) -> Suppression:
    return Suppression(
        tenant=row["tenant"],
        hash=row["hash"],
        address=row["address"],
        scope=Scope(row["scope"]),
        target=row["target"],
        type=row["type"],
        cause=row["cause"],
        evidence=json.loads(row["evidence"]),
        since=row["since"],
        until=row["until"],
        by=row["by"],
        removing_since=row["removing_since"],
        removal_waits=row["removal_waits"],
        only=_only(row),
    )


def _only(row: asyncpg.Record) -> Class | None:
    only = row.get("only")
    return None if only is None else Class(only)


class Recipient(NamedTuple):
    """One delivery whose address is suppressed."""

    tenant: int
    hash: bytes
    address: str
    class_: Class
    lane: int
    type: str


async def why_suppressed(connection: engine.Connection, recipients: Sequence[Recipient]) -> list[Suppression]:
    """The widest suppression that covers each recipient, in their order."""
    rows = await connection.fetch(
        _SHARED.why_suppressed,
        [one.tenant for one in recipients],
        [one.hash for one in recipients],
        [int(one.class_) for one in recipients],
        [one.lane for one in recipients],
    )
    found: dict[int, Suppression] = {}
    for row in rows:
        scope, place = Scope(row["scope"]), int(row["o"])
        one = recipients[place - 1]
        found[place] = Suppression(
            tenant=0 if scope is Scope.PLATFORM else one.tenant,
            hash=one.hash,
            address=one.address,
            cause=row["cause"],
            scope=scope,
            target={Scope.CLASS: int(one.class_), Scope.LANE: one.lane}.get(scope, 0),
            type=one.type if scope is Scope.LANE else None,
            since=row["since"],
            until=row["until"],
            by=row["by"],
            only=_only(row),
        )
    return [found[place] for place in sorted(found)]
