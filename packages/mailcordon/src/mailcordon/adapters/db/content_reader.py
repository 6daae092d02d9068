"""Reads the content of accepted mail for people, and records who looked, in one transaction.

Implements `send.content_preview.Contents`. It works as the control role, which may write the audit trail.
"""

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.send.content_preview import Stored

_SQL = queries.load("content_reader.sql")
_SHARED = queries.load("shared.sql")


class ContentReader:
    def __init__(self, control: Pool) -> None:
        self._pool = control

    async def look(
        self, message: int, *, largest: int, tenant: int, actor: str, object: str, said: str
    ) -> Stored | None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.stored, message, largest)
            if row is None:
                return None
            if row["body"] is not None:
                await conn.execute(
                    _SHARED.write_audit, actor, "message.preview", tenant, object, None, said, None
                )
            return Stored(row["size"], row["body"])
