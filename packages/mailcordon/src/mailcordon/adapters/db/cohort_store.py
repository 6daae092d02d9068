"""Folds changes of cohorts, over one pinned connection of the observe or the control role."""

import asyncpg

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.driver_errors import in_words
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.errors import Unavailable
from mailcordon.core.queue import Unreachable
from mailcordon.messages import api
from mailcordon.observe.folding import NotFolded

_SQL = queries.load("cohort_store.sql")


class CohortStore:
    """Implements observe.folding.CohortStore."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "fold")

    async def close(self) -> None:
        await self._connection.close()

    async def fold(self, most: int, *, lately_ms: int = 0, calm_ms: int = 0) -> int | None:
        try:
            async with self._connection.use() as connection:
                return await connection.fetchval(_SQL.fold, most, lately_ms, calm_ms)
        except Unavailable as error:
            cause = error.__cause__ or error
            raise Unreachable(api.database_unreachable(in_words(cause))) from cause
        except asyncpg.PostgresError as error:
            raise NotFolded(api.database_unreachable(in_words(error))) from error
