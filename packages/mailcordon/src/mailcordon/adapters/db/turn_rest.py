"""What a dispatcher that finds nothing to claim looks at, and how it is told that a turn has mail again.

It says that it rests with a lock for each class, of its worker's session, shared among dispatchers. Whoever wakes an idle turn
sees that, and sends a hint when its transaction ends. A hint is never the truth: a look follows at least once a second.

A turn that was set idle, and the saying that we rest, are proved by the numbers of transactions (docs/decisions/003): one that
saw the turn awake, or nobody resting, has a lower number than a look that came later. Once the oldest transaction of a look is
not older than that, all of them have ended, and the look saw what they wrote.
"""

import time
from collections.abc import Callable, Iterable, Sequence

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.priority import Class
from mailcordon.send.ports import Look

_SQL = queries.load("queue_store.sql")
_SHARED = queries.load("shared.sql")
_REST_LOCK = 0x6D68  #: as in `turns_hint` (0075-hints-by-class.sql); the second key is the class
_CHANNEL = "mailcordon_turns"
AGAIN_AFTER = 0.03  #: seconds after which a look rechecks again what it could not prove
_RESTING = -1  #: in the place of a turn: that we said that we rest


class TurnRest:
    def __init__(self, claims: PinnedConnection) -> None:
        self._claims = claims
        self.hint: Callable[[int], None] = lambda classes: (
            None
        )  #: gets the classes of each hint, as a set of bits
        self._resting: frozenset[Class] = frozenset()
        #: turns set idle here -> the number that the oldest transaction must have reached; None: not looked at since
        self._idle: dict[int, int | None] = {}
        self._rechecked_at = 0.0

    def set_idle(self, turns: Iterable[int]) -> None:
        for turn in turns:
            self._idle[turn] = None

    async def listen(self, session: engine.Connection) -> None:
        """On a new session of the worker."""
        self._resting = frozenset()
        await session.add_listener(_CHANNEL, self._hinted)

    def _hinted(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self.hint(int(str(payload)))

    async def rest(self, session: PinnedConnection, classes: Sequence[Class]) -> None:
        """From now on this dispatcher is told of mail of these classes."""
        if self._resting.issuperset(classes):
            return
        async with session.use() as connection:
            new = [class_ for class_ in classes if class_ not in self._resting]
            await connection.execute(_SHARED.lock_shared, _REST_LOCK, new)
            self._resting |= set(new)
            self._idle[_RESTING] = None

    async def awake(self, session: PinnedConnection, classes: Sequence[Class]) -> None:
        """From now on it is not told of them."""
        if self._resting.isdisjoint(classes):
            return
        async with session.use() as connection:
            old = [class_ for class_ in classes if class_ in self._resting]
            await connection.execute(_SHARED.unlock_shared, _REST_LOCK, old)
            self._resting -= set(old)

    async def look(self, *, thorough: bool) -> Look:
        classes = list(Class)
        now = time.monotonic()
        turns, prove = self._asked() if now - self._rechecked_at >= AGAIN_AFTER else ((), False)
        if turns:
            self._rechecked_at = now
        async with self._claims.use() as connection:
            row = await connection.fetchrow(
                _SQL.look_at_rest, turns, prove, [int(c) for c in classes], thorough
            )
        assert row is not None
        self._learn(turns, row)
        due = {class_: us / 1e6 for class_, us in zip(classes, row["due_in"], strict=True) if us is not None}
        if row["woken"]:
            due |= {class_: 0.0 for class_ in classes if 1 << class_ & row["woken_classes"]}
        return Look(due=due, certain=not self._idle, busy=row["busy"])

    async def recheck(self, every: float) -> int:
        """Returns how many turns were woken."""
        now = time.monotonic()
        if not self._idle or now - self._rechecked_at < every:
            return 0
        self._rechecked_at = now
        turns, prove = self._asked()
        async with self._claims.use() as connection:
            row = await connection.fetchrow(_SQL.recheck_turns, turns, prove)
        assert row is not None
        return self._learn(turns, row)

    def _asked(self) -> tuple[Sequence[int], bool]:
        """The turns to be rechecked, and whether a number is needed for them."""
        return sorted(self._idle), None in self._idle.values()

    def _learn(self, turns: Sequence[int], row: asyncpg.Record) -> int:
        for turn in row["woken"]:
            self._idle.pop(turn, None)
        for turn in turns:
            horizon = self._idle.get(turn, 0)
            if horizon is None:
                horizon = self._idle[turn] = row["own"]
            if horizon and row["xmin"] >= horizon:
                self._idle.pop(turn, None)
        return len(row["woken"])
