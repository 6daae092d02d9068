"""Converts a row of the table `stop` to a Stop."""

import asyncpg

from mailcordon.core.reason import Reason
from mailcordon.core.stop import Stop, StopScope


def stop_from_row(row: asyncpg.Record) -> Stop:
    return Stop(
        id=row["id"],
        scope=StopScope(row["scope"]),
        name=row["name"],
        tenant=row["tenant"],
        lane=row["lane"],
        cause=Reason(row["cause"]),
        because=row["because"],
        said=row["said"],
        since=row["since"],
        last_seen=row["last_seen"],
        hits=row["hits"],
        probe_at=row["probe_at"],
        probes=row["probes"],
        last_probe=row["last_probe"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
        ended_because=row["ended_because"],
    )
