"""Converts a row of the table `suppression`, with the lane's type, to a Suppression."""

import json

import asyncpg

from mailcordon.core.suppression import Scope, Suppression


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
    )
