"""Who else uses what a tenant's lanes use. Implements `control.isolation.IsolationStore`, as the control role."""

from collections.abc import Iterable, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.isolation import NOBODY, Others, SendingKey, Surroundings

_SQL = queries.load("isolation_store.sql")


class IsolationStore:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def surroundings(
        self,
        tenant: int,
        *,
        sets: Sequence[str],
        pools: Sequence[str],
        domains: Sequence[str],
        organisations: Sequence[str],
        most_named: int,
    ) -> Surroundings:
        async with connection_pool.transaction(self._control, snapshot=True) as conn:
            account = await conn.fetchrow(_SQL.others_of_account, tenant, most_named)
            parents = await conn.fetch(_SQL.parents, list(domains))
            keys = await conn.fetch(_SQL.sending_keys, tenant)
            return Surroundings(
                sets=_by_name(await conn.fetch(_SQL.others_of_sets, tenant, list(sets), most_named)),
                pools=_by_name(await conn.fetch(_SQL.others_of_pools, tenant, list(pools), most_named)),
                domains=_by_name(await conn.fetch(_SQL.others_of_domains, tenant, list(domains), most_named)),
                organisations=_by_name(
                    await conn.fetch(_SQL.others_of_organisations, tenant, list(organisations), most_named)
                ),
                parents=tuple(row["domain"] for row in parents),
                account=NOBODY if account is None else _others(account),
                keys=tuple(
                    SendingKey(
                        platform=row["platform"],
                        types=None if row["types"] is None else frozenset(row["types"]),
                    )
                    for row in keys
                ),
                unsubscribe_host=await conn.fetchval(_SQL.unsubscribe_host, tenant),
            )


def _by_name(rows: Iterable[asyncpg.Record]) -> dict[str, Others]:
    return {row["name"]: _others(row) for row in rows}


def _others(row: asyncpg.Record) -> Others:
    return Others(row["number"], tuple(row["named"] or ()))
