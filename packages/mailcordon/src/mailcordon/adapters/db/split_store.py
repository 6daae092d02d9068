"""The account's suppression list taken apart: its rows, as the control role. Implements `SplitWork` and `Splits` of
control/suppression_split."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import arrays, connection_pool, queries
from mailcordon.adapters.db.engine import Connection, Pool, PooledConnection
from mailcordon.control.ses_lists import Entry
from mailcordon.control.suppression_split.nouns import (
    ACCOUNT,
    UNDECIDED,
    By,
    Candidate,
    Counts,
    Decision,
    Listed,
    Phase,
    Run,
    SplitEntry,
    State,
)
from mailcordon.control.suppression_split.splits import Decided, EntryView, To
from mailcordon.control.suppression_split.standing import Moved, Refilled, Standing
from mailcordon.core.priority import Class
from mailcordon.core.suppression import Scope
from mailcordon.messages import suppression_split as messages

_SQL = queries.load("split_store.sql")
_OBSERVE = queries.load("observe_store.sql")
_SHARED = queries.load("shared.sql")


class SplitStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # The work ------------------------------------------------------------------------------------------------------------

    async def newest(self) -> Run | None:
        async with connection_pool.acquire(self._pool) as conn:
            return _run(await conn.fetchrow(_SQL.newest))

    async def sweep(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return int((await conn.execute(_SQL.sweep)).rpartition(" ")[2])

    async def progress(
        self, run: Run, calls: int, pace: float | None, problem: str | None, wait_seconds: float | None
    ) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            said = None if problem is None else problem[:2000]
            await conn.execute(_SQL.progress, run.id, calls, pace, said, _ms(wait_seconds))

    async def list_page(self, run: Run, listed: Sequence[Listed], token: str | None) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.list_page, run.id, run.round, *_columns(listed))
            await conn.execute(_SQL.page_over, run.id, str(run.phase), token, ACCOUNT, run.ended_at)

    async def compare_page(self, run: Run, listed: Sequence[Listed], token: str | None) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            owner = await conn.fetchrow(_SQL.tenant_of_list, run.list)
            if owner is not None:
                columns = _columns(listed)
                await conn.execute(_SQL.see_stored, run.list, run.round, columns[0])
                for row in await conn.fetch(_SQL.unsuppressed, owner["tenant"], *columns):
                    complained = row["reason"] == "COMPLAINT"
                    await _suppress(
                        conn,
                        tenant=owner["tenant"],
                        hash=row["hash"],
                        address=row["spelling"],
                        class_=int(Class.MARKETING) if complained else None,
                        cause="ses-tenant-complaint" if complained else "ses-tenant-list",
                        evidence={"ses": {"list": run.list, "spelling": row["spelling"]}},
                        since=row["listed_at"],
                    )
            await conn.execute(_SQL.page_over, run.id, str(run.phase), token, run.list, run.ended_at)

    async def account_listed(self, run: Run) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.vanished, run.round, messages.gone_from_account())
            await conn.execute(_SQL.release_kept, run.releases)

    async def left_again(self, run: Run) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.left_again, run.round)

    async def store_missing(self) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.unstored)

    async def tenant_listed(self, run: Run) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.missing_stored, run.list, run.round)

    async def next_list(self, after: str) -> str | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.next_list, after)

    async def enter(
        self,
        run: Run,
        phase: Phase,
        *,
        list: str = ACCOUNT,
        new_round: bool = False,
        wait_seconds: float | None = None,
        since: int | None = None,
    ) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(
                _SQL.enter_phase,
                run.id,
                str(run.phase),
                str(phase),
                list,
                int(new_round),
                _ms(wait_seconds),
                since,
                run.ended_at,
            )

    async def open(self, before: int | None) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.open, before)

    async def due(self, limit: int) -> Sequence[SplitEntry]:
        async with connection_pool.acquire(self._pool) as conn:
            return [_entry(row) for row in await conn.fetch(_SQL.due, limit, None)]

    async def candidates(self, hash: bytes, message_id: str | None) -> Sequence[Candidate]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.candidates, hash, message_id)
        return [
            Candidate(
                tenant=row["tenant"],
                slug=row["slug"],
                class_=row["class"],
                at=row["at"],
                complaint=row["complaint"],
                ses_id=row["ses_id"],
                archive=row["archive"],
            )
            for row in rows
        ]

    async def own(self, one: SplitEntry, found: Entry, decision: Decision) -> SplitEntry | None:
        evidence = {"others": list(decision.others)} if decision.others else {}
        async with connection_pool.transaction(self._pool) as conn:
            await _record(conn, one, found)
            if not await _own(
                conn, one.spelling, decision.tenant, decision.by, decision.class_, evidence, (State.LISTED,)
            ):
                return None
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.due, 1, one.spelling)
        return None if row is None else _entry(row)

    async def disown(self, run: Run, one: SplitEntry, found: Entry) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await _record(conn, one, found)
            await conn.execute(_SQL.disown, one.spelling)
            since = one.listed_at if found.listed_at is None else found.listed_at
            await conn.execute(_SQL.cover_everybody, one.hash, one.spelling, found.reason, since, run.owner)
            await conn.execute(_SQL.uncover_everybody, one.hash)

    async def gone(self, one: SplitEntry) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.gone, one.spelling)
            await conn.execute(_SQL.uncover_everybody, one.hash)

    async def read_again(self, one: SplitEntry) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.read_again, one.spelling)

    async def stored(self, run: Run, one: SplitEntry, list: str) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.stored, list, one.spelling, run.id)

    async def settle(self, one: SplitEntry, state: State) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            evidence: dict[str, object] = {}
            if state in (State.ASSIGNED, State.FREED) and one.hash is not None:
                rows = await conn.fetch(_SQL.free_others, one.hash, one.tenant)
                evidence = {"freed": sorted({row["slug"] for row in rows})} if rows else {}
            await conn.execute(_SQL.settle, one.spelling, str(state), json.dumps(evidence), str(one.state))

    async def failed(self, one: SplitEntry, why: str, seconds: float) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.failed, one.spelling, why[:2000], _ms(seconds))

    # What people see and decide ------------------------------------------------------------------------------------------

    async def begin(self, *, owner: str, because: str, releases: bool, actor: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            run = _run(await conn.fetchrow(_SQL.newest))
            if run is not None and run.ended_at is None:
                id = await conn.fetchval(_SQL.begin_round, run.id, owner, because, releases)
            else:
                id = await conn.fetchval(_SQL.begin, actor, because, owner, releases)
            if id is None:
                return False
            await conn.execute(_SQL.decide_again, id)
            after = {"owner": owner, "releases": releases}
            await _audit(conn, actor, "suppression-split.start", f"suppression split {id}", after, because)
            return True

    async def end(self, run: Run, *, unowned: int, because: str, actor: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.end, run.id, actor, because) is None:
                return False
            after = {"left_unowned": unowned}
            await _audit(
                conn, actor, "suppression-split.finish", f"suppression split {run.id}", after, because
            )
            return True

    async def senders_past_us(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.senders_past_us)

    async def counts(self) -> Counts:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.counts)
        states: dict[State, int] = {}
        by: dict[By, int] = {}
        for row in rows:
            state = State(row["state"])
            states[state] = states.get(state, 0) + row["number"]
            if row["by"] is not None and state in (State.OWNED, State.ASSIGNED, State.KEPT):
                by[By(row["by"])] = by.get(By(row["by"]), 0) + row["number"]
        return Counts(states=states, by=by, problems=sum(row["problems"] for row in rows))

    async def lists_after(self, name: str) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.lists, name)

    async def entries(
        self, *, state: State | None, tenant: int | None, hash: bytes | None, after: str, limit: int
    ) -> list[EntryView]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(
                _SQL.entries, after, None if state is None else str(state), tenant, hash, limit
            )
        return [_view(row) for row in rows]

    async def decide(
        self, spellings: Sequence[str], to: To, tenant: int | None, *, because: str, actor: str
    ) -> Sequence[Decided]:
        decided: list[Decided] = []
        async with connection_pool.transaction(self._pool) as conn:
            found = {row["spelling"]: row for row in await conn.fetch(_SQL.entries_at, list(spellings))}
            for spelling in spellings:
                row = found.get(spelling)
                decided.append(Decided(spelling, None if row is None else _view(row)))
            if any(not one.may(to) for one in decided):
                return decided
            for one in decided:
                await self._decide(conn, one, to, tenant, because=because, actor=actor)
        return decided

    async def _decide(
        self, conn: PooledConnection, one: Decided, to: To, tenant: int | None, *, because: str, actor: str
    ) -> None:
        evidence = {"because": because, "by": actor}
        undecided = [str(state) for state in UNDECIDED]
        hash = None if one.entry is None else one.entry.hash
        if to is To.TENANT:
            assert tenant is not None
            await _own(conn, one.spelling, tenant, By.PERSON, int(Class.MARKETING), evidence, UNDECIDED)
        elif to is To.PLATFORM:
            await conn.execute(_SQL.decide_platform, one.spelling, json.dumps(evidence), undecided)
        else:
            await conn.execute(_SQL.decide_nobody, one.spelling, json.dumps(evidence), undecided)
        if hash is not None:
            await conn.execute(_SQL.uncover_everybody, hash)
        await conn.execute(_SQL.work_soon)
        await conn.execute(
            _SHARED.write_personal_audit,
            actor,
            "suppression-split.assign",
            tenant,
            "entry of {address} on the account's suppression list",
            json.dumps({"state": None if one.entry is None else str(one.entry.state)}),
            json.dumps({"to": str(to)}),
            "{because}",
            json.dumps({"address": one.spelling, "because": because}),
        )

    async def standing(self, tenant: int) -> Standing:
        async with connection_pool.acquire(self._pool) as conn:
            run = _run(await conn.fetchrow(_SQL.newest))
            row = await conn.fetchrow(_SQL.standing, tenant)
        assert row is not None
        return _standing(run, row)

    async def refilled(self) -> Refilled | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await refilled(conn)

    async def moved(self, tenant: int | None, after: str, limit: int) -> list[Moved]:
        async with connection_pool.acquire(self._pool) as conn:
            return await moved(conn, tenant, after, limit)


async def refilled(conn: Connection | PooledConnection, *, timeout: float | None = None) -> Refilled | None:
    """What came on the account's list since the split was finished. None: nothing, or it is not finished."""
    row = await conn.fetchrow(_SQL.refilled, timeout=timeout)
    return None if row is None else Refilled(row["entries"], row["newest"], row["ended_at"])


async def moved(
    conn: Connection | PooledConnection,
    tenant: int | None,
    after: str,
    limit: int,
    *,
    timeout: float | None = None,
) -> list[Moved]:
    """Tenants that came from a shared account, by slug, and what they still share."""
    run = _run(await conn.fetchrow(_SQL.newest, timeout=timeout))
    rows = await conn.fetch(_SQL.moved, tenant, after, limit, timeout=timeout)
    return [
        Moved(
            tenant=row["slug"],
            domains=row["domains"],
            account_scope=row["account_scope"],
            standing=_standing(run, row),
            channels=row["channels"],
            shared_channels=row["shared_channels"],
        )
        for row in rows
    ]


async def _record(conn: PooledConnection, one: SplitEntry, found: Entry) -> None:
    at = one.listed_at if found.listed_at is None else found.listed_at
    await conn.execute(_SQL.record, one.spelling, found.reason, at, found.message_id, found.feedback_id)


async def _own(
    conn: PooledConnection,
    spelling: str,
    tenant: int,
    by: By,
    class_: int,
    evidence: Mapping[str, object],
    states: Sequence[State],
) -> bool:
    """Gives an entry to a tenant, with its suppression. False: it is not in one of these states any more."""
    row = await conn.fetchrow(
        _SQL.own, spelling, tenant, str(by), json.dumps(evidence), [str(state) for state in states]
    )
    if row is None:
        return False
    complained = row["reason"] == "COMPLAINT"
    await _suppress(
        conn,
        tenant=tenant,
        hash=row["hash"],
        address=spelling,
        class_=class_ if complained else None,
        cause="complaint" if complained else "hard-bounce",
        evidence={"split": str(by), "listed_at": row["listed_at"], "ses_id": row["message_id"] or ""},
        since=row["listed_at"],
    )
    await conn.execute(_SQL.uncover_everybody, row["hash"])
    return True


async def _suppress(
    conn: PooledConnection,
    *,
    tenant: int,
    hash: bytes,
    address: str,
    class_: int | None,
    cause: str,
    evidence: Mapping[str, object],
    since: int,
) -> None:
    """What lasts longer stays, and a removal by a person stands against what is older (observe/suppress.py)."""
    scope, target = (Scope.TENANT, 0) if class_ is None else (Scope.CLASS, class_)
    row = (tenant, hash, int(scope), target, address, cause, json.dumps(evidence), since, None, "ses")
    await conn.execute(_OBSERVE.suppress, *[arrays.mixed([value]) for value in row])


async def _audit(
    conn: PooledConnection,
    actor: str,
    action: str,
    object: str,
    after: Mapping[str, object],
    because: str,
) -> None:
    await conn.execute(_SHARED.write_audit, actor, action, None, object, None, json.dumps(after), because)


def _columns(listed: Sequence[Listed]) -> tuple[str, str, str, str]:
    return (
        arrays.mixed(one.spelling for one in listed),
        arrays.mixed(one.hash for one in listed),
        arrays.mixed(one.reason for one in listed),
        arrays.mixed(one.listed_at for one in listed),
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _run(row: asyncpg.Record | None) -> Run | None:
    if row is None:
        return None
    return Run(
        id=row["id"],
        now=row["now"],
        started_at=row["started_at"],
        started_by=row["started_by"],
        because=row["because"],
        owner=row["owner"],
        releases=row["releases"],
        phase=Phase(row["phase"]),
        round=row["round"],
        list=row["list"],
        token=row["token"],
        listed_since=row["listed_since"],
        next_at=row["next_at"],
        problem=row["problem"],
        calls=row["calls"],
        pace=row["pace"],
        compared_at=row["compared_at"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )


def _entry(row: asyncpg.Record) -> SplitEntry:
    return SplitEntry(
        spelling=row["spelling"],
        hash=row["hash"],
        reason=row["reason"],
        listed_at=row["listed_at"],
        message_id=row["message_id"],
        feedback_id=row["feedback_id"],
        state=State(row["state"]),
        must_read=row["must_read"],
        tenant=row["tenant"],
        lists=tuple(row["lists"]),
        past_us=row["past_us"],
        tries=row["tries"],
    )


def _view(row: asyncpg.Record) -> EntryView:
    evidence: dict[str, Any] = json.loads(row["evidence"])
    return EntryView(
        spelling=row["spelling"],
        hash=row["hash"],
        reason=row["reason"],
        listed_at=row["listed_at"],
        message_id=row["message_id"],
        state=State(row["state"]),
        tenant=row["slug"],
        by=None if row["by"] is None else By(row["by"]),
        evidence=evidence,
        owner=row["owner"],
        decided_at=row["decided_at"],
        done_at=row["done_at"],
        problem=row["problem"],
    )


def _standing(run: Run | None, row: asyncpg.Record) -> Standing:
    return Standing(
        phase=None if run is None else run.phase,
        compared=run is not None and run.compared_at is not None,
        open=row["open"],
        kept=row["kept"],
    )
