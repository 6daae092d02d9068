"""Converts rows of the table `stop` to Stops.

A row whose cause this version does not know, such as one of a newer version, is logged and left out: it must not keep a process
from the others.
"""

from collections.abc import Iterable
from typing import Any

import asyncpg
import structlog

from mailcordon.core.log_limit import LogLimit
from mailcordon.core.reason import Reason
from mailcordon.core.stop import Stop, StopScope

log: Any = structlog.get_logger()
_limit = LogLimit()


def known(rows: Iterable[asyncpg.Record]) -> list[asyncpg.Record]:
    """The rows that `stop_from_row` can convert."""
    return [row for row in rows if _is_known(row)]


def _is_known(row: asyncpg.Record) -> bool:
    try:
        stop_from_row(row)
    except ValueError:
        cause = (row["id"], row["scope"], row["cause"])
        if times := _limit.count(cause):
            words = "a stop has an unknown scope or cause and is ignored"
            log.error(words, stop=row["id"], scope=row["scope"], cause=row["cause"], times=times)
        return False
    return True


def stop_from_row(row: asyncpg.Record) -> Stop:
    """Raises ValueError if the scope or the cause is unknown."""
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
