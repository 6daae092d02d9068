"""What events reported about addresses (observe/reports.py), as rows. The functions take a connection in a transaction."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mailcordon.adapters.db import arrays, engine, queries
from mailcordon.core.priority import Class
from mailcordon.core.suppression import Reported, Scope
from mailcordon.observe import suppress
from mailcordon.observe.reports import ListHit, Remembered, Report, TakenBack, Unlist

_SQL = queries.load("address_reports.sql")
_json = msgspec.json.Encoder()

_Address = tuple[int, bytes]


async def remember(connection: engine.Connection, reports: Sequence[Report]) -> list[Remembered]:
    addresses = sorted({(one.tenant, one.hash) for one in reports})
    locks = sorted({_lock_of(*one) for one in addresses})
    await connection.execute(_SQL.lock_addresses, arrays.integers(locks))
    await connection.execute(_SQL.remember, *_columns([_row(one) for one in reports], 9))
    found: dict[_Address, list[Report]] = defaultdict(list)
    for row in await connection.fetch(_SQL.remembered, *_columns(addresses, 2)):
        found[row["tenant"], row["hash"]].append(
            Report(
                tenant=row["tenant"],
                hash=row["hash"],
                key=row["key"],
                kind=Reported(row["kind"]),
                class_=Class(row["class"]),
                at=row["at"],
                cause=row["cause"],
                address=row["address"],
                evidence=json.loads(row["evidence"]),
            )
        )
    removed: dict[_Address, dict[tuple[Scope, int], int]] = defaultdict(dict)
    for row in await connection.fetch(_SQL.removed_by_people, *_columns(addresses, 2)):
        removed[row["tenant"], row["hash"]][Scope(row["scope"]), row["target"]] = row["at"]
    too_much = [one for of_one in found.values() for one in suppress.surplus(of_one)]
    if too_much:
        keys = sorted((one.tenant, one.hash, one.key) for one in too_much)
        await connection.execute(_SQL.forget_reports, *_columns(keys, 3))
    gone = {(one.tenant, one.hash, one.key) for one in too_much}
    return [
        Remembered(
            tenant=tenant,
            hash=hash,
            reports=[one for one in found[tenant, hash] if (tenant, hash, one.key) not in gone],
            removed=removed[tenant, hash],
        )
        for tenant, hash in addresses
    ]


async def lift(connection: engine.Connection, taken_back: Sequence[TakenBack]) -> None:
    rows = sorted((one.tenant, one.hash, int(one.class_), one.at) for one in taken_back)
    await connection.execute(_SQL.lift, *_columns(rows, 4))


async def want_entries(connection: engine.Connection, hits: Sequence[ListHit]) -> None:
    rows = sorted({(one.tenant, one.hash, one.list, one.spelling) for one in hits})
    await connection.execute(_SQL.want_entries, *_columns(rows, 4))


async def deleted_entries(
    connection: engine.Connection, addresses: Iterable[tuple[int, bytes]]
) -> dict[tuple[int, bytes], int]:
    rows = await connection.fetch(_SQL.deleted_entries, *_columns(sorted(set(addresses)), 2))
    found: dict[tuple[int, bytes], int] = {}
    for row in rows:
        if row["deleted_at"] is not None:
            key = (row["tenant"], row["hash"])
            found[key] = max(found.get(key, 0), row["deleted_at"])
    return found


async def unlist(connection: engine.Connection, rows: Sequence[Unlist]) -> None:
    newest: dict[tuple[int, bytes, str], Unlist] = {}
    for one in rows:
        key = (one.tenant, one.hash, one.spelling)
        before = newest.get(key)
        if before is None or (one.since, one.ses_id) > (before.since, before.ses_id):
            newest[key] = one
    columns = [(*key, newest[key].ses_id, newest[key].since, newest[key].due_at) for key in sorted(newest)]
    await connection.execute(_SQL.unlist, *_columns(columns, 6))


def _lock_of(tenant: int, hash: bytes) -> int:
    """A number for advisory locks. Two addresses with one number only wait for each other."""
    return int.from_bytes(hash[:8], "big", signed=True) ^ tenant


def _row(one: Report) -> tuple[Any, ...]:
    evidence = _json.encode(one.evidence).decode().replace("\\u0000", "")
    return (
        one.tenant,
        one.hash,
        one.key,
        int(one.kind),
        int(one.class_),
        one.at,
        one.cause,
        one.address,
        evidence,
    )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[str]:
    return [arrays.mixed(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * width
