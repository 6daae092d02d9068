"""SES's own findings, as the control role."""

from collections.abc import Sequence

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.ses_findings import Shown

_SQL = queries.load("ses_finding_store.sql")


class SesFindingStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def see(self, shown: Sequence[Shown], types: Sequence[str]) -> None:
        await self._pool.execute(
            _SQL.see,
            [one.arn for one in shown],
            [one.name for one in shown],
            [one.type for one in shown],
            [one.impact for one in shown],
            [one.description for one in shown],
            [one.since for one in shown],
            list(types),
        )

    async def purge(self, older_ms: int) -> None:
        await self._pool.execute(_SQL.purge_ended, older_ms)
