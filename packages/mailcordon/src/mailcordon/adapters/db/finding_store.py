"""Findings, as the control role: opened, seen again and ended in the transaction that records the look at SES."""

import json
from collections.abc import Collection, Sequence

import asyncpg

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.engine import PooledConnection
from mailcordon.control.drift import Found
from mailcordon.control.plan import Change
from mailcordon.control.reconcile import Outcome, Row
from mailcordon.messages import drift as messages

_SQL = queries.load("finding_store.sql")
_SHARED = queries.load("shared.sql")
ACTOR = "control"


async def record(conn: PooledConnection, row: Row, outcome: Outcome) -> None:
    """Records what a look at one of our resources found, and ends what it does not find any more."""
    if not outcome.found and not row.open:
        return
    done = {change.key for change in outcome.done}
    repaired = [each.key for each in outcome.found if any(change.key in done for change in each.repair)]
    kind, name = row.resource.kind.word, row.resource.name
    await see(
        conn, (kind, name), outcome.found, left=outcome.left, repaired=repaired, tried=done, tenant=row.tenant
    )


async def see(
    conn: PooledConnection,
    look: tuple[str, str],
    found: Sequence[Found],
    *,
    left: Collection[tuple[str, str, str, str]],
    repaired: Collection[tuple[str, str, str, str]] = (),
    tried: Collection[str] = (),
    tenant: int | None = None,
    only: str | None = None,
) -> None:
    """Opens or refreshes findings of one look, and ends those whose keys are not `left`."""
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
            proposed = [change for change in each.repair if change.key not in tried]
            if row["plan"] is None and proposed:
                await _propose(conn, row["id"], whose, each.sentence, proposed)
        elif each.key in repaired:
            repaired_ids.append(row["id"])
    for ended in await conn.fetch(
        _SQL.end_findings, *look, open_ids, repaired_ids, messages.repaired(), messages.undone(), only
    ):
        await _ended(conn, ended)


async def end_of_row(conn: PooledConnection, kind: str, name: str, because: str) -> None:
    """Ends every finding of a look: what was looked at is no longer there."""
    for ended in await conn.fetch(_SQL.end_findings, kind, name, [], [], because, because, None):
        await _ended(conn, ended)


async def _ended(conn: PooledConnection, row: asyncpg.Record) -> None:
    if row["plan"] is not None:
        await conn.execute(_SQL.outdate_plan, row["plan"])
    key = (row["kind"], row["resource_kind"], row["resource"], row["member"])
    await _audit(conn, "drift.ended", row["tenant"], key, row["ended_because"])


async def _propose(
    conn: PooledConnection, finding: int, tenant: int | None, sentence: str, changes: Sequence[Change]
) -> None:
    plan = await conn.fetchval(_SQL.propose, tenant, ACTOR, sentence)
    for seq, change in enumerate(changes, 1):
        one = change.resource
        await conn.execute(
            _SQL.propose_change,
            plan,
            seq,
            one.kind.word,
            one.name,
            change.action,
            change.member or "",
            tenant,
            json.dumps(change.was) if change.was is not None else None,
            None if change.removes else json.dumps(one.want),
            messages.proposed(),
        )
    await conn.execute(_SQL.set_plan, finding, plan)


def _change(change: Change) -> dict[str, object]:
    return {
        "kind": change.resource.kind.word,
        "name": change.resource.name,
        "action": change.action,
        "member": change.member,
    }


async def _audit(
    conn: PooledConnection, action: str, tenant: int | None, key: tuple[str, str, str, str], because: str
) -> None:
    kind, resource_kind, resource, member = key
    about = f"{kind} of {resource_kind} {resource}" + (f": {member}" if member else "")
    await conn.execute(_SHARED.write_audit, ACTOR, action, tenant, about, None, None, because)
