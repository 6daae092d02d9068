"""Reads the platform as it is desired, whole or some tenants of it: a handful of queries, whatever the number of tenants."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.control.platform import SHARED_IPS, Domain, IpPool, Lane, Platform, Tenant
from mailcordon.core.priority import Class

_SQL = queries.load("platform_reader.sql")
_FEW_DOMAINS = 20  #: each is compared with the domains of all tenants
_FEW_TENANTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    platform: Platform
    ids: Mapping[str, int]  #: number of each tenant, by slug


async def whole(conn: PooledConnection) -> Read:
    """All tenants. Best in a transaction that sees one snapshot, or under the onboarding lock."""
    return await _read(conn, None, ())


async def some(conn: PooledConnection, slugs: Sequence[str], domains: Sequence[str] = ()) -> Read:
    """The tenants with these slugs that exist. `elsewhere` has what others have of `domains`, or above or below them."""
    return await _read(conn, list(slugs), domains)


async def _read(conn: PooledConnection, slugs: list[str] | None, asked: Sequence[str]) -> Read:
    revision = await conn.fetchval(_SQL.revision)
    types = await conn.fetch(_SQL.classes)
    tenants = await conn.fetch(_SQL.tenants, slugs)
    ids = None if slugs is None else [row["id"] for row in tenants]
    domains = await conn.fetch(_SQL.domains, ids)
    lanes = await conn.fetch(_SQL.lanes, ids)
    shared = await conn.fetch(_SQL.shared_parents)
    pools = await conn.fetch(_SQL.pools)
    pooled = await conn.fetch(_SQL.pooled, ids, SHARED_IPS)
    paths = await conn.fetch(_SQL.shared_paths)
    elsewhere: Sequence[asyncpg.Record] = []
    if ids is not None and asked:
        statement = _SQL.elsewhere if len(asked) <= _FEW_DOMAINS else _SQL.elsewhere_of_many
        elsewhere = await conn.fetch(statement, ids, list(asked))
    if len(tenants) <= _FEW_TENANTS:
        return _built(revision, types, tenants, domains, lanes, elsewhere, shared, pools, pooled, paths)
    # Not in the loop, which accepts mail too.
    return await asyncio.to_thread(
        _built, revision, types, tenants, domains, lanes, elsewhere, shared, pools, pooled, paths
    )


def _built(
    revision: int,
    types: Sequence[asyncpg.Record],
    tenants: Sequence[asyncpg.Record],
    domains: Sequence[asyncpg.Record],
    lanes: Sequence[asyncpg.Record],
    elsewhere: Sequence[asyncpg.Record],
    shared: Sequence[asyncpg.Record],
    pools: Sequence[asyncpg.Record],
    pooled: Sequence[asyncpg.Record],
    paths: Sequence[asyncpg.Record],
) -> Read:
    domains_of: dict[int, dict[str, Domain]] = {row["id"]: {} for row in tenants}
    for row in domains:
        domain = Domain(
            name=row["domain"],
            mail_from=row["mail_from"],
            mail_from_chosen=row["mail_from_chosen"],
            retired=row["retired"],
            freed=row["freed"],
        )
        domains_of[row["tenant"]][domain.name] = domain
    lanes_of: dict[int, dict[str, Lane]] = {row["id"]: {} for row in tenants}
    classes = {int(class_): class_ for class_ in Class}
    for row in lanes:
        lane = Lane(
            type=row["type"],
            class_=classes[row["class"]],
            domain=row["domain"],
            retired=row["retired"],
            shared_path=row["shared_path"],
            rollout=row["rollout"],
        )
        lanes_of[row["tenant"]][lane.type] = lane
    pools_of: dict[int, dict[Class, str]] = {row["id"]: {} for row in tenants}
    for row in pooled:
        if row["tenant"] in pools_of:
            pools_of[row["tenant"]][classes[row["class"]]] = row["pool"]
    platform = Platform(
        revision=revision,
        tenants={
            row["slug"]: Tenant(
                slug=row["slug"],
                key=row["key"],
                dedicated=row["dedicated"],
                ses_tenants=row["ses_tenants"],
                domains=domains_of[row["id"]],
                lanes=lanes_of[row["id"]],
                pools=pools_of[row["id"]],
                retired=row["retired"],
            )
            for row in tenants
        },
        types={row["name"]: classes[row["class"]] for row in types if not row["retired"]},
        elsewhere=frozenset(row["domain"] for row in elsewhere),
        shared_parents=frozenset(row["domain"] for row in shared),
        pools={
            row["name"]: IpPool(name=row["name"], managed=row["managed"], marketing=row["marketing"])
            for row in pools
        },
        shared_paths=frozenset(row["name"] for row in paths),
    )
    return Read(platform=platform, ids={row["slug"]: row["id"] for row in tenants})
