"""Proofs of attribution, as the control role; shown to a tenant's key as the reader role, under row-level security.

Implements `control.proofs.ProofStore` and `control.proving.JudgeStore`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.control.proofs import (
    EventSeen,
    Fault,
    Full,
    Lane,
    LaneProof,
    Last,
    Mail,
    Proof,
    Scope,
    Verdict,
)
from mailcordon.control.views import Viewer
from mailcordon.core import health
from mailcordon.core import proof as nouns
from mailcordon.core.event import Kind
from mailcordon.core.health import Outflow
from mailcordon.core.priority import Class
from mailcordon.core.proof import What

_SQL = queries.load("proof_store.sql")
_FINDINGS = queries.load("finding_store.sql")
_SHARED = queries.load("shared.sql")


class ProofStore:
    """`reader`: None where no tenant's key reads."""

    def __init__(self, control: Pool, reader: Pool | None = None) -> None:
        self._control = control
        self._reader = reader

    def _as(self, viewer: Viewer) -> AbstractAsyncContextManager[PooledConnection]:
        tenant = viewer.tenant if viewer.as_tenant else None
        assert tenant is None or self._reader is not None
        return row_level_security.read_transaction(
            self._control, self._reader or self._control, tenant, snapshot=True
        )

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.tenant_id, slug)

    async def now_ms(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.now)

    async def lanes(self, viewer: Viewer, *, type: str | None, after: int, limit: int) -> list[LaneProof]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.lanes, viewer.tenant, type, after, limit)
        return [_lane(row) for row in rows]

    async def ask(
        self,
        tenant: int,
        lanes: Sequence[int],
        what: Sequence[What],
        *,
        limit_ms: int,
        actor: str,
        bounds: tuple[int, int],
    ) -> list[tuple[int, bool]] | Full:
        async with connection_pool.transaction(self._control) as conn:
            await conn.execute(_SQL.lock_asking)
            running = {row["lane"]: row["id"] for row in await conn.fetch(_SQL.running, list(lanes))}
            counts = await conn.fetchrow(_SQL.count_running, tenant)
            assert counts is not None
            new = len(lanes) - len(running)
            if new and counts["of_tenant"] + new > bounds[0]:
                return Full(counts["of_tenant"] + new)
            if new and counts["all"] + new > bounds[1]:
                return Full(None)
            asked: list[tuple[int, bool]] = []
            for lane in lanes:
                if lane in running:
                    asked.append((running[lane], False))
                    continue
                row = await conn.fetchrow(_SQL.add_proof, tenant, lane, actor, limit_ms)
                assert row is not None
                mails = [
                    (nouns.mail_id(row["id"], each, row["asked_at"]), row["id"], tenant, lane, each.value)
                    for each in what
                ]
                await conn.executemany(_SQL.add_mail, mails)
                asked.append((row["id"], True))
            if new:
                ids = [id for id, is_new in asked if is_new]
                after = json.dumps({"proofs": ids, "mails": [each.value for each in what]})
                await conn.execute(
                    _SHARED.write_audit, actor, "proof.ask", tenant, f"{len(ids)} lanes", None, after, None
                )
            return asked

    async def proofs(self, viewer: Viewer, ids: Sequence[int]) -> list[Proof]:
        async with self._as(viewer) as conn:
            return await _proofs(conn, viewer.tenant, ids)

    # Judging --------------------------------------------------------------------------------------------------------------

    async def open(self, most: int) -> list[tuple[Proof, Lane]]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.open, most)
            if not rows:
                return []
            found = {each.id: each for each in await _proofs(conn, None, [row["id"] for row in rows])}
            lanes = sorted({row["lane"] for row in rows})
            blocked = {
                row["covered_lane"]: stop_from_row(row).for_tenants.sentence
                for row in known(await conn.fetch(_SHARED.why_stopped, lanes))
            }
            blocked |= {
                row["covered_lane"]: hold_from_row(row).sentence
                for row in await conn.fetch(_SHARED.why_held, lanes)
            }
            outflow = await conn.fetchrow(_SHARED.outflow)
        assert outflow is not None
        way_out = Outflow(**outflow)
        dispatcher = not health.silent(way_out.dispatch_beat, way_out.now)
        return [
            (
                found[row["id"]],
                Lane(blocked=blocked.get(row["lane"]), parts=_json(row["parts_now"]), dispatcher=dispatcher),
            )
            for row in rows
            if row["id"] in found
        ]

    async def set_scope(self, proof: int, scope: Scope) -> None:
        document = json.dumps(dataclasses.asdict(scope))
        async with connection_pool.acquire(self._control) as conn:
            await conn.execute(_SQL.set_scope, proof, document)

    async def end(self, proof: Proof, verdict: Verdict, *, actor: str) -> None:
        faults = json.dumps([dataclasses.asdict(each) for each in verdict.faults])
        async with connection_pool.transaction(self._control) as conn:
            ended = await conn.fetchrow(
                _SQL.end_proof, proof.id, verdict.proved, verdict.because, faults, verdict.counts
            )
            if ended is not None:
                if ended["read_again"] is not None:
                    await conn.execute(_FINDINGS.look_at_set, ended["read_again"])
                what = "proof.proved" if verdict.proved else "proof.failed"
                object = f"lane {proof.slug} / {proof.type}, proof {proof.id}"
                await conn.execute(
                    _SHARED.write_audit, actor, what, proof.tenant, object, None, None, verdict.because
                )

    async def observers(self) -> list[Mapping[str, Any]]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.observers)
        return [json.loads(row["facts"]) for row in rows if not health.silent(row["beat"], row["now"])]

    async def purge(self, older_ms: int, kept_of_lane: int, most: int) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return int((await conn.execute(_SQL.purge, older_ms, kept_of_lane, most)).rpartition(" ")[2])


async def _proofs(conn: PooledConnection, tenant: int | None, ids: Sequence[int]) -> list[Proof]:
    rows = await conn.fetch(_SQL.proofs, tenant, list(ids))
    numbers = [row["id"] for row in rows]
    events: dict[int, list[EventSeen]] = {}
    for row in await conn.fetch(_SQL.events, numbers):
        events.setdefault(row["mail"], []).append(_event(row))
    mails: dict[int, list[Mail]] = {}
    for row in await conn.fetch(_SQL.mails, numbers):
        mails.setdefault(row["proof"], []).append(_mail(row, events.get(row["id"], [])))
    return [_proof(row, mails.get(row["id"], [])) for row in rows]


def _proof(row: asyncpg.Record, mails: Sequence[Mail]) -> Proof:
    scope = _json(row["scope"])
    return Proof(
        id=row["id"],
        tenant=row["tenant"],
        slug=row["slug"],
        lane=row["lane"],
        type=row["type_name"],
        class_=Class(row["class"]),
        asked_at=row["asked_at"],
        asked_by=row["asked_by"],
        limit_ms=row["limit_ms"],
        scope=None if scope is None else Scope(**{name: _tupled(value) for name, value in scope.items()}),
        ended_at=row["ended_at"],
        proved=row["proved"],
        because=row["because"],
        faults=tuple(Fault(each["code"], each["says"]) for each in json.loads(row["faults"])),
        mails=tuple(mails),
    )


def _mail(row: asyncpg.Record, events: Sequence[EventSeen]) -> Mail:
    return Mail(
        id=row["id"],
        what=What(row["what"]),
        state=row["state"],
        called_at=row["called_at"],
        answered_at=row["answered_at"],
        ses_id=row["ses_id"],
        said=row["said"],
        ses_tenant=row["ses_tenant"],
        domain=row["domain"],
        configuration_set=row["configuration_set"],
        events=tuple(events),
    )


def _event(row: asyncpg.Record) -> EventSeen:
    return EventSeen(
        kind=Kind(row["kind"]),
        at=row["at"],
        received_at=row["received_at"],
        ses_id=row["ses_id"],
        queue=row["queue"],
        topic=row["topic"],
        configuration_set=row["configuration_set"],
        ses_tenant=row["ses_tenant"],
        lane=row["attributed_lane"],
        tenant_name=row["slug"],
        type_name=row["type_name"],
        problem=row["problem"],
    )


def _lane(row: asyncpg.Record) -> LaneProof:
    last = None
    if row["id"] is not None:
        last = Last(
            id=row["id"],
            ended_at=row["ended_at"],
            proved=row["proved"],
            because=row["because"] or "",
            parts=_json(row["parts"]),
        )
    return LaneProof(
        lane=row["lane"],
        tenant=row["tenant"],
        type=row["type"],
        last=last,
        parts=_json(row["parts_now"]),
        running=row["running"],
    )


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
