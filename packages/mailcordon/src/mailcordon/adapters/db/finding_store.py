"""Findings, as the control role: opened, seen again and ended in the transaction that records the look at SES."""

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, plan_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control import beside, findings
from mailcordon.control.desired import Resource, parse_kind
from mailcordon.control.difference import Found
from mailcordon.control.findings import By, Finding, KindPolicy
from mailcordon.control.plan import Change
from mailcordon.control.provisioning import Outcome, Row
from mailcordon.core.drift import ADDITION, TABLE, Drift, Policy
from mailcordon.messages import drift as messages

_SQL = queries.load("finding_store.sql")
_SHARED = queries.load("shared.sql")
ACTOR = "control"
#: Findings that name somebody else: a tenant can read its own rows of the audit trail, so these are rows of no tenant.
OF_OTHERS = frozenset({Drift.SHARED_ASSOCIATION, Drift.FOREIGN_ASSOCIATION, Drift.EXTRA_ASSOCIATION})


async def record(conn: PooledConnection, row: Row, outcome: Outcome) -> None:
    """Records what a look at one of our resources found, and ends what it does not find any more."""
    if not outcome.found and not row.open:
        return
    await see(
        conn,
        (row.resource.kind.word, row.resource.name),
        outcome.found,
        left=outcome.left,
        done={change.key for change in outcome.done},
        failed={change.key for change, _ in outcome.failed},
        fought=outcome.fought,
        tenant=row.tenant,
    )


async def see(
    conn: PooledConnection,
    look: tuple[str, str],
    found: Sequence[Found],
    *,
    left: Collection[tuple[str, str, str, str]],
    done: Collection[str] = (),
    failed: Collection[str] = (),
    fought: Collection[tuple[str, str, str, str]] = (),
    tenant: int | None = None,
    only: str | None = None,
) -> None:
    """Opens or refreshes findings of one look, and ends those whose keys are not `left`. `done` and `failed` are keys of the
    changes that the look has made or tried; `fought`: of findings that come back whenever they are repaired."""
    open_ids: list[int] = []
    repaired_ids: list[int] = []
    for each in sorted(found, key=lambda one: one.key):
        whose = each.tenant if each.tenant is not None else tenant
        row = await conn.fetchrow(
            _SQL.find,
            each.kind.value,
            each.rule.severity,
            each.resource_kind,
            each.resource,
            each.member,
            whose,
            json.dumps(each.detail),
            json.dumps([_change(change) for change in each.repair]),
            *look,
            *each.touched,
        )
        assert row is not None
        if row["is_new"]:
            await _audit(conn, "drift.found", whose, each.key, each.sentence)
        if each.key in left:
            open_ids.append(row["id"])
            if any(change.key in done for change in each.repair):
                await conn.execute(_SQL.set_tried, row["id"])  # SES may return the old value for a moment
            proposed = [
                change for change in each.repair if change.key not in done and change.key not in failed
            ]
            if row["plan"] is None and proposed:
                because = messages.comes_back(each.sentence) if each.key in fought else each.sentence
                plan = await plan_store.propose(conn, proposed, tenant=whose, because=because, actor=ACTOR)
                await conn.execute(_SQL.set_plan, row["id"], plan)
        elif done:
            repaired_ids.append(row["id"])
    for ended in await conn.fetch(
        _SQL.end_findings, *look, open_ids, repaired_ids, messages.repaired(), messages.undone(), only
    ):
        await _ended(conn, ended)


async def keep_members(conn: PooledConnection, of: Resource, members: Sequence[str]) -> None:
    """Keeps that SES's answers have members that this version does not know (control/beside.py reports them)."""
    await conn.execute(_SQL.keep_members, [f"{of.kind.word} {member}" for member in members], of.name)


async def repaired(conn: PooledConnection, kind: str, name: str) -> dict[tuple[str, str, str, str], int]:
    """How often each finding of a look was repaired in the last hour."""
    rows = await conn.fetch(_SQL.repaired, kind, name, messages.repaired())
    return {(row["kind"], row["resource_kind"], row["resource"], row["member"]): row["times"] for row in rows}


async def bounded(
    conn: PooledConnection, look: tuple[str, str], found: Sequence[Found], most: int
) -> list[Found]:
    """Without those that are not open yet and of a kind of which `most` are open. What is open stays open while it is found."""
    open_ = {tuple(key) for key in json.loads(await conn.fetchval(_SQL.open_of_look, *look))}
    counts = Counter(key[0] for key in open_)
    kept: list[Found] = []
    for each in found:
        if each.key not in open_ and each.kind is not Drift.NEARBY_IDENTITY:
            if counts[each.kind.value] >= most:
                continue
            counts[each.kind.value] += 1
        kept.append(each)
    return kept


async def end_of_row(conn: PooledConnection, kind: str, name: str, because: str) -> None:
    """Ends every finding of a look: what was looked at is no longer there."""
    for ended in await conn.fetch(_SQL.end_findings, kind, name, [], [], because, because, None):
        await _ended(conn, ended)


async def _ended(conn: PooledConnection, row: asyncpg.Record) -> None:
    if row["plan"] is not None:
        await conn.execute(_SQL.outdate_plan, row["plan"])
    key = (row["kind"], row["resource_kind"], row["resource"], row["member"])
    await _audit(conn, "drift.ended", row["tenant"], key, row["ended_because"])


def _change(change: Change) -> dict[str, object]:
    return {
        "kind": change.resource.kind.word,
        "name": change.resource.name,
        "action": change.action,
        "member": change.member,
    }


async def _audit(
    conn: PooledConnection,
    action: str,
    tenant: int | None,
    key: tuple[str, str, str, str],
    because: str,
    *,
    actor: str = ACTOR,
) -> None:
    about, personal = _about(key), None
    if key[0] in OF_OTHERS:
        tenant = None
    if "@" in key[2]:  # an identity can be a person's address
        about, because = about.replace(key[2], "{address}"), because.replace(key[2], "{address}")
        personal = json.dumps({"address": key[2]})
    await conn.execute(
        _SHARED.write_personal_audit, actor, action, tenant, about, None, None, because, personal
    )


def _about(key: tuple[str, str, str, str]) -> str:
    kind, resource_kind, resource, member = key
    return f"{kind} of {resource_kind} {resource}" + (f": {member}" if member else "")


class FindingStore:
    """Findings as people see them, as the control role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def findings(
        self,
        *,
        tenant: str | None,
        kind: str | None,
        severity: str | None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> list[Finding]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.findings, None, tenant, kind, severity, is_open, before, limit)
        return [_finding(row) for row in rows]

    async def finding(self, id: int) -> Finding | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.findings, id, None, None, None, None, None, 1)
        return None if row is None else _finding(row)

    async def accept(self, id: int, *, actor: str, because: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.finding, id)
            if row is None or row["ended_at"] is not None:
                return False
            kind, member = Drift(row["kind"]), row["member"]
            if row["row_kind"] in beside.LOOKS:
                name = beside.acceptance(kind, row["resource"], member)
                await conn.execute(_SQL.accept_beside, row["resource_kind"], name)
            else:
                of = await conn.fetchrow(_SQL.resource_of, row["row_kind"], row["row_name"])
                if of is None:
                    return False
                resource = Resource(parse_kind(row["row_kind"]), row["row_name"], json.loads(of["desired"]))
                accepted = findings.accepted_after(
                    kind,
                    member,
                    row["resource"],
                    resource,
                    None if of["whole"] is None else json.loads(of["whole"]),
                    json.loads(of["accepted"] or "{}"),
                )
                if accepted is None:
                    return False
                await conn.execute(_SQL.set_accepted, row["row_kind"], row["row_name"], json.dumps(accepted))
            await conn.execute(_SQL.end_finding, id, messages.accepted(actor, because))
            if row["plan"] is not None:
                await conn.execute(_SQL.outdate_plan, row["plan"])
            key = (row["kind"], row["resource_kind"], row["resource"], member)
            await _audit(conn, "drift.accept", row["tenant"], key, because, actor=actor)
            return True

    async def stored_policies(self) -> dict[str, KindPolicy]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.stored_policies)
        return {
            row["kind"]: KindPolicy(
                kind=row["kind"],
                severity=None if row["kind"] == ADDITION else TABLE[Drift(row["kind"])].severity,
                isolation=row["kind"] != ADDITION and TABLE[Drift(row["kind"])].isolation,
                policy=Policy(act=row["act"], hold=row["hold"]),
                is_default=False,
                by=row["by"],
                because=row["because"],
                at=row["at"],
            )
            for row in rows
        }

    async def set_policy(self, kind: str, policy: Policy, *, actor: str, because: str) -> None:
        before = (await self.stored_policies()).get(kind)
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.set_policy, kind, policy.act, policy.hold, actor, because)
            await conn.execute(_SQL.recheck_found, kind)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "drift.policy",
                None,
                f"policy of {kind}",
                None if before is None else json.dumps(dataclasses.asdict(before.policy)),
                json.dumps(dataclasses.asdict(policy)),
                because,
            )

    async def to_hold(self, kinds: Sequence[str]) -> list[tuple[int, int]]:
        async with connection_pool.acquire(self._pool) as conn:
            return [(row["id"], row["tenant"]) for row in await conn.fetch(_SQL.to_hold, list(kinds))]

    async def set_hold(self, finding: int, hold: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.set_hold, finding, hold)

    async def to_lift(self) -> list[tuple[int, int]]:
        async with connection_pool.acquire(self._pool) as conn:
            return [(row["tenant"], row["hold"]) for row in await conn.fetch(_SQL.to_lift)]

    async def purge(self, days: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.purge_findings, days)


def _finding(row: asyncpg.Record) -> Finding:
    kind = Drift(row["kind"])
    return Finding(
        id=row["id"],
        kind=kind,
        severity=row["severity"],
        resource_kind=row["resource_kind"],
        resource=row["resource"],
        member=row["member"],
        tenant=row["slug"],
        detail=json.loads(row["detail"]),
        by=by_of(row["by"]),
        act=row["act"] or TABLE[kind].act,
        repair=json.loads(row["repair"]),
        plan=row["plan"],
        hold=row["hold"],
        found_by=row["found_by"],
        since=row["since"],
        seen_at=row["seen_at"],
        ended_at=row["ended_at"],
        ended_because=row["ended_because"],
    )


def by_of(text: str | None) -> By | None:
    """Who made a difference, as it is stored with the finding."""
    if text is None:
        return None
    known: dict[str, Any] = json.loads(text)
    at = known.get("at")
    return By(
        arn=known.get("arn"),
        access_key=known.get("access_key"),
        source_ip=known.get("source_ip"),
        user_agent=known.get("user_agent"),
        event=known.get("event"),
        at=None if at is None else datetime.fromisoformat(at).astimezone(UTC),
    )
