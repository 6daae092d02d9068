"""Bulk moves beside the claims. Implements `send.ports.ClearingStore`.

One dispatcher at a time does this, the one that holds an advisory lock; the others' calls return at once.
"""

from collections import defaultdict
from contextlib import suppress

from mailcordon.adapters.db import engine, parking, queries
from mailcordon.adapters.db.isolating import Isolating
from mailcordon.adapters.db.limit_clearing import LimitClearing
from mailcordon.adapters.db.pinned_connection import PinnedConnection, SessionEnded
from mailcordon.adapters.db.settle_store import IDLE_SECONDS
from mailcordon.send import limits
from mailcordon.send.ports import Narrow

_SQL = queries.load("clearing_store.sql")
_LOCK = 0x6D66
_MOST = 1_000  #: rows per statement: each is a transaction of some 30 ms
_ROUNDS = 8  #: statements per call
LONGEST_RETRY_MS = 120_000  #: no retry is farther ahead


class ClearingStore:
    def __init__(
        self, dsn: str, *, ramp_ms: int = limits.RAMP_MS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._connection = PinnedConnection(dsn, "clear", idle_seconds=idle_seconds)
        self._isolating = Isolating(_SQL.expired_page)
        self._limits = LimitClearing()
        self._ramp_ms = ramp_ms
        self._given_back: dict[int, int] = {}  #: by ended stop, mails of its path
        #: By tenant: the holds that were looked for, and by lane the first id that was not looked at yet.
        self._parked: dict[int, tuple[frozenset[int], dict[int, int]]] = {}

    async def close(self) -> None:
        await self._connection.close()

    async def expire(self) -> int:
        gone = 0
        with suppress(SessionEnded):
            # Usually none has expired, and one query without a lock is enough.
            async with self._connection.use() as connection:
                if not await connection.fetchval(_SQL.any_expired):
                    return 0
            async with self._connection.locked(_LOCK) as connection:
                if connection is None:
                    return 0
                for _ in range(_ROUNDS):
                    parts = await self._isolating.fetch(connection, _SQL.expire_ready, _MOST)
                    n = sum(part["expired"] for part in parts)
                    gone += n
                    if n < _MOST:
                        break
        return gone

    async def park(self, narrow: Narrow) -> int:
        for tenant in [one for one in self._parked if one not in narrow]:
            del self._parked[tenant]
        parked = 0
        if not narrow:
            return 0
        try:
            async with self._connection.locked(_LOCK) as connection:
                if connection is None:
                    self._parked.clear()
                    return 0
                turns: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
                for row in await connection.fetch(_SQL.lanes_of_tenants, list(narrow)):
                    turns[row["tenant"], row["turn"]].append((row["id"], row["class"]))
                for (tenant, turn), lanes in turns.items():
                    parked += await self._park_turn(connection, tenant, turn, lanes, narrow)
        except SessionEnded:
            self._parked.clear()
        return parked

    async def _park_turn(
        self,
        connection: engine.Connection,
        tenant: int,
        turn: int,
        lanes: list[tuple[int, int]],
        narrow: Narrow,
    ) -> int:
        holds = narrow[tenant]
        wanted = frozenset(hold.id for hold in holds)
        if tenant not in self._parked or self._parked[tenant][0] != wanted:
            self._parked[tenant] = (wanted, {})
        start = self._parked[tenant][1]
        parked = 0
        for _ in range(_ROUNDS):
            async with connection.transaction():
                await connection.fetch(_SQL.lock_turns, [turn])
                heads = [(lane, start.get(lane, 0), class_) for lane, class_ in lanes]
                rows = await parking.park(connection, heads, holds, _MOST)
            # Mail that becomes ready below `start` later is met by the claims.
            for row in rows:
                start[row["lane"]] = row["last"] + 1
            parked += max((row["parked"] for row in rows), default=0)
            if all(row["seen"] < _MOST for row in rows):
                break
        return parked

    async def give_back(self) -> int:
        return await self._give_back_held() + await self._give_back_stopped()

    async def _give_back_stopped(self) -> int:
        moved = 0
        with suppress(SessionEnded):
            async with self._connection.use() as connection:
                if not await connection.fetch(_SQL.ended_stops):
                    self._given_back.clear()
                    return 0
            async with self._connection.locked(_LOCK) as connection:
                if connection is None:
                    return 0
                for row in await connection.fetch(_SQL.ended_stops):
                    before = self._given_back.get(row["id"], 0)
                    may = limits.released(max(0, row["now"] - row["ended_at"]), self._ramp_ms) - before
                    if may > 0:
                        n = await connection.fetchval(_SQL.give_back_stopped, row["id"], min(may, _MOST)) or 0
                        self._given_back[row["id"]] = before + n
                        moved += n
        return moved

    async def _give_back_held(self) -> int:
        moved = 0
        with suppress(SessionEnded):
            # Usually no hold gives mail back, and one query without a lock is enough.
            async with self._connection.use() as connection:
                if not await connection.fetch(_SQL.ended_holds):
                    return 0
            async with self._connection.locked(_LOCK) as connection:
                if connection is None:
                    return 0
                for row in await connection.fetch(_SQL.ended_holds):
                    now, since, before = row["now"], row["moving_since"], row["moved"]
                    if since is None or since > now + limits.CLOCK_SLACK_MS:
                        await connection.execute(_SQL.start_giving_back, row["id"], now)
                        since, before = now, 0
                    may = limits.released(now - since, self._ramp_ms) - before
                    if may > 0:
                        moved += await connection.fetchval(_SQL.give_back, row["id"], min(may, _MOST)) or 0
        return moved

    async def open_limits(self) -> int:
        moved = 0
        with suppress(SessionEnded):
            if not self._limits.has_more:
                async with self._connection.use() as connection:
                    if not await connection.fetchval(_SQL.any_waits_for_limit):
                        return 0
            async with self._connection.locked(_LOCK) as connection:
                if connection is not None:
                    moved = await self._limits.once(connection)
        return moved

    async def correct_clocks(self) -> int:
        with suppress(SessionEnded):
            async with self._connection.use() as connection:
                corrected = await connection.fetchval(_SQL.correct_clocks, LONGEST_RETRY_MS)
                corrected += await connection.fetchval(_SQL.correct_probes)
                return corrected + await connection.fetchval(_SQL.correct_resources)
        return 0
