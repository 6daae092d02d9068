"""Implements `observe.breaker.ports.BreakerStore`, as the control role.

Everything is written on the session that holds the lock, so a process that was suspended and lost it cannot write a late round.
What is only read comes over other connections.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import msgspec

from mailcordon.adapters.db import breaker_arming, connection_pool, lane_policy_row, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.leading_session import IDLE_SECONDS, LeadingSession
from mailcordon.control import proofs
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.account_guard import LaneShare
from mailcordon.guard.arming import Arming
from mailcordon.guard.breaker.delay_curves import DayCounts
from mailcordon.guard.breaker.nouns import LaneFacts, Level, Standing
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import Signal
from mailcordon.guard.policy.built_in import STANDARD
from mailcordon.observe.breaker.records import (
    MINUTE_MS,
    Accepted,
    Account,
    Begin,
    Carried,
    Changes,
    Judged,
    Kept,
    Lifted,
    Loaded,
    Sent,
    Sharer,
    Tried,
    Watched,
    Write,
    key_of,
)

_SQL = queries.load("breaker_store.sql")
_SHARED = queries.load("shared.sql")
_DAY = 1440
_HOUR = 60
_HISTORY_DAYS = 60
_MINUTES_OF_HISTORY = 6 * _HOUR  #: older counts are read by hour
_DOMAIN_DAYS = 2
_CHANGED_DAYS = 4  #: of a lane with bounces or complaints, if the feed was lost
_POOL_DAYS = 30
_DELAY_DAYS = 90  #: for which counts of how late feedback came are of use
_LOCK = 20558  #: first key of the advisory lock of the process that runs it
_DOUBTED = 0.1  #: a lane that SES itself finds fault with is judged ten times more strictly
_standing = msgspec.json.Decoder(Standing)
_encode = msgspec.json.Encoder(order="deterministic").encode


class BreakerStore:
    def __init__(
        self, dsn: str, pool: Pool, *, proof_days: int = proofs.DAYS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._session = LeadingSession(dsn, "breaker", _LOCK, idle_seconds=idle_seconds)
        self._pool = pool
        self._proof_days = proof_days

    async def close(self) -> None:
        await self._session.close()

    async def leads(self, *, stand_by: bool) -> bool:
        return await self._session.leads(stand_by=stand_by)

    async def begin(self) -> Begin:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            followed = await conn.fetchval(_SQL.followed)
            at = await conn.fetchrow(_SQL.fold, followed)
            assert at is not None
            minute = at["now"] // MINUTE_MS
            rows = await conn.fetch(
                _SQL.lanes_to_load,
                followed,
                _whole_day(minute - _CHANGED_DAYS * _DAY),
                minute - _POOL_DAYS * _DAY,
            )
            standings = [_standing.decode(row["document"]) for row in await conn.fetch(_SQL.standings)]
            open_ = [_kept(row) for row in await conn.fetch(_SQL.open_decisions)]
            limited = [row["tenant"] for row in await conn.fetch(_SQL.limited)]
            delays: dict[str, dict[str, list[float]]] = {}
            for row in await conn.fetch(_SQL.delays):
                of = delays.setdefault(f"{row['signal']}/{row['provider']}", {})
                of[str(row["day"])] = row["counts"]
        lanes = {row["lane"] for row in rows if row["lane"] is not None}
        lanes |= {one.lane for one in standings} | {one.lane for one in open_}
        return Begin(
            fold=at["fold"],
            standings=standings,
            open=open_,
            lanes=sorted(lanes),
            limited=limited,
            delays=delays,
        )

    async def changes(self, fold: int) -> Changes:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.changes, fold)
        assert row is not None
        return Changes(
            now=row["now"],
            fold=row["fold"],
            continues=row["continues"],
            deltas=[(fold, Delta(*values)) for fold, *values in _list(row["deltas"])],
            domains=[DomainDelta(*values) for values in _list(row["domains"])],
            accepted=[Accepted(**values) for values in _list(row["accepted"])],
            lifted=[Lifted(**values) for values in _list(row["lifted"])],
            tried=[Tried(**values) for values in _list(row["tried"])],
        )

    async def load(self, lanes: Sequence[int], *, room: Mapping[Signal, float] | None) -> Loaded:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            at = await conn.fetchrow(_SQL.fold, None)
            assert at is not None
            minute = at["now"] // MINUTE_MS
            minutes = (minute - _MINUTES_OF_HISTORY) // _HOUR * _HOUR
            rows = await conn.fetch(_SQL.lanes, list(lanes))
            found = [row["lane"] for row in rows]
            history = await conn.fetch(_SQL.history, found, minute - _HISTORY_DAYS * _DAY, minutes)
            domains = await conn.fetch(_SQL.history_domains, found, minute - _DOMAIN_DAYS * _DAY)
        return Loaded(
            fold=at["fold"],
            lanes=[watched(row, minute, room) for row in rows],
            history=[_delta(row) for row in history],
            domains=[DomainDelta(*row) for row in domains],
        )

    async def facts(self, lanes: Sequence[int], *, room: Mapping[Signal, float] | None) -> Sequence[Watched]:
        async with connection_pool.acquire(self._pool) as conn:
            minute = (await conn.fetchval(_SHARED.now)) // MINUTE_MS
            return [watched(row, minute, room) for row in await conn.fetch(_SQL.lanes, list(lanes))]

    async def write(self, change: Write) -> list[int]:
        """Returns the numbers of the new decisions. Raises NotLeading."""
        written: list[int] = []
        async with self._session.use() as connection:
            if change.is_empty:
                await connection.execute(_SQL.follow, change.fold)
                return []
            transaction = connection.transaction()
            await transaction.start()
            try:
                for end in change.ended:
                    await connection.execute(_SQL.end_decision, end.decision, end.by, end.because)
                for one in change.new:
                    written.append(await connection.fetchval(_SQL.add_decision, *_row(one)))
                for one in change.changed:
                    await connection.execute(
                        _SQL.change_decision, one.id, str(one.mode), one.done, one.rate, one.hold, one.waiting
                    )
                for key in change.gone:
                    await connection.execute(_SQL.drop_standing, *key)
                for one in change.standings:
                    await connection.execute(_SQL.set_standing, *key_of(one), _encode(one).decode())
                await connection.execute(_SQL.follow, change.fold)
                await transaction.commit()
            except TimeoutError:
                connection.terminate()  # the rollback would wait for the same server once more
                raise
            except BaseException:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await transaction.rollback()
                raise
        return written

    async def carried(self) -> Sequence[Carried]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.open_holds)
        return [
            Carried(hold=hold_from_row(row), decision=row["decision"], does=row["does"] or "") for row in rows
        ]

    async def flow(self, lane: int) -> float:
        async with connection_pool.acquire(self._pool) as conn:
            return (await conn.fetchval(_SQL.flow, lane)) / 600

    async def sharers(self, lane: int) -> tuple[Sharer, ...]:
        async with connection_pool.acquire(self._pool) as conn:
            return tuple(Sharer(**dict(row)) for row in await conn.fetch(_SQL.sharers, lane))

    async def findings(self, tenant: int) -> list[tuple[str, str]]:
        async with connection_pool.acquire(self._pool) as conn:
            return [(row["type"], row["impact"]) for row in await conn.fetch(_SQL.findings, tenant)]

    async def arming(self, lanes: Collection[int], now: int) -> Sequence[Judged]:
        async with connection_pool.acquire(self._pool) as conn:
            return await breaker_arming.judged(conn, lanes, now, proof_days=self._proof_days)

    async def set_arming(self, lane: int, arming: Arming, lost_since: int | None) -> None:
        checks = json.dumps(
            [{"name": str(one.name), "ok": one.ok, "says": one.says} for one in arming.checks]
        )
        async with self._session.use() as connection:
            await connection.execute(
                _SQL.set_arming,
                lane,
                str(arming.absolute),
                str(arming.relative),
                arming.proposed,
                lost_since,
                checks,
            )

    async def account(self, since: int, *, by_lane: bool) -> Account:
        """What the account sent since a minute. Lanes only `by_lane`: that reads a row for each lane and hour."""
        since = since // _HOUR * _HOUR
        async with connection_pool.acquire(self._pool) as conn:
            whole = await conn.fetchrow(_SQL.account, since)
            rows = await conn.fetch(_SQL.account_lanes, since) if by_lane else []
        assert whole is not None
        return Account(
            mails={Signal.BOUNCES: whole["sent"], Signal.COMPLAINTS: whole["heard"]},
            events={Signal.BOUNCES: whole["hard_bounces"], Signal.COMPLAINTS: whole["complaints"]},
            state=whole["enforcement"],
            lanes={
                Signal.BOUNCES: [_share(row, "sent", "hard_bounces") for row in rows],
                Signal.COMPLAINTS: [_share(row, "heard", "complaints") for row in rows],
            },
        )

    async def sent(self, lanes: Sequence[int], since: int, *, least: int) -> Mapping[int, Sent]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.sent_by_hour, list(lanes), since, least)
        return {
            row["lane"]: Sent(
                hours=dict(zip(row["hours"], row["mails"], strict=True)),
                largest_day=row["largest_day"],
                allowed=row["allowed"],
            )
            for row in rows
        }

    async def spoken(self, since: int) -> Collection[tuple[int, str]]:
        async with connection_pool.acquire(self._pool) as conn:
            return {(row["lane"], row["signal"]) for row in await conn.fetch(_SQL.spoken, since)}

    async def keep_delays(self, changed: Sequence[DayCounts]) -> None:
        async with self._session.use() as connection:
            await connection.executemany(_SQL.keep_delays, changed)
            await connection.execute(_SQL.purge_delays, _DELAY_DAYS)

    async def purge(self, before: int) -> None:
        async with self._session.use() as connection:
            await connection.execute(_SQL.purge, before)


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        id=row["id"],
        tenant=row["tenant"],
        lane=row["lane"],
        part=row["part"],
        signal=row["signal"],
        half=row["half"],
        level=Level(row["level"]),
        mode=Mode(row["mode"]),
        at=row["at"],
        since=row["since"],
        seen=row["seen"],
        done=row["done"],
        waiting=row["waiting"],
        rate=row["rate"],
        document=json.loads(row["document"]),
        sharers=tuple(Sharer(**one) for one in json.loads(row["sharers"])),
        hold=row["hold"],
    )


def _row(one: Kept) -> tuple[object, ...]:
    return (
        one.tenant,
        one.lane,
        one.part,
        one.signal,
        one.half,
        int(one.level),
        str(one.mode),
        one.at,
        one.since,
        one.seen,
        one.done,
        one.waiting,
        one.rate,
        _encode(one.document).decode(),
        _encode(one.sharers).decode(),
    )


def _list(text: str | None) -> list[Any]:
    """Of an aggregate, which is null where there are no rows."""
    return [] if text is None else json.loads(text)


def _delta(row: asyncpg.Record) -> Delta:
    return Delta(
        minute=row["minute"],
        lane=row["lane"],
        campaign=row["campaign"],
        list=row["list"],
        provider=row["provider"],
        sent=row["sent"],
        delivered=row["delivered"],
        hard_bounces=row["hard_bounces"],
        complaints=row["complaints"],
        blocks=row["blocks"],
        delays=row["delays"],
        opens=row["opens"],
    )


def watched(row: Any, minute: int, room: Mapping[Signal, float] | None) -> Watched:
    class_ = Class(row["class"])
    policy = lane_policy_row.policy_of(row["document"], class_)
    since = row["first_minute"]
    young = since is None or since > minute - _POOL_DAYS * _DAY
    labels: set[str] = set()
    if young:
        labels = {f"domain {one}" for one in row["domains"]}
        labels |= set() if policy.tier == STANDARD else {f"tier {policy.tier}"}
        named = (("sign_up_source", "sign-up"), ("payment", "payment"), ("owner_group", "owner group"))
        labels |= {f"{word} {row[column]}" for column, word in named if row[column] is not None}
    sensitivity = policy.breaker.sensitivity * (_DOUBTED if row["doubted"] else 1.0)
    return Watched(
        facts=LaneFacts(
            lane=row["lane"],
            tenant=row["tenant"],
            type=row["type"],
            class_=class_,
            sensitivity=sensitivity,
            since=since,
            labels=frozenset(labels),
            room=room,
        ),
        slug=row["slug"],
        policy=policy.breaker.mode,
    )


def _share(row: asyncpg.Record, mails: str, events: str) -> LaneShare:
    return LaneShare(lane=row["lane"], class_=Class(row["class"]), mails=row[mails], events=row[events])


def _whole_day(minute: int) -> int:
    return minute - minute % _DAY
