"""Writes what applies to each lane: its policy, and the limits of its tenant that dispatchers obey. In the caller's transaction,
which holds the lock of the desired state, so that no lane is made between two versions.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mailcordon.adapters.db import limit_store, queries
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.adapters.db.lane_policy_row import document_of
from mailcordon.control.policies import InForce, PolicyLane
from mailcordon.core.limit import DEFAULT_OWNER, Limit
from mailcordon.core.priority import Class
from mailcordon.guard.policy import document, layers, limits, new_sender
from mailcordon.guard.policy.document import PolicyDocument
from mailcordon.guard.policy.effective import Explained, NewSenderPolicy
from mailcordon.guard.policy.limits import LaneOf
from mailcordon.guard.policy.new_sender import Record

_SQL = queries.load("policy_store.sql")


async def in_force(conn: PooledConnection) -> InForce:
    row = await conn.fetchrow(_SQL.in_force)
    if row is None:
        return InForce(version=0)
    given, read = _read(row["document"])
    return InForce(version=row["version"], document=given, read=read)


@functools.lru_cache(maxsize=2)
def _read(text: str) -> tuple[Mapping[str, Any], PolicyDocument]:
    given = json.loads(text)
    return given, document.parse(given)


async def lanes(conn: PooledConnection, tenants: Sequence[int] | None) -> list[PolicyLane]:
    rows = await conn.fetch(_SQL.lanes, None if tenants is None else list(tenants))
    classes = {int(class_): class_ for class_ in Class}
    return [
        PolicyLane(
            lane=row["id"],
            tenant=row["tenant"],
            slug=row["slug"],
            type=row["type"],
            class_=classes[row["class"]],
            criticality=row["criticality"],
        )
        for row in rows
    ]


async def add(conn: PooledConnection, tenants: Sequence[int]) -> None:
    """The policies and limits of tenants that have new lanes or keys."""
    found = await in_force(conn)
    of = await lanes(conn, sorted(set(tenants)))
    explaining = layers.Explaining(found.read, found.version)
    await _write(conn, of, [explaining.of(one.slug, one.type, one.class_) for one in of])


async def write_next(conn: PooledConnection, most: int) -> bool:
    """Gives the version in force to the next tenants that do not have it yet. Returns whether more are left."""
    row = await conn.fetchrow(_SQL.unwritten, most)
    if row is None:
        return False
    tenants: list[int] = row["tenants"]
    await add(conn, tenants)
    await conn.execute(_SQL.written, row["id"], len(tenants))
    return len(tenants) == most


async def _write(conn: PooledConnection, of: Sequence[PolicyLane], explained: Sequence[Explained]) -> None:
    """`of`: all lanes of each tenant that is named, since a tenant's limits are replaced whole."""
    new = {row["id"] for row in await conn.fetch(_SQL.maybe_new, [one.lane for one in of])}
    documents, places = _documents(explained)
    await conn.execute(
        _SQL.write_lanes, [one.lane for one in of], [one.tenant for one in of], places, documents
    )
    by_tenant: dict[int, list[LaneOf]] = {}
    for lane, one in zip(of, explained, strict=True):
        by_tenant.setdefault(lane.tenant, []).append(
            LaneOf(lane=lane.lane, class_=lane.class_, explained=one)
        )
    keys: dict[int, list[int]] = {}
    for row in await conn.fetch(_SQL.sending_keys, list(by_tenant)):
        keys.setdefault(row["tenant"], []).append(row["id"])
    wanted = [
        (tenant, limits.POLICY, None, limits.of_caps(tenant, own, keys.get(tenant, ())))
        for tenant, own in by_tenant.items()
    ]
    # What stood in until the lanes had a policy goes: a policy may lift it.
    await limit_store.replace_many(
        conn, [*wanted, *((tenant, DEFAULT_OWNER, None, ()) for tenant in by_tenant)]
    )
    senders = {
        lane.lane: (lane.tenant, one.policy.new_sender)
        for lane, one in zip(of, explained, strict=True)
        if lane.lane in new
    }
    if senders:
        await write_new_senders(conn, senders)


def _documents(explained: Sequence[Explained]) -> tuple[list[str], list[int]]:
    """The policies as JSON, each once, and for each lane its place among them, counted from 1."""
    documents: list[str] = []
    known: dict[int, int] = {}
    places: list[int] = []
    for one in explained:
        if id(one.policy) not in known:
            documents.append(document_of(one.policy))
            known[id(one.policy)] = len(documents)
        places.append(known[id(one.policy)])
    return documents, places


async def write_new_senders(conn: PooledConnection, of: Mapping[int, tuple[int, NewSenderPolicy]]) -> None:
    """The cap of today of each lane, by lane; none for one that is not new any more."""
    today: int = await conn.fetchval(_SQL.today)
    records = {
        row["lane"]: Record(age_days=row["age_days"], active_days=row["active_days"], busiest=row["busiest"])
        for row in await conn.fetch(_SQL.records, list(of), today)
    }
    wanted: list[tuple[int, str, int | None, Sequence[Limit]]] = []
    for lane, (tenant, policy) in of.items():
        cap = new_sender.cap(policy, records.get(lane, Record()))
        one = () if cap is None else (limits.of_new_sender(tenant, lane, cap.mails, cap.because),)
        wanted.append((tenant, limits.NEW_SENDER, lane, one))
    await limit_store.replace_many(conn, wanted)
