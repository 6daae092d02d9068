"""Rollouts in the database, as the control role. Implements `control.rollouts.loop.RolloutStore` and `changes.ChangeStore`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg

from mailcordon.adapters.db import connection_pool, outside_signal_store, queries, rollout_row
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.identity_checks import LEASE_MS
from mailcordon.control.rollouts.changes import Candidate
from mailcordon.control.rollouts.facts import LaneFacts
from mailcordon.control.rollouts.loop import BY, CHECK_EVERY_MS, SETTLED_MS, Moving, Open
from mailcordon.core.errors import Conflict
from mailcordon.guard.rollouts.nouns import Decision, Item, Measure, Standing, State, Stratum, Verdict
from mailcordon.messages import paths
from mailcordon.messages import rollouts as words

_SQL = queries.load("rollout_store.sql")
_PATHS = queries.load("path_store.sql")
_SHARED = queries.load("shared.sql")
#: Below so many mails the old path's own rates are luck.
LEAST_REFERENCE = 1000


class RolloutStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now_ms(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.now)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.active_tenant_id, slug)

    async def due(self, most: int, every_ms: int) -> Sequence[Open]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.due, most, every_ms)
            return [await _open(conn, row) for row in rows]

    async def one(self, id: int) -> Open | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.one, id)
            return None if row is None else await _open(conn, row)

    async def strata(self, lanes: Sequence[int], since: int) -> tuple[Stratum, ...]:
        async with connection_pool.acquire(self._pool) as conn:
            return rollout_row.strata(await conn.fetch(_SQL.counted, list(lanes), since))

    async def late(self, first_late: Mapping[int, int], since: int) -> tuple[Stratum, ...]:
        if not first_late:
            return ()
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.late, list(first_late), list(first_late.values()), since)
        return rollout_row.late_strata(rows)

    async def first_mail(self, lanes: Sequence[int]) -> int | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.first_mail, list(lanes))

    async def lane_facts(self, lanes: Sequence[int]) -> Sequence[LaneFacts]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.lanes, list(lanes))
            daily: dict[int, dict[int, float]] = {}
            for row in await conn.fetch(_SQL.daily, list(lanes)):
                daily.setdefault(row["lane"], {})[row["provider"]] = row["mails"]
            warm_up: dict[str, dict[int, tuple[int, str]]] = {}
            for row in await conn.fetch(_SQL.warm_ups, list(lanes)):
                warm_up.setdefault(row["domain"], {})[row["provider"]] = (row["cap"], row["mode"])
            said = await outside_signal_store.bad_of(conn, {row["domain"] for row in rows})
        return [
            rollout_row.lane_facts(
                row,
                daily.get(row["lane"], {}),
                warm_up.get(row["domain"], {}),
                said.get(row["domain"]),
            )
            for row in rows
        ]

    async def check_soon(self, lanes: Sequence[int]) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.check_soon, list(lanes), CHECK_EVERY_MS, LEASE_MS)

    async def seen(self, one: Open, decision: Decision, checklist: Sequence[Item]) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(
                _SQL.seen,
                one.id,
                one.version,
                decision.verdict.value,
                decision.sentence,
                json.dumps(rollout_row.gates_document(decision.gates)),
                json.dumps(rollout_row.checklist_document(checklist)),
                one.standing.first_mail,
            )

    async def carry_out(self, one: Open, decision: Decision, after: Standing, *, what: str, by: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock, one.id)
            if row is None or row["version"] != one.version:
                return False
            if after.share != row["share"]:
                await _set_shares(conn, one, after.share)
            await conn.execute(
                _SQL.change, one.id, after.state.value, after.share, after.backs, decision.sentence
            )
            if decision.verdict is Verdict.BACK:
                await conn.execute(_SQL.move_mail, one.id, SETTLED_MS)
            elif after.share > row["share"]:
                await conn.execute(_SQL.stop_moving, one.id)
            if after.state in (State.FINISHED, State.CANCELLED):
                await conn.execute(_SQL.close_lanes, one.id)
            await _record(conn, one, row, decision, after, what=what, by=by)
        return True

    async def moving(self, most: int) -> Sequence[Moving]:
        async with connection_pool.acquire(self._pool) as conn:
            return [Moving(*row.values()) for row in await conn.fetch(_SQL.moving, most)]

    async def moved(self, moving: Moving, after: int | None) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.moved, moving.rollout, moving.lane, after)

    async def leave_retired(self, most: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.leave_retired)
            empty = [row["id"] for row in await conn.fetch(_SQL.without_lanes, most)]
        for id in empty:
            await self._end(id, State.CANCELLED, words.lanes_retired(), what="cancel")

    async def finish_dropped(self, most: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.finishing, most)
            done = [row["id"] for row in rows if not await conn.fetchval(_SQL.two_paths_left, row["id"])]
        for id in done:
            await self._end(id, State.FINISHED, words.dropped(), what="finished")

    async def _end(self, id: int, state: State, sentence: str, *, what: str) -> None:
        one = await self.one(id)
        if one is not None and one.standing.state not in (State.FINISHED, State.CANCELLED):
            decision = Decision(verdict=Verdict.WAIT, share=one.standing.share, sentence=sentence)
            await self.carry_out(one, decision, replace(one.standing, state=state), what=what, by=BY)

    async def keep_plan(self, id: int, plan: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.keep_plan, id, plan)

    # What people do ------------------------------------------------------------------------------------------------------

    async def candidates(self, tenant: int, types: Sequence[str] | None) -> Sequence[Candidate]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.lanes_of, tenant, None if types is None else list(types))
        return [Candidate(lane=row["lane"], type=row["type"], share=row["share"]) for row in rows]

    async def start(
        self,
        tenant: int,
        lanes: Sequence[int],
        shares: Sequence[int],
        pace: float,
        first_late: Mapping[int, int],
        *,
        actor: str,
        because: str,
    ) -> int:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.fetch(_PATHS.lock_paths, sorted(lanes))
            slug = await conn.fetchval(_SQL.slug, tenant)
            if busy := await conn.fetchrow(_SQL.busy_lanes, sorted(lanes)):
                raise Conflict(
                    words.in_a_rollout(slug, busy["type"], busy["rollout"]), code="lane-in-rollout"
                )
            late = await conn.fetchrow(_SQL.old_late, list(first_late), list(first_late.values()))
            reference = _reference(await conn.fetchrow(_SQL.old_rates, sorted(lanes)), late)
            id = await conn.fetchval(
                _SQL.add, tenant, list(shares), pace, actor, because, json.dumps(reference)
            )
            for lane in sorted(lanes):
                await conn.execute(_SQL.add_lane, id, tenant, lane)
            row = await conn.fetchrow(_SQL.one, id)
            assert row is not None
            sentence = words.started(slug, row["types"], shares)
            await conn.execute(_SQL.step, id, tenant, "start", 0, 0, actor, sentence, "[]")
            await conn.execute(
                _SHARED.write_audit, actor, "rollout.start", tenant, f"rollout {id}", None, None, because
            )
        return id

    async def override(self, one: Open, keys: Sequence[str], share: int, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            for key in keys:
                await conn.execute(_SQL.override, one.id, one.tenant, key, share, actor, because)
                sentence = words.overridden(key, share, because)
                at = one.standing.share
                await conn.execute(_SQL.step, one.id, one.tenant, "override", at, at, actor, sentence, "[]")
                await conn.execute(
                    _SHARED.write_audit,
                    actor,
                    "rollout.override",
                    one.tenant,
                    f"rollout {one.id}, {key}",
                    None,
                    json.dumps({"share": share}),
                    because,
                )

    async def freeze(self, tenant: int | None, since: int, until: int, *, actor: str, because: str) -> int:
        async with connection_pool.transaction(self._pool) as conn:
            id = await conn.fetchval(_SQL.add_freeze, tenant, since, until, actor, because)
            after = json.dumps({"since": since, "until": until})
            await conn.execute(
                _SHARED.write_audit, actor, "rollout.freeze", tenant, f"freeze {id}", None, after, because
            )
        return id

    async def unfreeze(self, id: int, *, actor: str, because: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.end_freeze, id)
            if row is None:
                return False
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "rollout.unfreeze",
                row["tenant"],
                f"freeze {id}",
                None,
                None,
                because,
            )
        return True


async def _open(conn: PooledConnection, row: asyncpg.Record) -> Open:
    overrides = await conn.fetch(_SQL.overrides, row["id"])
    freezes = await conn.fetch(_SQL.freezes, row["tenant"])
    return rollout_row.open_rollout(row, overrides, freezes)


async def _set_shares(conn: PooledConnection, one: Open, share: int) -> None:
    """Of all lanes at once. New mail follows with the epoch."""
    there = {row["lane"] for row in await conn.fetch(_PATHS.lock_paths, sorted(one.lanes))}
    if missing := [lane for lane in one.lanes if lane not in there]:
        raise Conflict(paths.not_two_paths(len(missing)), code="not-two-paths")
    done = await conn.execute(_PATHS.set_shares, sorted(one.lanes), [share] * len(one.lanes))
    if done != f"UPDATE {2 * len(one.lanes)}":
        raise Conflict(paths.not_two_paths(1), code="not-two-paths")  # a plan that dropped one was first
    await conn.execute(_SHARED.bump_epoch, "control")


async def _record(
    conn: PooledConnection,
    one: Open,
    row: asyncpg.Record,
    decision: Decision,
    after: Standing,
    *,
    what: str,
    by: str,
) -> None:
    await conn.execute(
        _SQL.step,
        one.id,
        one.tenant,
        what,
        row["share"],
        after.share,
        by,
        decision.sentence,
        json.dumps(rollout_row.gates_document(decision.gates)),
    )
    await conn.execute(
        _SHARED.write_audit,
        by,
        f"rollout.{what}",
        one.tenant,
        f"rollout {one.id}",
        json.dumps({"share": row["share"], "state": row["state"]}),
        json.dumps({"share": after.share, "state": after.state.value}),
        decision.sentence,
    )


def _reference(row: asyncpg.Record | None, late: asyncpg.Record | None) -> Mapping[str, float]:
    if row is None or row["sent"] < LEAST_REFERENCE:
        return {}
    sent = row["sent"]
    rates: dict[str, float] = {}
    if late is not None and late["timed"] >= LEAST_REFERENCE:
        rates[Measure.LATE.value] = round(late["late"] / late["timed"], 6)
    rates |= {
        measure.value: round(row[measure.value] / sent, 6)
        for measure in Measure
        if measure not in (Measure.UNREPORTED, Measure.LATE)
    }
    return rates | {Measure.UNREPORTED.value: round(max(0, sent - row["reported"]) / sent, 6)}
