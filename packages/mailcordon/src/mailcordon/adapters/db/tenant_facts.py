"""What is known of tenants, as the control role."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.tenant_facts import TenantFacts, Told
from mailcordon.core.priority import Class
from mailcordon.guard.policy.tiers import Facts, Type

_SQL = queries.load("tenant_facts.sql")
_SHARED = queries.load("shared.sql")


class PostgresFacts:
    """Implements `control.tenant_facts.FactStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def facts(self, slugs: Sequence[str] | None, *, after: int, limit: int) -> list[TenantFacts]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.facts, None if slugs is None else list(slugs), after, limit)
            types: dict[int, list[Type]] = {row["id"]: [] for row in rows}
            for row in await conn.fetch(_SQL.types, list(types)):
                one = Type(name=row["name"], class_=Class(row["class"]), criticality=row["criticality"])
                types[row["tenant"]].append(one)
        return [
            TenantFacts(
                tenant=row["id"],
                slug=row["slug"],
                told=Told(
                    sign_up_source=row["sign_up_source"],
                    signed_up_at=row["signed_up_at"],
                    list_source=row["list_source"],
                    planned_per_day=row["planned_per_day"],
                    payment=row["payment"],
                    owner_group=row["owner_group"],
                ),
                told_at=row["told_at"],
                told_by=row["told_by"],
                facts=Facts(
                    age_days=max(0, row["age_days"]),
                    sign_up_source=row["sign_up_source"],
                    list_source=row["list_source"],
                    planned_per_day=row["planned_per_day"],
                    payment=row["payment"],
                    owner_group=row["owner_group"],
                    types=types[row["id"]],
                ),
                tier=row["tier"],
            )
            for row in rows
        ]

    async def put(self, tenant: int, slug: str, told: Told, *, actor: str, because: str | None) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(
                _SQL.put,
                tenant,
                told.sign_up_source,
                told.signed_up_at,
                told.list_source,
                told.planned_per_day,
                told.payment,
                told.owner_group,
                actor,
            )
            after = json.dumps({name: value for name, value in asdict(told).items() if value is not None})
            about = f"tenant {slug}"
            await conn.execute(
                _SHARED.write_audit, actor, "tenant.facts", tenant, about, None, after, because
            )
