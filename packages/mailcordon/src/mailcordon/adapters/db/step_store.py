"""Writes the rows of a plan's steps, inside the transaction that applies it."""

import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.adapters.db import lifecycle_store, policy_rows, queries
from mailcordon.adapters.db.control_store import type_of
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.control import desired, steps
from mailcordon.control.catalogue import MessageType
from mailcordon.control.desired import ConfigurationSet
from mailcordon.control.platform import SHARED_IPS, Platform, Tenant
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict, Unavailable
from mailcordon.core.priority import Class
from mailcordon.messages import identities as words
from mailcordon.messages import mail, paths
from mailcordon.messages import pools as words_of_pools

_SQL = queries.load("step_store.sql")
_CONTROL = queries.load("control_store.sql")
_SHARED = queries.load("shared.sql")


@dataclass(frozen=True, slots=True)
class Applying:
    """What the writers of single steps need."""

    conn: PooledConnection
    after: Platform  #: after all steps of the plan
    ids: Mapping[str, int]  #: tenants by slug, new ones included
    actor: str
    because: str | None
    freed: frozenset[str]  #: domains that the plan takes from a tenant
    new: frozenset[tuple[str, str | None]]  #: lanes that the plan adds: tenant and type


Writer = Callable[[Applying, Step], Coroutine[Any, Any, None]]


async def write(
    conn: PooledConnection,
    done: Sequence[Step],
    after: Platform,
    ids: Mapping[str, int],
    *,
    actor: str,
    because: str | None,
) -> dict[str, int]:
    """Writes all rows but those of SES's resources. Returns the numbers of the tenants that the steps name, by slug."""
    new = [after.tenants[step.tenant] for step in done if step.kind is StepKind.ADD_TENANT]
    named = dict(ids) | await _add_tenants(conn, new)
    freed = {step.domain or "": step.tenant for step in done if step.kind is StepKind.FREE_DOMAIN}
    added = frozenset((step.tenant, step.type) for step in done if step.kind is StepKind.ADD_LANE)
    applying = Applying(conn, after, named, actor, because, frozenset(freed), added)
    await _add_sets(applying, steps.tenants_of(done))
    later = [step for step in done if freed.get(step.domain or step.to or "", step.tenant) != step.tenant]
    await _write(applying, [step for step in done if step not in later])
    await _write(applying, later)  # what other tenants do with a domain, once it is free
    return {slug: named[slug] for slug in steps.tenants_of(done)}


async def _write(applying: Applying, done: Sequence[Step]) -> None:
    await _add_domains(applying, [step for step in done if step.kind is StepKind.ADD_DOMAIN])
    await _add_lanes(applying, [step for step in done if step.kind is StepKind.ADD_LANE])
    for step in done:
        if (writer := _WRITERS.get(step.kind)) is not None:
            await writer(applying, step)


async def _add_tenants(conn: PooledConnection, new: Sequence[Tenant]) -> dict[str, int]:
    if not new:
        return {}
    rows = await conn.fetch(
        _SQL.insert_tenants,
        [each.key for each in new],
        [each.slug for each in new],
        [each.dedicated for each in new],
        [each.ses_tenants for each in new],
    )
    return {row["slug"]: row["id"] for row in rows}


async def _add_domains(applying: Applying, done: Sequence[Step]) -> None:
    if not done:
        return
    conn = applying.conn
    tenants, names = [applying.ids[step.tenant] for step in done], [step.domain for step in done]
    for row in await conn.fetch(_SQL.insert_identities, tenants, names):
        if row["again"]:
            await lifecycle_store.unretire_lanes_on(conn, row["tenant"], row["domain"])
    tokens = [secrets.token_urlsafe(24) for _ in done]
    for tenant, name in zip(tenants, names, strict=True):
        if name in applying.freed:
            await conn.execute(_SQL.move_dkim_keys, tenant, name)
    gone = [name for name in names if name not in applying.freed]
    await conn.execute(_SQL.drop_dkim_keys, gone)
    taken = sorted(applying.freed)
    await conn.execute(_SQL.insert_claims, tenants, names, tokens, applying.actor, taken)


async def _free_domain(applying: Applying, step: Step) -> None:
    conn, id = applying.conn, applying.ids[step.tenant]
    because = applying.because or words.freed_by_plan(applying.actor)
    await conn.execute(_SQL.free_lanes, id, step.domain)
    await conn.execute(_SQL.free_domain, id, step.domain, because)
    await conn.execute(_SQL.end_claim, id, step.domain, because)
    await conn.execute(_SHARED.bump_epoch, "hold")  # dispatchers read again which lanes are held


async def _add_sets(applying: Applying, slugs: Sequence[str]) -> None:
    """Those that everybody shares, and those that these tenants use."""
    sets: dict[str, tuple[ConfigurationSet, int | None]] = {
        one.name: (one, None) for one in desired.shared_sets()
    }
    for slug in slugs:
        for one in desired.sets_of(applying.after.tenants[slug]):
            if one.dedicated:
                sets[one.name] = (one, applying.ids[slug])
    await applying.conn.execute(
        _SQL.insert_sets,
        list(sets),
        [one.kind for one, _ in sets.values()],
        [one.class_ for one, _ in sets.values()],
        [tenant for _, tenant in sets.values()],
    )


async def _add_lanes(applying: Applying, done: Sequence[Step]) -> None:
    if not done:
        return
    conn, ids = applying.conn, applying.ids
    types = {each.name: each for row in await conn.fetch(_CONTROL.types) for each in [type_of(row)]}
    new = [(ids[step.tenant], types[step.type or ""], step) for step in done]
    await conn.execute(
        _SQL.insert_turns, [tenant for tenant, _, _ in new], [type.class_ for _, type, _ in new]
    )
    effective = [type.effective() for _, type, _ in new]
    rows = await conn.fetch(
        _SQL.insert_lanes,
        [tenant for tenant, _, _ in new],
        [type.id for _, type, _ in new],
        [type.class_ for _, type, _ in new],
        [expiry for expiry, _, _ in effective],
        [grace for _, grace, _ in effective],
        [resend for _, _, resend in effective],
    )
    lanes = {(row["tenant"], row["type"]): row["id"] for row in rows}
    routed = await conn.fetch(
        _SQL.insert_routes,
        [lanes[tenant, type.id] for tenant, type, _ in new],
        [tenant for tenant, _, _ in new],
        [_ses_tenant(applying, step, type) for _, type, step in new],
        [step.to for _, _, step in new],
        [_set(applying, step, type) for _, type, step in new],
    )
    if len(routed) != len(new):  # a type or a domain went away since the platform was read
        raise Unavailable(mail.lanes_keep_changing())
    await policy_rows.add(conn, [tenant for tenant, _, _ in new])


def _ses_tenant(applying: Applying, step: Step, type: MessageType) -> str:
    return applying.after.tenants[step.tenant].ses_tenant(type.class_)


def _set(applying: Applying, step: Step, type: MessageType) -> str:
    tenant = applying.after.tenants[step.tenant]
    return desired.set_for(type.class_, tenant.key, dedicated=tenant.dedicated).name


async def _set_mail_from(applying: Applying, step: Step) -> None:
    await applying.conn.execute(_SQL.set_mail_from, applying.ids[step.tenant], step.domain, step.to)


async def _move_lane(applying: Applying, step: Step) -> None:
    await applying.conn.execute(_SQL.move_lane, applying.ids[step.tenant], step.type, step.to)


async def _add_path(applying: Applying, step: Step) -> None:
    """A lane that begins to send begins on the shared path; one that sends stays on its own. A rollout moves both."""
    class_ = applying.after.tenants[step.tenant].lanes[step.type or ""].class_
    set_ = desired.set_for(class_, "", dedicated=False).name
    share = 0 if (step.tenant, step.type) in applying.new else 100
    id = applying.ids[step.tenant]
    await applying.conn.execute(_SQL.add_path, id, step.type, step.to, set_, share)
    await applying.conn.execute(_SQL.share_own_path, id, step.type, share)


async def _drop_path(applying: Applying, step: Step) -> None:
    """Raises Conflict while mail takes the shared path, or has no outcome yet."""
    conn, id = applying.conn, applying.ids[step.tenant]
    row = await conn.fetchrow(_SQL.use_of_shared_path, id, step.type)
    if row is None:
        return
    if row["share"]:
        raise Conflict(paths.still_shared(step.tenant, step.type or "", row["share"]), code="path-in-use")
    if row["waiting"]:
        raise Conflict(paths.still_waiting(step.tenant, step.type or ""), code="path-in-use")
    await conn.execute(_SQL.drop_path, id, step.type)


async def _set_topology(applying: Applying, step: Step) -> None:
    tenant, id = applying.after.tenants[step.tenant], applying.ids[step.tenant]
    await applying.conn.execute(_SQL.set_topology, id, tenant.dedicated, tenant.ses_tenants)
    await applying.conn.execute(_SQL.move_routes, id, *_ways(tenant))


def _ways(tenant: Tenant) -> tuple[list[Class], list[str], list[str]]:
    """The classes of its lanes, and the configuration set and SES tenant of each."""
    sets = [one.name for one in desired.sets_of(tenant)]
    return tenant.classes, sets, [tenant.ses_tenant(class_) for class_ in tenant.classes]


async def _set_pool(applying: Applying, step: Step) -> None:
    """The routes follow once SES has it (`follow_pools`)."""
    class_, pool = steps.parse_pool(step.to or "")
    conn, id, actor = applying.conn, applying.ids[step.tenant], applying.actor
    because = applying.because or words_of_pools.by_plan(actor)
    await conn.execute(_SQL.leave_pool, id, class_, actor, because)
    if pool != SHARED_IPS:
        await conn.execute(_SQL.join_pool, id, class_, pool, class_ == Class.MARKETING, actor, because)


async def _retire(applying: Applying, step: Step) -> None:
    await lifecycle_store.write(applying.conn, step, applying.ids[step.tenant], actor=applying.actor)


async def _unretire(applying: Applying, step: Step) -> None:
    conn, id = applying.conn, applying.ids[step.tenant]
    await lifecycle_store.write(conn, step, id, actor=applying.actor)
    # The topology may have changed while the lane was retired.
    await conn.execute(_SQL.move_routes, id, *_ways(applying.after.tenants[step.tenant]))


async def switch_routes(conn: PooledConnection) -> list[int]:
    """Moves the routes whose new sets and SES tenants are at SES. Returns their tenants."""
    return sorted({row["tenant"] for row in await conn.fetch(_SQL.switch_routes)})


async def follow_pools(conn: PooledConnection) -> bool:
    """Routes get the IP pools that SES has for their sets by now. Whether one did."""
    return bool(await conn.fetch(_SQL.follow_pools, SHARED_IPS))


#: Steps that are written one by one.
_WRITERS: Mapping[StepKind, Writer] = {
    StepKind.SET_MAIL_FROM: _set_mail_from,
    StepKind.MOVE_LANE: _move_lane,
    StepKind.SET_TOPOLOGY: _set_topology,
    StepKind.SET_POOL: _set_pool,
    StepKind.ADD_PATH: _add_path,
    StepKind.DROP_PATH: _drop_path,
    StepKind.FREE_DOMAIN: _free_domain,
    StepKind.RETIRE_LANE: _retire,
    StepKind.RETIRE_DOMAIN: _retire,
    StepKind.RETIRE_TENANT: _retire,
    StepKind.UNRETIRE_LANE: _unretire,
    StepKind.UNRETIRE_DOMAIN: _unretire,
    StepKind.UNRETIRE_TENANT: _unretire,
}
