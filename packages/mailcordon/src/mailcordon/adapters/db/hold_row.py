"""Converts a row of the table `hold` to a Hold."""

import asyncpg

from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target


def hold_from_row(row: asyncpg.Record) -> Hold:
    return Hold(
        id=row["id"],
        target=Target(
            tenant=row["tenant"],
            class_=None if row["class"] is None else Class(row["class"]),
            lane=row["lane"],
            provider=None if row["provider"] is None else Provider(row["provider"]),
            campaign=row["campaign"],
            list=row["list"],
        ),
        stops=row["stops"],
        rate=row["rate"],
        owner=row["owner"],
        because=row["because"],
        by=row["by"],
        since=row["since"],
        until=row["until"],
    )
