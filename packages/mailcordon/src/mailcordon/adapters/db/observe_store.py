"""The observability plane's transactions: whole batches as arrays, over one connection of the observe role.

A batch that meets another's locks is tried again; what the database refuses for good is told apart from a database that is
away. Plans are pinned to indexes, since a table that was empty when a plan was made is a million rows an hour later.
"""

import asyncio
import contextlib
import operator
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar, cast

import asyncpg
import msgspec

from mailcordon.adapters.db import engine, queries
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
    LaneName,
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

_SQL = queries.load("observe.sql")
_json = msgspec.json.Encoder()
_SEPARATOR = "\x1f"
_place = operator.attrgetter("delivery", "key")
_id = operator.attrgetter("id")


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
        self.lanes: dict[LaneName, LaneRef] = {}
        self.sets: dict[str, SetRef] = {}

    def has(self, lanes: Set[LaneName], sets: Set[str]) -> bool:
        return lanes <= self.lanes.keys() and sets <= self.sets.keys()

    def at(self, epoch: int) -> None:
        if epoch != self.epoch or len(self.lanes) > MOST_REMEMBERED:
            self.epoch = epoch
            self.lanes, self.sets = {}, {}


class PostgresTransaction:
    """Implements observe.ports.Transaction."""

    def __init__(self, connection: engine.Connection, memory: _Memory | None = None) -> None:
        self._connection = connection
        self._memory = memory or _Memory()

    async def known(
        self, deliveries: Mapping[int, LaneName], lanes: Set[LaneName], sets: Set[str]
    ) -> tuple[Directory, Mapping[int, Facts]]:
        memory = self._memory
        if memory.has(lanes, sets) and deliveries:
            rows = await self._facts(deliveries)
            if rows and rows[0]["epoch"] == memory.epoch:
                return Directory(rows[0]["now"], memory.lanes, memory.sets), _by_delivery(rows)
        now = await self._remember(lanes, sets)
        rows = await self._facts(deliveries)
        return Directory(now, memory.lanes, memory.sets), _by_delivery(rows)

    async def _facts(self, deliveries: Mapping[int, LaneName]) -> list[asyncpg.Record]:
        known = self._memory.lanes
        asked = {id: known[name].lane for id, name in deliveries.items() if name in known}
        if not asked:
            return []
        first, last = ids.message_of(min(asked)), max(asked)
        return await self._connection.fetch(
            _SQL.facts, integers(asked), integers(asked.values()), first, last
        )

    async def _remember(self, lanes: Set[LaneName], sets: Set[str]) -> int:
        """Learns what is not remembered, as control has it now; answers the time."""
        row = await self._connection.fetchrow(_SQL.moment)
        assert row is not None
        memory = self._memory
        memory.at(row["epoch"])
        missing = sorted(lanes - memory.lanes.keys())
        if missing:
            keys, types = zip(*missing, strict=True)
            for lane in await self._connection.fetch(_SQL.lanes, keys, types):
                memory.lanes[lane["key"], lane["type"]] = LaneRef(
                    lane=lane["lane"],
                    tenant=lane["tenant"],
                    tenant_key=lane["key"],
                    type=lane["type"],
                    class_=Class(lane["class"]),
                )
        unknown = sorted(sets - memory.sets.keys())
        if unknown:
            for set_ in await self._connection.fetch(_SQL.sets, unknown):
                of = None if set_["class"] is None else Class(set_["class"])
                memory.sets[set_["name"]] = SetRef(set_["kind"], of, set_["tenant"])
        return row["now"]

    async def by_ses_id(self, ses_id: str, from_domain: str, address_hash: bytes) -> Candidate | None:
        labels = from_domain.split(".")
        domains = [".".join(labels[start:]) for start in range(len(labels) - 1)]
        row = await self._connection.fetchrow(_SQL.by_ses_id, ses_id, domains, address_hash)
        if row is None:
            return None
        return Candidate(row["tenant_key"], row["type"], row["delivery"], row["attempt"], row["called_at"])

    async def record(
        self, events: Sequence[EventRow], outcomes: Sequence[Outcome]
    ) -> tuple[Set[tuple[int, bytes]], Set[int]]:
        events = sorted(events, key=_place)
        outcomes = sorted(outcomes, key=_id)
        row = await self._connection.fetchrow(
            _SQL.record,
            integers([row.delivery for row in events]),
            digests([row.key for row in events]),
            integers([row.tenant for row in events]),
            integers([row.lane for row in events]),
            integers([row.kind for row in events]),
            integers([row.attempt for row in events]),
            integers([row.at for row in events]),
            texts([row.ses_id for row in events]),
            texts([_clean(row.detail) for row in events]),
            integers([row.id for row in outcomes]),
            integers([row.tenant for row in outcomes]),
            integers([row.lane for row in outcomes]),
            integers([row.provider for row in outcomes]),
            integers([row.left_at for row in outcomes]),
            integers([row.state for row in outcomes]),
            integers([row.at for row in outcomes]),
            integers([row.kinds for row in outcomes]),
            integers([row.attempt for row in outcomes]),
            texts([row.ses_id for row in outcomes]),
            texts([row.reason for row in outcomes]),
            texts([row.detail for row in outcomes]),
            len(events),
            len(outcomes),
        )
        assert row is not None
        new: Set[tuple[int, bytes]]
        if row["events"] == len(events):
            new = {(one.delivery, one.key) for one in events}
        else:
            new = set(zip(row["deliveries"] or (), row["keys"] or (), strict=True))
        if row["outcomes"] == len(outcomes):
            return new, {one.id for one in outcomes}
        return new, set(row["ids"] or ())

    async def lock_outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]:
        rows = await self._connection.fetch(_SQL.lock_outcomes, as_array(ids), min(ids), max(ids))
        return {row["id"]: _outcome(row) for row in rows}

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
        await self._connection.execute(_SQL.update_outcomes, *columns, first, last)

    async def record_sends(self, rows: Sequence[Send]) -> None:
        ordered = sorted((row.delivery, row.attempt, row.ses_id, row.at) for row in rows)
        await self._connection.execute(_SQL.record_sends, *_columns(ordered, 4))

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
        await self._connection.execute(_SQL.suppress, *_columns(sorted(values, key=lambda one: one[:4]), 10))

    async def quarantine(self, rows: Sequence[Quarantined]) -> None:
        # One statement must not meet the same digest twice; copies within a batch are counted as one.
        once = {row.digest: row for row in rows}
        values = [
            (row.digest, row.why, row.detail, row.document, row.source, row.tenant) for row in once.values()
        ]
        await self._connection.execute(_SQL.quarantine, *_columns(sorted(values, key=lambda one: one[0]), 6))

    async def keep_notices(self, notices: Sequence[NoticeRow]) -> None:
        once = {row.digest: row for row in notices}
        values = [(row.digest, row.what, row.subject, row.document) for row in once.values()]
        await self._connection.execute(
            _SQL.keep_notices, *_columns(sorted(values, key=lambda one: one[0]), 4)
        )

    async def count_elsewhere(self, counts: Mapping[tuple[str, Kind], int]) -> None:
        values = [(name, int(kind), documents) for (name, kind), documents in sorted(counts.items())]
        await self._connection.execute(_SQL.count_elsewhere, *_columns(values, 3))

    async def count(self, counts: Counts, seen: Mapping[str, int]) -> None:
        cells = sorted(counts)
        values = [(*cell, *counts[cell]) for cell in cells]
        await self._connection.execute(_SQL.count, *_columns(values, 14), *_columns(sorted(seen.items()), 2))
        emptied = [cell[:3] for cell in cells if min(counts[cell]) < 0]
        if emptied:
            await self._connection.execute(_SQL.drop_empty, *_columns(emptied, 3))

    async def quarantined(self, id: int) -> str | None:
        return await self._connection.fetchval(_SQL.quarantined, id)

    async def resolve(self, id: int, resolution: str, actor: str) -> None:
        row = await self._connection.fetchrow(_SQL.resolve, id, resolution[:2000])
        if row is not None:
            after = _clean({"why": row["why"], "resolution": resolution[:2000]})
            await self._connection.execute(
                _SQL.audit, actor, "quarantine.replay", row["tenant"], f"quarantine {id}", None, after, None
            )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[str]:
    """Rows turned to the arrays that `unnest` takes, each as PostgreSQL writes it."""
    return [as_array(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * width


def as_array(values: Iterable[int | str | bytes | None]) -> str:
    return "{" + ",".join([_element(value) for value in values]) + "}"


def integers(values: Collection[int]) -> str:
    """As `as_array`, and cheaper."""
    return "{" + ",".join(map(str, map(int, values))) + "}" if values else "{}"


def texts(values: Sequence[str | None]) -> str:
    """As `as_array`, and cheaper where all are there, or none is."""
    missing = values.count(None)
    if missing == len(values):
        return "{" + ",".join(["NULL"] * missing) + "}"
    joined = _SEPARATOR.join(cast("Sequence[str]", values)) if not missing else ""
    if missing or joined.count(_SEPARATOR) != len(values) - 1:
        return as_array(values)
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + escaped.replace(_SEPARATOR, '","') + '"}'


def digests(values: Sequence[bytes]) -> str:
    """As `as_array`, and cheaper."""
    return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}' if values else "{}"


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


def _by_delivery(rows: Iterable[asyncpg.Record]) -> dict[int, Facts]:
    return {row["delivery"]: _facts(row) for row in rows}


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
