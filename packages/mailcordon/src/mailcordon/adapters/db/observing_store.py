"""Implements `control.observing.ObservingStore`, as the control role."""

import json
from collections.abc import Sequence
from datetime import date

from mailcordon.adapters.db import connection_pool, plan_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.observed_mail import rule_from_row
from mailcordon.control import steps
from mailcordon.control.observing import MOST_RULES, Mapped, NewRule, UnmappedMail
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.core.observing import Rule
from mailcordon.messages import observing as messages

_SQL = queries.load("observing_store.sql")
_SHARED = queries.load("shared.sql")


class ObservingStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, rules: Sequence[NewRule], *, replace: bool, actor: str) -> Mapped:
        # Under the lock of the desired state: nobody onboards a tenant of the same name meanwhile.
        async with plan_store.locked(self._pool) as conn:
            types = await _types(conn, rules)
            known = await conn.fetch(_SQL.tenants, sorted({rule.tenant for rule in rules}))
            if retired := [row["slug"] for row in known if row["retired"]]:
                raise Conflict(messages.tenant_retired(slug=retired[0]), code="tenant-retired")
            before = await _there(conn, rules)
            _refuse_conflicts(rules, before, replace=replace)
            tenants = {row["slug"]: row["id"] for row in known}
            new = sorted({rule.tenant for rule in rules} - tenants.keys())
            if new:
                made = await conn.fetch(_SQL.add_tenants, [steps.new_key() for _ in new], new)
                tenants |= {row["slug"]: row["id"] for row in made}
            await conn.execute(
                _SQL.put,
                [rule.by.value for rule in rules],
                [rule.name for rule in rules],
                [rule.value for rule in rules],
                [tenants[rule.tenant] for rule in rules],
                [None if rule.type is None else types[rule.type] for rule in rules],
                [rule.type_tag for rule in rules],
                actor,
            )
            if await conn.fetchval(_SQL.count) > MOST_RULES:
                raise Conflict(messages.too_many_rules(most=MOST_RULES), code="too-many-rules")
            after = await _there(conn, rules)
            changed = [key for key in after if after[key] != before.get(key)]
            for slug in new:
                await _audit(
                    conn, actor, "tenant.observe", tenants[slug], f"tenant {slug}", None, {"slug": slug}
                )
            for key in changed:
                await _audit_rule(conn, actor, "observed-rule.put", before.get(key), after[key])
            if changed:
                await conn.execute(_SHARED.bump_epoch, "control")
            replaced = sum(key in before for key in changed)
            return Mapped(
                rules=[after[_key(rule)] for rule in rules],
                added=len(changed) - replaced,
                replaced=replaced,
                unchanged=len(rules) - len(changed),
                new_tenants=new,
            )

    async def remove(self, id: int, *, actor: str) -> Rule:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.remove, id)
            if row is None:
                raise NotFound(messages.no_rule(id=id))
            rule = rule_from_row(row)
            await _audit_rule(conn, actor, "observed-rule.remove", rule, None)
            await conn.execute(_SHARED.bump_epoch, "control")
            return rule

    async def rules(self, *, tenant: str | None, after: int, limit: int) -> list[Rule]:
        async with connection_pool.acquire(self._pool) as conn:
            return [rule_from_row(row) for row in await conn.fetch(_SQL.rules, tenant, after, limit)]

    async def today(self) -> date:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.today)

    async def unmapped(self, *, since: date, limit: int) -> list[UnmappedMail]:
        async with connection_pool.acquire(self._pool) as conn:
            return [UnmappedMail(**dict(row)) for row in await conn.fetch(_SQL.unmapped, since, limit)]


_Key = tuple[str, str | None, str]


def _key(rule: NewRule | Rule) -> _Key:
    return rule.by.value, rule.name, rule.value


async def _types(conn: PooledConnection, rules: Sequence[NewRule]) -> dict[str, int]:
    named = sorted({rule.type for rule in rules if rule.type is not None})
    types = {row["name"]: row["id"] for row in await conn.fetch(_SQL.types, named)}
    if unknown := [name for name in named if name not in types]:
        place = next(n for n, rule in enumerate(rules) if rule.type in unknown)
        raise Invalid(Fault(f"rules[{place}].type", messages.unknown_types(types=unknown), "unknown-type"))
    return types


async def _there(conn: PooledConnection, rules: Sequence[NewRule]) -> dict[_Key, Rule]:
    rows = await conn.fetch(
        _SQL.there,
        [rule.by.value for rule in rules],
        [rule.name for rule in rules],
        [rule.value for rule in rules],
    )
    return {_key(rule): rule for rule in map(rule_from_row, rows)}


def _refuse_conflicts(rules: Sequence[NewRule], before: dict[_Key, Rule], *, replace: bool) -> None:
    for rule in rules:
        there = before.get(_key(rule))
        if there is None or replace:
            continue
        if (there.tenant_slug, there.type, there.type_tag) != (rule.tenant, rule.type, rule.type_tag):
            value = rule.value if rule.name is None else f"{rule.name}={rule.value}"
            problem = messages.rule_exists(by=rule.by.value, value=value, tenant=there.tenant_slug)
            raise Conflict(problem, code="rule-exists")


async def _audit_rule(
    conn: PooledConnection, actor: str, action: str, before: Rule | None, after: Rule | None
) -> None:
    rule = after or before
    assert rule is not None
    await _audit(conn, actor, action, rule.tenant, f"rule {rule.id}", _shown(before), _shown(after))


def _shown(rule: Rule | None) -> dict[str, object] | None:
    if rule is None:
        return None
    return {
        "by": rule.by.value,
        "name": rule.name,
        "value": rule.value,
        "tenant": rule.tenant_slug,
        "type": rule.type,
        "type_tag": rule.type_tag,
    }


async def _audit(
    conn: PooledConnection,
    actor: str,
    action: str,
    tenant: int,
    object: str,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    await conn.execute(
        _SHARED.write_audit,
        actor,
        action,
        tenant,
        object,
        None if before is None else json.dumps(before),
        None if after is None else json.dumps(after),
        None,
    )
