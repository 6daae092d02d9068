"""The audit trail in PostgreSQL: its pages for readers, its chain for those who check it, and the erasure of personal fields."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Connection, PooledConnection
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control import audit_chain
from mailcordon.control.audit import AuditSearch, AuditView, Head, Proof
from mailcordon.control.audit_chain import (
    AuditRow,
    Break,
    Entry,
    Expected,
    Kind,
    Search,
    Suspicion,
    Walk,
)
from mailcordon.control.audit_checkpoints import Checkpoint
from mailcordon.control.views import Viewer
from mailcordon.messages import api

BATCH = 2_000  #: entries of one statement

_SQL = queries.load("audit_store.sql")


class AuditReader(ViewerReads):
    """Implements `control.audit.AuditReads`."""

    async def page(self, asked: AuditSearch, *, before: int | None, limit: int) -> list[AuditView]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(
                _SQL.audit_page,
                asked.tenant,
                before,
                limit,
                asked.actor,
                asked.action,
                asked.text,
                asked.since,
                asked.until,
            )
        return [_view(row) for row in rows]

    async def proof(self, viewer: Viewer, *, after: int, limit: int) -> Proof:
        assert viewer.tenant is not None
        async with self._as(viewer, snapshot=True) as conn:
            row = await conn.fetchrow(_SQL.audit_head)
            rows = await conn.fetch(_SQL.audit_proof, after, limit, viewer.tenant)
        return Proof(entries=[_entry(one) for one in rows], head=_head(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The result of a look at the whole chain, or at its end."""

    rows: int  #: how many were checked
    seq: int  #: the last place that is well
    checkpoints: int  #: how many places were compared with a checkpoint
    last_checkpoint: str | None  #: when the last of those was written
    broken: Break | None


async def verify(
    conn: Connection, expected: Iterable[Expected] = (), *, newest: int | None = None
) -> Verified:
    """Checks every row, or the `newest` ones. Reads a batch at a time, each with a snapshot of its own.

    Rows that are written meanwhile are left out. What happened to the first row that does not fit takes a second look at all;
    the cheap look at the newest rows does without.
    """
    end = await head(conn)
    start = 0 if newest is None else max(0, end.seq - newest)
    before = audit_chain.START if start == 0 else await conn.fetchval(_SQL.audit_hash_at, start) or b""
    walk = Walk(expected, seq=start, hash=before)
    suspicion = await _walk(conn, walk, end)
    broken = None
    if suspicion is not None:
        broken = await _explain(conn, suspicion, end, look=newest is None)
    elif (ahead := walk.ahead()) is not None:
        broken = Break(kind=Kind.CUT, seq=walk.seq + 1, previous=walk.previous, expected=ahead)
    if newest is None:
        broken = await _first(conn, broken)
    return Verified(
        rows=walk.seq - start,
        seq=walk.seq,
        checkpoints=walk.checkpoints,
        last_checkpoint=None if walk.last_checkpoint is None else walk.last_checkpoint.at,
        broken=broken,
    )


async def _walk(conn: Connection, walk: Walk, end: Head) -> Suspicion | None:
    while rows := await conn.fetch(_SQL.audit_entries, walk.seq, end.seq, BATCH):
        for row in rows:
            if (suspicion := walk.see(_entry(row))) is not None:
                return suspicion
    return None


async def _explain(conn: Connection, suspicion: Suspicion, end: Head, *, look: bool) -> Break:
    search, after = Search(suspicion), 0
    while look and (rows := await conn.fetch(_SQL.audit_entries, after, end.seq, BATCH)):
        for row in rows:
            search.see(_entry(row))
        after = rows[-1]["seq"]
    return search.verdict()


async def _first(conn: Connection, broken: Break | None) -> Break | None:
    """The earlier one of this break and a row that no chain has."""
    row = await conn.fetchrow(_SQL.audit_unchained)
    if row is None:
        return broken
    place: int | None = row["place"]
    if broken is not None and broken.seq is not None and (place is None or broken.seq <= place):
        return broken
    return Break(kind=Kind.ADDED, seq=None, id=row["id"], row=_row(row))


async def contradicts(conn: Connection, checkpoint: Checkpoint) -> Break | None:
    """Whether the chain is another one than the checkpoint saw. `verify` names the row."""
    end = await head(conn)
    expected = Expected(seq=checkpoint.seq, hash=checkpoint.hash, at=checkpoint.at)
    if checkpoint.seq > end.seq:
        return Break(kind=Kind.CUT, seq=end.seq + 1, expected=expected)
    if (await hash_at(conn, checkpoint.seq) or b"").hex() != checkpoint.hash:
        return Break(kind=Kind.REWRITTEN, seq=checkpoint.seq, expected=expected)
    return None


async def head(conn: Connection | PooledConnection) -> Head:
    return _head(await conn.fetchrow(_SQL.audit_head))


async def hash_at(conn: Connection | PooledConnection, seq: int) -> bytes | None:
    """None if the chain does not have this place."""
    return await conn.fetchval(_SQL.audit_hash_at, seq)


async def hashes(
    conn: Connection | PooledConnection, after: int, until: int, most: int
) -> list[tuple[int, bytes]]:
    rows = await conn.fetch(_SQL.audit_hashes, after, until, most)
    return [(row["seq"], row["hash"]) for row in rows]


async def erase_personal(conn: Connection | PooledConnection, tenant: int) -> int:
    """Ends the personal fields of one tenant's rows, in the caller's transaction. Returns of how many rows.

    Needs the control role.
    """
    return await conn.fetchval(_SQL.erase_personal, tenant)


def _head(row: asyncpg.Record | None) -> Head:
    assert row is not None
    return Head(**dict(row))


def _view(row: asyncpg.Record) -> AuditView:
    personal: dict[str, str | None] = {} if row["personal"] is None else json.loads(row["personal"])
    erased = api.erased()

    def shown(text: str) -> str:
        return audit_chain.shown(text, personal, erased=erased)

    def members(document: str | None) -> Any:
        return None if document is None else json.loads(document, object_hook=_texts_through(shown))

    return AuditView(
        id=row["id"],
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        tenant=row["tenant"],
        object=shown(row["object"]),
        before=members(row["before"]),
        after=members(row["after"]),
        because=None if row["because"] is None else shown(row["because"]),
    )


def _texts_through(shown: Callable[[str], str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A hook for `json.loads`: the texts of an object are shown as the object and the reason of a row are."""
    return lambda members: {
        name: shown(value) if isinstance(value, str) else value for name, value in members.items()
    }


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        seq=row["seq"],
        audit=row["audit"],
        digest=row["digest"],
        hash=row["hash"],
        row=None if row["id"] is None else _row(row),
    )


def _row(row: asyncpg.Record) -> AuditRow:
    return AuditRow(
        id=row["id"],
        at_us=row["at_us"],
        salt=row["salt"],
        actor=row["actor"],
        action=row["action"],
        tenant=row["tenant"],
        object=row["object"],
        before=row["before"],
        after=row["after"],
        because=row["because"],
        personal=None if row["personal"] is None else audit_chain.personal_of(json.loads(row["personal"])),
    )
