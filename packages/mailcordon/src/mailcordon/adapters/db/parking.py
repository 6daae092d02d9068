"""Parks the mail that holds on a campaign, a list or a mailbox provider stop, beside the claims or in one of them."""

from collections.abc import Sequence

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.core.hold import Hold

_SQL = queries.load("parking.sql")


async def park(
    connection: engine.Connection,
    heads: Sequence[tuple[int, int, int]],
    holds: Sequence[Hold],
    most: int,
) -> list[asyncpg.Record]:
    """Defers what the holds, all of one tenant, stop among the next deliveries of each lane. `heads`: lane, first id, class."""
    return await connection.fetch(
        _SQL.park,
        [lane for lane, _, _ in heads],
        [first for _, first, _ in heads],
        most,
        [hold.id for hold in holds],
        [hold.target.class_ for hold in holds],
        [hold.target.lane for hold in holds],
        [hold.target.provider for hold in holds],
        [hold.target.campaign for hold in holds],
        [hold.target.list for hold in holds],
        [hold.sentence for hold in holds],
        [class_ for _, _, class_ in heads],
    )
