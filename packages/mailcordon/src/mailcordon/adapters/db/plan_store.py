"""Plans, as the control role: what they change, who decided, and what became of each call to SES."""

from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.control.plan import Change

_SQL = queries.load("plan_store.sql")


async def record(
    conn: PooledConnection,
    kind: str,
    name: str,
    done: Sequence[Change],
    failed: Sequence[tuple[Change, str]],
) -> None:
    """Writes what became of a resource's changes into the plans that are being applied, and ends those whose last change it was.
    Call it in the transaction that records the resource, after its row was written: if the row is `applied`, or gone, the other
    changes are not needed any more. `failed` has SES's words for each change that was refused."""
    ended = await conn.fetch(_SQL.done, kind, name, [change.key for change in done]) if done else []
    for change, words in failed:
        await conn.execute(_SQL.failed, kind, name, change.key, words)
    if not failed:
        ended += await conn.fetch(_SQL.needless, kind, name)
    if ended:
        await conn.execute(_SQL.end_plans, sorted({row["plan"] for row in ended}))
