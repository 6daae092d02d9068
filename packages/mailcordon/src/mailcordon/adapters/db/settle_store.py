"""Settles unknown outcomes and moves mail that waited: the slow, set-based part of the queue.

Implements `send.ports.SettleStore`. One dispatcher at a time does this, the one that holds an advisory lock.
"""

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.isolating import Isolating
from mailcordon.adapters.db.pinned_connection import PinnedConnection, SessionEnded
from mailcordon.send.ports import CanaryNeed, Settled, Unknown

_SQL = queries.load("settle_store.sql")
_SHARED = queries.load("shared.sql")
_SETTLER_LOCK = 0x6D65
_MOST = 2_000  #: rows per statement
#: Seconds without a statement after which a dispatcher's session ends, and another dispatcher can take the lock. A round comes
#: every quarter of a second.
IDLE_SECONDS = 10.0


class SettleStore:
    def __init__(self, dsn: str, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._connection = PinnedConnection(dsn, "settle", index_plans=False, idle_seconds=idle_seconds)
        self._isolating = Isolating(_SQL.waiting_page)

    async def close(self) -> None:
        await self._connection.close()

    async def settle(self) -> Settled | None:
        """One round. Returns None if nothing waits, or if another dispatcher is settling."""
        try:
            # Usually nothing waits, and one query without a lock is enough.
            async with self._connection.locked(_SETTLER_LOCK, _SQL.lock_if_anything_waits) as connection:
                return None if connection is None else await self._round(connection)
        except SessionEnded:
            return None

    async def _round(self, connection: engine.Connection) -> Settled:
        move = self._isolating.fetch
        seen = await move(connection, _SQL.settle_by_send_event, _MOST)
        absent = await move(connection, _SQL.settle_by_absence, _MOST)
        released = await move(connection, _SQL.due_waiting, _MOST)
        expired = await move(connection, _SQL.expire_waiting, _MOST)
        needs = await connection.fetch(_SQL.canary_needs)
        moment = await connection.fetchrow(_SHARED.now_and_control_epoch)
        assert moment is not None
        return Settled(
            now=moment["now"],
            epoch=moment["epoch"],
            proved_sent=len(seen),
            resent=sum(part["resent"] or 0 for part in absent),
            given_up=sum(part["given_up"] or 0 for part in absent),
            expired=len(expired),
            no_outcome=sum(row["why"] == 2 for row in expired),
            released=sum(part["released"] or 0 for part in released),
            rejected=self._isolating.left_out,
            canaries=tuple(
                CanaryNeed(
                    Unknown(
                        lane=row["lane"],
                        id=row["id"],
                        tenant=row["tenant"],
                        attempt=row["attempt"],
                        called_at=row["called_at"],
                    ),
                    row["configuration_set"],
                    row["seen"],
                    row["ses_tenant"],
                    row["domain"],
                )
                for row in needs
            ),
        )
