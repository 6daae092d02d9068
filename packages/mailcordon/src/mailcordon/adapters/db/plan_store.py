"""Plans, as the control role: what they change, who decided, and what became of each call to SES."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, platform_reader, queries, step_store
from mailcordon.adapters.db.driver_errors import DEADLOCK
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control import desired, steps
from mailcordon.control.desired import Resource, Settings
from mailcordon.control.draft import Call, Draft, Have, Key, Wanted
from mailcordon.control.plan import Change
from mailcordon.control.plans import Plan, Source, State, Transaction
from mailcordon.control.platform import Platform, Tenant
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.work import Work
from mailcordon.core.errors import Unavailable
from mailcordon.messages import api
from mailcordon.messages import plans as plan_messages

_SQL = queries.load("plan_store.sql")
_PROVISION = queries.load("provision_store.sql")
_SHARED = queries.load("shared.sql")
MOST_CALLS = 10_000  #: of one plan that are shown; a plan of a large file has more
NOT_LATE = (0, 0, 0)
_ADDITIONS = frozenset({StepKind.ADD_TENANT, StepKind.ADD_DOMAIN, StepKind.ADD_LANE})


async def lock(conn: PooledConnection) -> None:
    """Keeps others from changing the desired state until this transaction ends."""
    await conn.execute(_SQL.be_patient)
    await conn.execute(_SQL.lock_desired)


@asynccontextmanager
async def locked(pool: Pool) -> AsyncGenerator[PooledConnection]:
    """One transaction under the lock of the desired state. Raises Unavailable after a deadlock with others who lock lanes."""
    try:
        async with connection_pool.transaction(pool) as conn:
            await lock(conn)
            yield conn
    except DEADLOCK as error:
        raise Unavailable(api.lanes_locked(), code="busy") from error


async def record(
    conn: PooledConnection,
    kind: str,
    name: str,
    done: Sequence[Change],
    failed: Sequence[tuple[Change, str]],
    *,
    is_settled: bool,
) -> None:
    """Writes what became of a resource's changes into the plans that are being applied, and ends those whose last change it was.
    Call it in the transaction that records the resource, after its row was written. `failed` has SES's words for each change that
    was refused. `is_settled`: the row has not changed since it was read, so no plan was applied meanwhile; if it is `applied`, or
    gone, the other changes are not needed any more."""
    ended = await conn.fetch(_SQL.done, kind, name, [change.key for change in done]) if done else []
    for change, words in failed:
        await conn.execute(_SQL.failed, kind, name, change.key, words)
    if is_settled and not failed:
        ended += await conn.fetch(_SQL.needless, kind, name)
    if ended:
        await conn.execute(_SQL.end_plans, sorted({row["plan"] for row in ended}))


async def propose(
    conn: PooledConnection, changes: Sequence[Change], *, tenant: int | None, because: str, actor: str
) -> int:
    """Stores a plan of the source `control` that repairs something at SES and waits for a person. Returns its number."""
    revision = await conn.fetchval(_SHARED.epoch, "desired")
    id = await conn.fetchval(_SQL.insert_plan, revision, "control", tenant, "[]", actor, because, "[]", None)
    calls = [Call(change=change, tenant=None) for change in changes]
    await _insert_calls(conn, id, calls, [tenant] * len(calls))
    return id


class StoredTransaction:
    """One transaction on the desired state."""

    def __init__(self, conn: PooledConnection, late_ms: Sequence[int] = NOT_LATE) -> None:
        self.conn = conn
        self._late_ms = list(late_ms)
        self._ids: dict[str, int] = {}

    async def platform(self, slugs: Sequence[str], domains: Sequence[str]) -> Platform:
        return self._known(await platform_reader.some(self.conn, slugs, domains))

    async def whole(self) -> Platform:
        return self._known(await platform_reader.whole(self.conn))

    def _known(self, read: platform_reader.Read) -> Platform:
        self._ids |= read.ids
        return read.platform

    async def have(self, slugs: Sequence[str] | None) -> dict[Key, Have]:
        tenants = None if slugs is None else [self._ids[slug] for slug in slugs if slug in self._ids]
        rows = await self.conn.fetch(_SQL.have, tenants)
        # All resources of a large platform take seconds to read: not in the loop, which accepts mail too.
        return await asyncio.to_thread(_have, rows)

    async def revision(self) -> int:
        return await self.conn.fetchval(_SHARED.epoch, "desired")

    async def sets(self) -> int:
        return await self.conn.fetchval(_SQL.count_sets)

    async def insert(
        self, draft: Draft, *, source: Source, actor: str, because: str | None, settings: Settings | None
    ) -> int:
        touched = draft.tenants
        await self._number(touched)
        id = await self.conn.fetchval(
            _SQL.insert_plan,
            draft.revision,
            source,
            self._ids.get(touched[0]) if len(touched) == 1 else None,
            json.dumps([_step_json(step) for step in draft.steps]),
            actor,
            because,
            json.dumps(draft.notes),
            None if settings is None else json.dumps(dataclasses.asdict(settings)),
        )
        await _insert_calls(
            self.conn, id, draft.calls, [self._ids.get(call.tenant or "") for call in draft.calls]
        )
        return id

    async def stored(self, id: int) -> Plan | None:
        await self.conn.execute(_SQL.lock_plan, id)
        return await _get(self.conn, id, calls=0)

    async def settings_of(self, id: int) -> Settings | None:
        row = await self.conn.fetchrow(_SQL.plan, id)
        return None if row is None or row["settings"] is None else Settings(**json.loads(row["settings"]))

    async def waiting_settings(self) -> list[int]:
        return [row["id"] for row in await self.conn.fetch(_SQL.waiting_settings)]

    async def last_applied(self) -> Plan | None:
        id = await self.conn.fetchval(_SQL.last_applied)
        return None if id is None else await _get(self.conn, id, calls=0)

    async def outdate(self, ids: Sequence[int]) -> None:
        if ids:
            await self.conn.execute(_SQL.outdate, ids)

    async def carry_out(
        self,
        id: int,
        draft: Draft,
        *,
        actor: str,
        because: str | None,
        work: Work,
        later: Sequence[str] = (),
    ) -> list[int]:
        conn = self.conn
        await self._number(draft.tenants)
        before = set(self._ids)
        named = await step_store.write(
            conn, draft.steps, draft.after, self._ids, actor=actor, because=because
        )
        self._ids |= named
        await self.want(draft.wishes, work=work)
        await self._supersede(id, [wish.resource for wish in draft.wishes.values() if wish.wanted])
        await conn.execute(_SQL.name_tenants, id)
        if later:
            await conn.execute(_SQL.set_later, id, list(later))
        if len(named) == 1:
            await conn.execute(_SQL.name_plan, id, next(iter(named.values())))
        open_calls = await conn.fetchval(_SQL.open_calls, id)
        await conn.execute(_SQL.decide, id, "applying" if open_calls else "applied", actor, because)
        await conn.execute(_SQL.wait_for_mail, id)
        await conn.execute(_SQL.release, id, self._late_ms)
        gone = [wish.resource for wish in draft.wishes.values() if not wish.wanted]
        if gone:
            await conn.execute(
                _PROVISION.put_off, [one.kind.word for one in gone], [one.name for one in gone]
            )
        if not draft.wishes:
            await conn.execute(_SQL.make_due, id, work)
        await _audit_steps(conn, draft, named, before, actor, because, id)
        if not named:
            await _audit_plan(conn, "plan.apply", id, {"calls": open_calls}, actor, because)
        if draft.steps or draft.wishes:
            await conn.execute(_SQL.outdate_others, id)
            await conn.execute(_SHARED.bump_epoch, "desired")
            await conn.execute(_SHARED.bump_epoch, "control")
        return sorted(named.values())

    async def later(self, id: int) -> list[str]:
        return list(await self.conn.fetchval(_SQL.later, id) or ())

    async def carry_on(self, id: int, draft: Draft, *, actor: str, because: str | None, work: Work) -> None:
        conn = self.conn
        await self._number(draft.tenants)
        before = set(self._ids)
        named = await step_store.write(
            conn, draft.steps, draft.after, self._ids, actor=actor, because=because
        )
        self._ids |= named
        await self.want(draft.wishes, work=work)
        await conn.execute(_SQL.name_new_tenants, id, list(named.values()))
        await conn.execute(_SQL.written, id, list(named))
        await _audit_steps(conn, draft, named, before, actor, because, id)
        await conn.execute(_SQL.outdate_others, id)
        await conn.execute(_SHARED.bump_epoch, "desired")
        await conn.execute(_SHARED.bump_epoch, "control")

    async def leave_out(self, id: int, slug: str, done: Sequence[Step], *, actor: str, why: str) -> None:
        conn, owners = self.conn, steps.owners_of(done)
        calls = await conn.fetch(_SQL.calls_after, id, 0, None)
        own = [row["seq"] for row in calls if row["slug"] is None and _owner(row["name"], owners) == slug]
        await conn.execute(_SQL.leave_out, id, own, why)
        await conn.execute(_SQL.note, id, plan_messages.left_out(slug, why))
        await conn.execute(_SQL.written, id, [slug])
        await _audit_plan(conn, "plan.leave-out", id, {"tenant": slug}, actor, why)
        await conn.execute(_SQL.end_plans, [id])

    async def _number(self, slugs: Iterable[str]) -> None:
        """Reads the numbers of those of these tenants that exist."""
        if unknown := [slug for slug in slugs if slug not in self._ids]:
            self._ids |= {row["slug"]: row["id"] for row in await self.conn.fetch(_SQL.numbers, unknown)}

    async def want(self, wishes: Mapping[Key, Wanted], *, work: Work) -> None:
        rows = [wish for wish in wishes.values() if wish.wanted]
        if rows:
            await self.conn.execute(
                _SQL.want,
                [wish.resource.kind.word for wish in rows],
                [wish.resource.name for wish in rows],
                [int(wish.resource.kind) for wish in rows],
                [self._ids[wish.tenant] if wish.tenant is not None else None for wish in rows],
                [json.dumps(wish.resource.want) for wish in rows],
                work,
            )
        gone = [wish.resource for wish in wishes.values() if not wish.wanted]
        if gone:
            await self.conn.execute(
                _SQL.unwant, [each.kind.word for each in gone], [each.name for each in gone], work
            )

    async def _supersede(self, id: int, wanted: Sequence[Resource]) -> None:
        """Ends the calls of earlier plans that would take away what is wanted again."""
        ended = await self.conn.fetch(
            _SQL.supersede,
            id,
            [one.kind.word for one in wanted],
            [one.name for one in wanted],
            [json.dumps(one.want.get("resources", [])) for one in wanted],
        )
        if ended:
            await self.conn.execute(_SQL.end_plans, sorted({row["plan"] for row in ended}))

    async def reject(self, id: int, *, actor: str, because: str) -> None:
        await self.conn.execute(_SQL.decide, id, "rejected", actor, because)
        await _audit_plan(self.conn, "plan.reject", id, None, actor, because)


class PlanStore:
    def __init__(self, pool: Pool, late_ms: Sequence[int] = NOT_LATE) -> None:
        """`late_ms`: by class, how long SES may report on mail after its call."""
        self._pool = pool
        self._late_ms = list(late_ms)

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[Transaction]:
        async with locked(self._pool) as conn:
            yield StoredTransaction(conn, self._late_ms)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Transaction]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            yield StoredTransaction(conn, self._late_ms)

    async def get(self, id: int) -> Plan | None:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            return await _get(conn, id, calls=MOST_CALLS)

    async def newest(self, *, state: State | None, before: int | None, limit: int) -> list[Plan]:
        async with connection_pool.acquire(self._pool) as conn:
            return [_plan(row) for row in await conn.fetch(_SQL.plans, state, before, limit)]

    async def in_parts(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            return [row["id"] for row in await conn.fetch(_SQL.in_parts)]

    async def steps(self, id: int, *, after: int, limit: int) -> list[Step] | None:
        async with connection_pool.acquire(self._pool) as conn:
            found = await conn.fetchval(_SQL.steps_after, id, after, limit)
        return None if found is None else [_step(each) for each in json.loads(found)]

    async def calls(self, id: int, *, after: int, limit: int) -> list[Call] | None:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            row = await conn.fetchrow(_SQL.plan, id)
            if row is None:
                return None
            owners = steps.owners_of(_plan(row).steps)
            return [_call(each, owners) for each in await conn.fetch(_SQL.calls_after, id, after, limit)]

    async def follow(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            # The plan is over once SES has the pool: this is what is left of it.
            if await step_store.follow_pools(conn):
                await conn.execute(_SHARED.bump_epoch, "control")
            if not await conn.fetchval(_SQL.applying):
                return []
        async with connection_pool.transaction(self._pool) as conn:
            await lock(conn)
            moved = await step_store.switch_routes(conn)
            if moved:
                await conn.execute(_SHARED.bump_epoch, "control")
            await conn.execute(_SQL.release, None, self._late_ms)
            await conn.execute(_SQL.end_finished)
            return moved


def _have(rows: Sequence[asyncpg.Record]) -> dict[Key, Have]:
    found: dict[Key, Have] = {}
    for row in rows:
        kind = desired.parse_kind(row["kind"])
        resource = Resource(kind, row["name"], json.loads(row["desired"]), row["slug"] is None)
        found[kind, row["name"]] = Have(
            resource=resource,
            wanted=row["wanted"],
            tenant=row["slug"],
            observed=None if row["observed"] is None else json.loads(row["observed"]),
        )
    return found


async def _insert_calls(
    conn: PooledConnection, id: int, calls: Sequence[Call], tenants: Sequence[int | None]
) -> None:
    changes = [call.change for call in calls]
    await conn.execute(
        _SQL.insert_changes,
        id,
        [change.resource.kind.word for change in changes],
        [change.resource.name for change in changes],
        [change.action for change in changes],
        [change.member or "" for change in changes],
        tenants,
        [None if change.was is None else json.dumps(change.was) for change in changes],
        [None if change.removes else json.dumps(change.resource.want) for change in changes],
        [call.waits for call in calls],
    )


async def _audit_steps(
    conn: PooledConnection,
    draft: Draft,
    named: Mapping[str, int],
    before: set[str],
    actor: str,
    because: str | None,
    id: int,
) -> None:
    """One row for each tenant that changes."""
    by_tenant: dict[str, list[Step]] = {slug: [] for slug in named}
    for step in draft.steps:
        by_tenant[step.tenant].append(step)
    for slug, done in by_tenant.items():
        tenant = draft.after.tenants[slug]
        adds = all(step.kind in _ADDITIONS for step in done)
        action = "tenant.onboard" if slug not in before else "tenant.extend" if adds else "tenant.change"
        after = json.dumps(_audited(tenant, done, id))
        await conn.execute(
            _SHARED.write_audit, actor, action, named[slug], f"tenant {slug}", None, after, because
        )


def _audited(tenant: Tenant, done: Sequence[Step], id: int) -> dict[str, Any]:
    lanes = {step.type: step.to for step in done if step.kind is StepKind.ADD_LANE}
    said: dict[str, Any] = {"key": tenant.key, "dedicated": tenant.dedicated, "lanes": lanes, "plan": id}
    others = [steps.says(step) for step in done if step.kind not in _ADDITIONS]
    return said | ({"steps": others} if others else {})


async def _audit_plan(
    conn: PooledConnection,
    action: str,
    id: int,
    after: Mapping[str, Any] | None,
    actor: str,
    because: str | None,
) -> None:
    said = None if after is None else json.dumps(after)
    await conn.execute(_SHARED.write_audit, actor, action, None, f"plan {id}", None, said, because)


async def _get(conn: PooledConnection, id: int, *, calls: int) -> Plan | None:
    """With its first `calls`."""
    row = await conn.fetchrow(_SQL.plan, id)
    if row is None:
        return None
    touched = {each["slug"] for each in await conn.fetch(_SQL.touched, id)} if calls else set[str]()
    made = _plan(row)
    owners = steps.owners_of(made.steps)
    return dataclasses.replace(
        made,
        calls=tuple(_call(each, owners) for each in await conn.fetch(_SQL.changes, id, calls)),
        actions={each["what"]: each["n"] for each in await conn.fetch(_SQL.actions, id)} if calls else {},
        tenants=tuple(sorted(touched | {step.tenant for step in made.steps})),
    )


def _plan(row: asyncpg.Record) -> Plan:
    return Plan(
        id=row["id"],
        revision=row["revision"],
        source=row["source"],
        state=row["state"],
        steps=tuple(_step(each) for each in json.loads(row["steps"])),
        made_at=row["made_at"],
        made_by=row["made_by"],
        because=row["because"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        decided_because=row["decided_because"],
        ended_at=row["ended_at"],
        counts=json.loads(row["counts"] or "{}"),
        notes=tuple(json.loads(row["notes"])),
        later=len(row["later"]),
    )


def _call(row: asyncpg.Record, owners: Mapping[str, str]) -> Call:
    """`owners`: the tenants that the plan adds, which have no row before it is applied."""
    slug = row["slug"] or _owner(row["name"], owners)
    resource = Resource(
        desired.parse_kind(row["kind"]),
        row["name"],
        {} if row["want"] is None else json.loads(row["want"]),
        slug is None,
    )
    was = None if row["was"] is None else json.loads(row["was"])
    return Call(
        change=Change(resource, row["action"], row["member"] or None, was),
        tenant=slug,
        waits=row["waits"],
        state=row["state"],
        outcome=row["outcome"],
        at=row["at"],
        for_mail=row["for_mail"],
    )


def _owner(name: str, owners: Mapping[str, str]) -> str | None:
    """Names at SES are a domain, or a tenant's key with its class and destination behind it: `mc-...-urgent/outcome`."""
    whole = name.partition("/")[0]
    return owners.get(whole) or owners.get(whole.rpartition("-")[0])


def _step_json(step: Step) -> dict[str, str]:
    return {name: value for name, value in dataclasses.asdict(step).items() if value is not None}


def _step(members: Mapping[str, Any]) -> Step:
    others = {name: value for name, value in members.items() if name != "kind"}
    return Step(kind=StepKind(members["kind"]), **others)
