"""Gives mail back that waited for a limit, as the limit has room: when its window ends, or when its cap grows.

Mail that was given back and has not left yet takes the room that is left, so that a round does not give back the same room again.
"""

import time
from typing import NamedTuple

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.core.limit import OF_AN_ADDRESS, LimitScope, Per
from mailcordon.guard.limits.windows import Use

_SQL = queries.load("limit_clearing.sql")
_MOST = 1_000  #: rows per statement
_ROUNDS = 8  #: statements per call
#: Seconds after which mail that was given back and has not left is not waited for: it expired, or something else keeps it.
_WAITED = 10.0
_FORGET_EVERY = 30.0  #: seconds


class _Given(NamedTuple):
    window: int
    at: float  #: by the host's clock
    mails: int
    counted: int  #: by the limit, then


class _Pass(NamedTuple):
    """Through the addresses for which mail waits for a limit of each address."""

    window: int
    cap: int
    after: bytes  #: the addresses up to this one were looked at
    ended_at: float | None  #: by the host's clock
    last: bool  #: of this window


class LimitClearing:
    def __init__(self) -> None:
        self._given: dict[int, _Given] = {}
        self._passes: dict[int, _Pass] = {}
        self._forgot_at = 0.0

    @property
    def has_more(self) -> bool:
        """Whether a round has something to do also if no mail waits."""
        return bool(self._given or self._passes) or time.monotonic() - self._forgot_at > _FORGET_EVERY

    async def once(self, connection: engine.Connection) -> int:
        """Returns how many were given back."""
        rows = await connection.fetch(_SQL.waiting_limits)
        there = {row["id"] for row in rows}
        for gone in self._given.keys() - there:
            del self._given[gone]
        for gone in self._passes.keys() - there:
            del self._passes[gone]
        moved = 0
        for row in rows:
            of_address = row["stands"] and row["scope"] in OF_AN_ADDRESS
            moved += await (self._addresses if of_address else self._mails)(connection, row)
        if not moved and time.monotonic() - self._forgot_at > _FORGET_EVERY:
            self._forgot_at = time.monotonic()
            await connection.execute(_SQL.forget_addresses, _MOST * _ROUNDS)
        return moved

    async def _mails(self, connection: engine.Connection, row: asyncpg.Record) -> int:
        room, window, counted, outstanding = _MOST * _ROUNDS, 0, 0, 0
        if row["stands"]:
            use, per = Use(*row["used"]), Per(row["per"])
            window, counted = use.window(per, row["now"])
            given = self._given.get(row["id"])
            if given and given.window == window and time.monotonic() - given.at < _WAITED:
                outstanding = max(0, given.mails - max(0, counted - given.counted))
            room = use.room(row["cap"], per, row["now"]) - outstanding
        moved = 0
        while moved < min(room, _MOST * _ROUNDS):
            wanted = min(_MOST, room - moved)
            n = await connection.fetchval(_SQL.give_back, row["id"], wanted) or 0
            moved += n
            if n < wanted:
                break
        if moved:
            self._given[row["id"]] = _Given(window, time.monotonic(), outstanding + moved, counted)
        return moved

    async def _addresses(self, connection: engine.Connection, row: asyncpg.Record) -> int:
        """Once in each window, and when the cap has grown: as many to each address as may still leave in it."""
        (window, _), cap = Use().window(Per(row["per"]), row["now"]), row["cap"]
        pass_ = self._passes.get(row["id"])
        if pass_ is None or window != pass_.window or cap > pass_.cap:
            pass_ = _Pass(window, cap, b"", None, last=False)
        elif pass_.ended_at is not None:
            if pass_.last or time.monotonic() - pass_.ended_at < _WAITED:
                self._passes[row["id"]] = pass_._replace(cap=cap)
                return 0
            # A claim that had begun in the window before may have set mail aside behind us.
            pass_ = _Pass(window, cap, b"", None, last=True)
        moved = 0
        addresses = max(1, _MOST // max(1, cap))
        statement = _SQL.give_back_repeats if row["scope"] == LimitScope.REPEAT else _SQL.give_back_addresses
        for _ in range(_ROUNDS):
            found = await connection.fetchrow(
                statement,
                row["id"],
                pass_.after,
                addresses,
                cap,
                row["per"],
                row["lane"],
                _MOST * _ROUNDS,
            )
            assert found is not None
            moved += found["moved"]
            if found["addresses"] < addresses:
                pass_ = pass_._replace(ended_at=time.monotonic())
                break
            pass_ = pass_._replace(after=found["last"])
        self._passes[row["id"]] = pass_._replace(cap=cap)
        return moved
