"""Implements `control.ip_pools.PoolStore`, as the control role."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, plan_store, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control import desired, ip_pools
from mailcordon.control.desired import Kind
from mailcordon.control.ip_pools import Care, Member, NewPool, PoolView, Sender, Uses
from mailcordon.control.platform import IpPool
from mailcordon.control.pool_health import Address, Trouble, Week
from mailcordon.control.work import Work
from mailcordon.core.errors import Conflict
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.messages import pools as messages

_SQL = queries.load("pool_store.sql")
_PLANS = queries.load("plan_store.sql")
_SHARED = queries.load("shared.sql")
_PROVIDERS = {int(each): each for each in Provider}  #: numbers of a newer version are left out


class PoolStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def pools(self, name: str | None = None) -> list[PoolView]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.pools, name)
            found = [row["name"] for row in rows]
            members = await conn.fetch(_SQL.members, found) if rows else []
            weeks = await conn.fetch(_SQL.weeks, found) if members else []
        members_of: dict[str, list[Member]] = defaultdict(list)
        for row in members:
            members_of[row["pool"]].append(_member(row))
        weeks_of: dict[str, list[Week]] = defaultdict(list)
        for row in weeks:
            if row["provider"] in _PROVIDERS:
                weeks_of[row["pool"]].append(_week(row))
        return [_view(row, members_of[row["name"]], weeks_of[row["name"]]) for row in rows]

    async def create(self, new: NewPool, *, actor: str, because: str) -> None:
        wish = desired.of_pool(IpPool(name=new.name, managed=new.managed, marketing=new.marketing))
        async with connection_pool.transaction(self._pool) as conn:
            await plan_store.lock(conn)
            if await conn.fetchval(_SQL.count_pools) >= ip_pools.MOST:
                raise Conflict(messages.too_many(ip_pools.MOST), code="too-many-pools")
            made = await conn.fetchval(
                _SQL.create_pool,
                *(
                    new.name,
                    new.managed,
                    new.marketing,
                    new.owner,
                    because,
                    new.minimum,
                    new.escalation,
                    actor,
                ),
            )
            if made is None:
                raise Conflict(messages.exists(new.name), code="pool-exists")
            await conn.execute(
                _PLANS.want,
                *(
                    [wish.kind.word],
                    [wish.name],
                    [int(wish.kind)],
                    [None],
                    [json.dumps(wish.want)],
                    Work.REPAIR,
                ),
            )
            await conn.execute(
                *(_SHARED.write_audit, actor, "pool.create", None, f"pool {new.name}", None),
                *(_json(new), because),
            )

    async def change(self, name: str, care: Care, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.pools, name)
            if await conn.fetchval(_SQL.change_pool, name, care.owner, care.minimum, care.escalation) is None:
                raise ip_pools.no_pool(name)
            assert row is not None
            after = {
                member: value
                for member in ("owner", "minimum", "escalation")
                if (value := getattr(care, member)) is not None
            }
            before = {member: row[member] for member in after}
            await conn.execute(
                *(_SHARED.write_audit, actor, "pool.change", None, f"pool {name}"),
                *(json.dumps(before), json.dumps(after), because),
            )

    async def delete(self, name: str, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await plan_store.lock(conn)
            row = await conn.fetchrow(_SQL.pools, name)
            if row is None:
                raise ip_pools.no_pool(name)
            found = await conn.fetch(_SQL.uses, name)
            uses = Uses(**{one["what"]: one["names"] for one in found})
            if (refused := ip_pools.in_use(name, uses)) is not None:
                raise refused
            await conn.execute(_SQL.forget_troubles, name)
            await conn.execute(_SQL.delete_pool, name)
            await conn.execute(_PLANS.unwant, [Kind.IP_POOL.word], [name], Work.REPAIR)
            before = {
                member: row[member] for member in ("managed", "marketing", "owner", "minimum", "because")
            }
            await conn.execute(
                *(_SHARED.write_audit, actor, "pool.delete", None, f"pool {name}"),
                *(json.dumps(before), None, because),
            )

    async def sender(self, slug: str) -> Sender | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.sender, slug)
        if row is None:
            return None
        return Sender(classes=[Class(each) for each in row["classes"] or ()], ses_tenants=row["ses_tenants"])

    async def keep_troubles(self, found: Sequence[tuple[str, Trouble]]) -> None:
        pools, codes = [name for name, _ in found], [each.code for _, each in found]
        providers = [None if each.provider is None else int(each.provider) for _, each in found]
        sentences, nexts = [each.sentence for _, each in found], [each.next for _, each in found]
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.end_troubles, pools, codes, providers)
            if found:
                await conn.execute(_SQL.keep_troubles, pools, codes, providers, sentences, nexts)


def _view(row: asyncpg.Record, members: Sequence[Member], weeks: Sequence[Week]) -> PoolView:
    observed: dict[str, Any] | None = json.loads(row["observed"]) if row["observed"] else None
    return PoolView(
        name=row["name"],
        managed=row["managed"],
        marketing=row["marketing"],
        owner=row["owner"],
        because=row["because"],
        minimum=row["minimum"],
        escalation=row["escalation"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        state=row["state"] or "pending",
        error=row["error"],
        mode_at_ses=None if observed is None else observed.get("mode"),
        addresses=None
        if observed is None
        else [
            Address(ip=str(each["Ip"]), percentage=int(each.get("WarmupPercentage", -1)))
            for each in observed.get("ips") or ()
        ],
        auto_warm_up=row["auto_warm_up"],
        members=members,
        weeks=weeks,
    )


def _member(row: asyncpg.Record) -> Member:
    return Member(
        tenant=row["tenant"],
        class_=Class(row["class"]),
        because=row["because"],
        since=row["since"],
        added_by=row["added_by"],
        at_ses=row["at_ses"],
    )


def _week(row: asyncpg.Record) -> Week:
    return Week(
        provider=_PROVIDERS[row["provider"]],
        days=row["days"],
        sent=row["sent"],
        blocks=row["blocks"],
        complaints=row["complaints"],
    )


def _json(new: NewPool) -> str:
    return json.dumps(
        {
            "managed": new.managed,
            "mail": "marketing" if new.marketing else "transactional",
            "owner": new.owner,
            "minimum": new.minimum,
        }
    )
