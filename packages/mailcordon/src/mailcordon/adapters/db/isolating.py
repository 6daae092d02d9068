"""Bulk statements that go on beside a row that the database rejects.

Such a statement chooses its rows itself. One row that cannot be moved, because a CHECK or a partition forbids its new place,
would fail the statement in every round and keep all others where they are. So a statement that fails is run again for parts of
the rows it may choose, down to single ones. What fails alone is left out, logged as an error, and tried again after RETRY_AFTER.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import structlog

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.driver_errors import BUSY, DEADLOCK, UNREACHABLE, in_words

log: Any = structlog.get_logger()

RETRY_AFTER = 60.0  #: seconds until rows that were left out are tried again
MOST_LEFT_OUT = 1_000  #: with more, something else is wrong, and the statement fails as a whole
_PAGE = 2_000  #: rows


class Isolating:
    """Runs statements with the arguments ($1 how many rows at most, $2 only these ids; null: any, $3 not these ids).

    `page` is a statement that lists the rows that may be chosen after a lane and id ($1, $2), in that order, at most $3.
    """

    def __init__(self, page: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._clock = clock
        self._left_out: dict[int, float] = {}

    @property
    def left_out(self) -> int:
        """How many rows the database rejects."""
        return len(self._left_out)

    async def fetch(self, connection: engine.Connection, statement: str, most: int) -> list[asyncpg.Record]:
        """The rows that the statement returns, all parts together. Raises what is no fault of a row."""
        now = self._clock()
        self._left_out = {id: at for id, at in self._left_out.items() if now - at < RETRY_AFTER}
        try:
            return await connection.fetch(statement, most, None, list(self._left_out))
        except asyncpg.PostgresError as error:
            if not _of_a_row(error):
                raise
            log.warning("a statement failed; running it for parts of its rows", problem=in_words(error))
        found: list[asyncpg.Record] = []
        lane, id = 0, 0
        while rows := await connection.fetch(self._page, lane, id, _PAGE):
            lane, id = rows[-1]["lane"], rows[-1]["id"]
            ids = [row["id"] for row in rows if row["id"] not in self._left_out]
            found += await self._part(connection, statement, ids)
        return found

    async def _part(
        self, connection: engine.Connection, statement: str, ids: Sequence[int]
    ) -> list[asyncpg.Record]:
        if not ids:
            return []
        try:
            return await connection.fetch(statement, len(ids), list(ids), [])
        except asyncpg.PostgresError as error:
            if not _of_a_row(error) or len(self._left_out) >= MOST_LEFT_OUT:
                raise
            if len(ids) == 1:
                log.error(
                    "the database rejects the move of a delivery; it stays where it is",
                    delivery=ids[0],
                    problem=in_words(error),
                    retry_seconds=RETRY_AFTER,
                )
                self._left_out[ids[0]] = self._clock()
                return []
        half = len(ids) // 2
        first = await self._part(connection, statement, ids[:half])
        return first + await self._part(connection, statement, ids[half:])


def _of_a_row(error: asyncpg.PostgresError) -> bool:
    return not isinstance(error, (*UNREACHABLE, *BUSY, DEADLOCK))
