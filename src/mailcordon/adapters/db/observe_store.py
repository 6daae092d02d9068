"""The observability plane's transactions: whole batches as arrays, over one connection of the observe role.

A batch that meets another's locks is tried again; what the database refuses for good is told apart from a database that is
away. Plans are pinned to indexes, since a table that was empty when a plan was made is a million rows an hour later.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar

import asyncpg
import msgspec

from mailcordon.adapters.db import engine
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.core.priority import Class
from mailcordon.observe.ports import (
    BadRow,
    Candidate,
    Counts,
    Directory,
    EventRow,
    Facts,
    LaneRef,
    NoticeRow,
    Outcome,
    Quarantined,
    Send,
    SetRef,
    Suppression,
    Transaction,
    Unreachable,
)

T = TypeVar("T")
Connect = Callable[[], Awaitable[engine.Connection]]

TRIES = 5
_PINS = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_bitmapscan = off"
MOST_REMEMBERED = 100_000  #: lanes; beyond it all are forgotten and read again as they come

_sql = engine.load_queries("observe.sql")
_json = msgspec.json.Encoder()


async def connect(dsn: str) -> engine.Connection:
    return await engine.connect(
        dsn, plan_cache_mode="force_generic_plan", application_name="mailcordon observe"
    )


class ObserveStore:
    """One connection, made when first needed and again after it broke. One transaction at a time."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: engine.Connection | None = None
        self._memory = _Memory()
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._lock:
            return await self._run(work)

    async def _run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        for left in reversed(range(TRIES)):
            try:
                connection = await self._ready()
                async with connection.transaction():
                    return await work(PostgresTransaction(connection, self._memory))
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                if left == 0:
                    raise Unreachable(f"other batches were always in the way: {error}") from error
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
                raise BadRow(str(error)) from error
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                # A missing grant is no better than a missing server: nothing is lost, somebody has to look.
                await self.close()
                raise Unreachable(f"the database: {error or type(error).__name__}") from error
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=2)

    async def _ready(self) -> engine.Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self._connect()
            await connection.execute(_PINS)
            self._connection = connection
        return self._connection


class _Memory:
    """Lanes and configuration sets as of one epoch. Absent ones are not remembered."""

    def __init__(self) -> None:
        self.epoch = -1
        self.lanes: dict[tuple[str, str], LaneRef] = {}
        self.sets: dict[str, SetRef] = {}

    def at(self, epoch: int) -> None:
        if epoch != self.epoch or len(self.lanes) > MOST_REMEMBERED:
            self.epoch = epoch
            self.lanes, self.sets = {}, {}


class PostgresTransaction:
    """Implements observe.ports.Transaction."""

    def __init__(self, connection: engine.Connection, memory: _Memory | None = None) -> None:
        self._connection = connection
        self._memory = memory or _Memory()

    async def directory(self, lanes: Set[tuple[str, str]], sets: Set[str]) -> Directory:
        row = await self._connection.fetchrow(_sql.moment)
        assert row is not None
        memory = self._memory
        memory.at(row["epoch"])
        missing = sorted(lanes - memory.lanes.keys())
        if missing:
            keys, types = zip(*missing, strict=True)
            for lane in await self._connection.fetch(_sql.lanes, keys, types):
                memory.lanes[lane["key"], lane["type"]] = LaneRef(
                    lane=lane["lane"],
                    tenant=lane["tenant"],
                    tenant_key=lane["key"],
                    type=lane["type"],
                    class_=Class(lane["class"]),
                )
        unknown = sorted(sets - memory.sets.keys())
        if unknown:
            for set_ in await self._connection.fetch(_sql.sets, unknown):
                of = None if set_["class"] is None else Class(set_["class"])
                memory.sets[set_["name"]] = SetRef(set_["kind"], of, set_["tenant"])
        return Directory(row["now"], memory.lanes, memory.sets)

    async def facts(self, asked: Mapping[int, int]) -> Mapping[int, Facts]:
        first = ids.message_of(min(asked))
        rows = await self._connection.fetch(
            _sql.facts, as_array(asked), as_array(asked.values()), first, max(asked)
        )
        return {row["delivery"]: _facts(row) for row in rows}

    async def by_ses_id(self, ses_id: str, from_domain: str, address_hash: bytes) -> Candidate | None:
        labels = from_domain.split(".")
        domains = [".".join(labels[start:]) for start in range(len(labels) - 1)]
        row = await self._connection.fetchrow(_sql.by_ses_id, ses_id, domains, address_hash)
        if row is None:
            return None
        return Candidate(row["tenant_key"], row["type"], row["delivery"], row["attempt"], row["called_at"])

    async def insert_events(self, rows: Sequence[EventRow]) -> set[tuple[int, bytes]]:
        ordered = sorted(rows, key=lambda row: (row.delivery, row.key))
        columns = _columns(
            [
                (
                    row.delivery,
                    row.key,
                    row.tenant,
                    row.lane,
                    int(row.kind),
                    row.attempt,
                    row.at,
                    row.ses_id,
                    _clean(row.detail),
                )
                for row in ordered
            ],
            9,
        )
        inserted = await self._connection.fetch(_sql.insert_events, *columns)
        return {(row["delivery"], row["key"]) for row in inserted}

    async def lock_outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]:
        rows = await self._connection.fetch(_sql.lock_outcomes, as_array(ids), min(ids), max(ids))
        return {row["id"]: _outcome(row) for row in rows}

    async def insert_outcomes(self, rows: Sequence[Outcome]) -> set[int]:
        ordered = sorted(rows, key=lambda row: row.id)
        columns = _columns(
            [
                (
                    row.id,
                    row.tenant,
                    row.lane,
                    row.provider,
                    row.left_at,
                    int(row.state),
                    row.at,
                    row.kinds,
                    row.attempt,
                    row.ses_id,
                    row.reason,
                    row.detail,
                )
                for row in ordered
            ],
            12,
        )
        return {row["id"] for row in await self._connection.fetch(_sql.insert_outcomes, *columns)}

    async def update_outcomes(self, rows: Sequence[Outcome]) -> None:
        columns = _columns(
            [
                (
                    row.id,
                    row.provider,
                    row.left_at,
                    int(row.state),
                    row.at,
                    row.kinds,
                    row.attempt,
                    row.ses_id,
                    row.reason,
                    row.detail,
                )
                for row in rows
            ],
            10,
        )
        first, last = min(row.id for row in rows), max(row.id for row in rows)
        await self._connection.execute(_sql.update_outcomes, *columns, first, last)

    async def record_sends(self, rows: Sequence[Send]) -> None:
        ordered = sorted((row.delivery, row.attempt, row.ses_id, row.at) for row in rows)
        await self._connection.execute(_sql.record_sends, *_columns(ordered, 4))

    async def suppress(self, rows: Sequence[Suppression]) -> None:
        values = [
            (
                row.tenant,
                row.hash,
                row.scope,
                row.target,
                row.address,
                row.cause,
                _clean(row.evidence),
                row.since,
                row.until,
                row.by,
            )
            for row in rows
        ]
        await self._connection.execute(_sql.suppress, *_columns(sorted(values, key=lambda one: one[:4]), 10))

    async def quarantine(self, rows: Sequence[Quarantined]) -> None:
        # One statement must not meet the same digest twice; copies within a batch are counted as one.
        once = {row.digest: row for row in rows}
        values = [
            (row.digest, row.why, row.detail, row.document, row.source, row.tenant) for row in once.values()
        ]
        await self._connection.execute(_sql.quarantine, *_columns(sorted(values, key=lambda one: one[0]), 6))

    async def keep_notices(self, notices: Sequence[NoticeRow]) -> None:
        once = {row.digest: row for row in notices}
        values = [(row.digest, row.what, row.subject, row.document) for row in once.values()]
        await self._connection.execute(
            _sql.keep_notices, *_columns(sorted(values, key=lambda one: one[0]), 4)
        )

    async def count_elsewhere(self, counts: Mapping[tuple[str, Kind], int]) -> None:
        values = [(name, int(kind), documents) for (name, kind), documents in sorted(counts.items())]
        await self._connection.execute(_sql.count_elsewhere, *_columns(values, 3))

    async def count(self, counts: Counts) -> None:
        values = [(*cell, *counts[cell]) for cell in sorted(counts)]
        await self._connection.execute(_sql.count, *_columns(values, 14))
        emptied = [cell[:3] for cell in sorted(counts) if min(counts[cell]) < 0]
        if emptied:
            await self._connection.execute(_sql.drop_empty, *_columns(emptied, 3))

    async def quarantined(self, id: int) -> str | None:
        return await self._connection.fetchval(_sql.quarantined, id)

    async def resolve(self, id: int, resolution: str, actor: str) -> None:
        row = await self._connection.fetchrow(_sql.resolve, id, resolution[:2000])
        if row is not None:
            after = _clean({"why": row["why"], "resolution": resolution[:2000]})
            await self._connection.execute(
                _sql.audit, actor, "quarantine.replay", row["tenant"], f"quarantine {id}", None, after, None
            )

    async def see_sends(self, latest: Mapping[str, int]) -> None:
        await self._connection.execute(_sql.see_sends, *_columns(sorted(latest.items()), 2))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[str]:
    """Rows turned to the arrays that `unnest` takes, each as PostgreSQL writes it."""
    return [as_array(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * width


def as_array(values: Iterable[int | str | bytes | None]) -> str:
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: int | str | bytes | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _clean(detail: Mapping[str, object]) -> str:
    """JSON that PostgreSQL takes: it knows no NUL in a text."""
    text = _json.encode(detail).decode()
    return text.replace("\\u0000", "") if "\\u0000" in text else text


def _facts(row: asyncpg.Record) -> Facts:
    ses_ids: dict[int, str] = dict(zip(row["attempts"] or (), row["ses_ids"] or (), strict=True))
    if row["ledger_ses_id"] is not None:
        ses_ids[row["ledger_attempt"]] = row["ledger_ses_id"]
    return Facts(
        tenant=row["tenant"],
        lane=row["lane"],
        recipient=row["recipient"],
        provider=row["provider"],
        newest_attempt=row["newest_attempt"],
        ses_ids=ses_ids,
    )


def _outcome(row: asyncpg.Record) -> Outcome:
    return Outcome(
        id=row["id"],
        tenant=row["tenant"],
        lane=row["lane"],
        provider=row["provider"],
        left_at=row["left_at"],
        state=State(row["state"]),
        at=row["at"],
        kinds=row["kinds"],
        attempt=row["attempt"],
        ses_id=row["ses_id"],
        reason=row["reason"],
        detail=row["detail"],
    )
