"""Which lanes' counts are unreliable in a window, since events of their mail are lost or late.

Rates of these lanes show less than happened: a bounce whose event never came is not counted, and the mail is.
"""

from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.core.feedback import Mark

_SQL = queries.load("feedback_marks.sql")


async def marks(
    connection: Connection | PooledConnection, lanes: Sequence[int] | None, since: int, until: int
) -> list[Mark]:
    """The losses that cover a part of the window, by lane; `lanes`: None for every lane. As the control role. Times are
    milliseconds since 1970."""
    if not await connection.fetchval(_SQL.any_mark, since, until):
        return []
    rows = await connection.fetch(_SQL.marks, None if lanes is None else list(lanes), since, until)
    return [_mark(row) for row in rows]


async def own_marks(
    connection: Connection | PooledConnection, lanes: Sequence[int] | None, since: int, until: int
) -> list[Mark]:
    """The same in a read transaction of a tenant (row_level_security.py): its own lanes only, without the losses' numbers."""
    rows = await connection.fetch(_SQL.own_marks, None if lanes is None else list(lanes), since, until)
    return [_mark(row) for row in rows]


def _mark(row: asyncpg.Record) -> Mark:
    return Mark(**dict(row))
