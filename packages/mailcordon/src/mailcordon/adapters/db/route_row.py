"""Converts rows of lanes, joined with tenant, type and route, to Lanes and Routes."""

import asyncpg

from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route


def lane_from_row(row: asyncpg.Record) -> Lane:
    return Lane(
        id=row["lane"],
        tenant=row["tenant"],
        tenant_key=row["tenant_key"],
        type=row["type"],
        class_=Class(row["class"]),
    )


def route_from_row(row: asyncpg.Record) -> Route:
    """IP pool and host name of links only if the row has them: not everybody needs both."""
    return Route(
        lane=lane_from_row(row),
        turn=row["turn"],
        path=row["path"],
        ses_tenant=row["ses_tenant"],
        domain=row["domain"],
        configuration_set=row["configuration_set"],
        ip_pool=row.get("ip_pool"),
        unsubscribe_host=row.get("unsubscribe_host"),
    )
