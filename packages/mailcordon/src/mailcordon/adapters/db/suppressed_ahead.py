"""Mail whose address was suppressed while it was queued: it leaves in bulk, before it takes a call slot."""

from collections.abc import Sequence

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.suppression_row import Recipient, why_suppressed
from mailcordon.core.priority import Class
from mailcordon.send import decide
from mailcordon.send.decide import CallFacts, RowFacts
from mailcordon.send.rotation import Visit

_SQL = queries.load("queue_store.sql")
_WINDOW = 500  #: deliveries of a lane that are looked at for suppressions once a claim has met one


async def refuse(connection: engine.Connection, visits: Sequence[Visit], now: int) -> None:
    """Ends suppressed mail near the heads of these lanes, with the reason that accept would have given."""
    rows = await connection.fetch(
        _SQL.suppressed_ahead,
        [visit.lane for visit in visits],
        [visit.cutoff for visit in visits],
        _WINDOW,
        now,
    )
    whys = await why_suppressed(
        connection,
        [
            Recipient(
                row["tenant"],
                row["hash"],
                row["address"] or "",
                Class(row["class"]),
                row["lane"],
                row["type"],
            )
            for row in rows
        ],
    )
    decisions = [
        decide.before_call(
            CallFacts(
                may_start=True,
                hold=None,
                has_content=True,
                row=RowFacts(suppressed=why.sentence(row["slug"])),
            )
        )
        for row, why in zip(rows, whys, strict=True)
    ]
    await connection.fetchval(
        _SQL.refuse_suppressed,
        [row["lane"] for row in rows],
        [row["id"] for row in rows],
        [one.state for one in decisions],
        [one.reason for one in decisions],
        [one.sentence for one in decisions],
    )
