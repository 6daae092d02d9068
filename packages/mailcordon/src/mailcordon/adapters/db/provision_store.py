"""The observed-state table: what SES should have, what it was last seen to have, and when to check again."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from mailcordon.adapters.db import finding_store, plan_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection, row_count
from mailcordon.control import desired, plan, uncovered
from mailcordon.control.desired import Resource
from mailcordon.control.difference import Facts, Owner
from mailcordon.control.plan import Change
from mailcordon.control.provisioning import Outcome, Row
from mailcordon.control.scan import Size
from mailcordon.control.work import WORK_OF_ROWS, Work
from mailcordon.core.drift import Policy
from mailcordon.messages import drift as messages

_SQL = queries.load("provision_store.sql")
_SHARED = queries.load("shared.sql")
ACTOR = "control"


#: Of sessions that ask what is due: they read by the index whatever the statistics say, since a large plan is written in one
#: transaction, and then everything is due.
BY_INDEX = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}


class ProvisionStore:
    """`by_index`: connections with the settings BY_INDEX, so that a look at what is due is one statement."""

    def __init__(self, pool: Pool, by_index: Pool | None = None) -> None:
        self._pool = pool
        self._by_index = by_index

    async def due(
        self,
        limit: int,
        work: Work | None = None,
        busy: Iterable[int] = (),
        *,
        newest: bool = False,
        shared: bool = False,
    ) -> list[Row]:
        if work is None:
            found: list[Row] = []
            for each in WORK_OF_ROWS:
                if len(found) < limit:
                    found += await self.due(limit - len(found), each, busy)
            return found
        async with self._looking() as conn:
            if newest:
                await conn.execute(_SQL.put_newest_first, list(busy))
            if shared and 0 not in busy:
                await conn.execute(_SQL.put_shared_first)
            rows = await conn.fetch(_SQL.due, work, limit, list(busy))
        return [_row(each) for each in rows]

    async def kinds_due(self) -> list[Work]:
        async with self._looking() as conn:
            return [Work(row["work"]) for row in await conn.fetch(_SQL.kinds_due, list(WORK_OF_ROWS))]

    @asynccontextmanager
    async def _looking(self) -> AsyncGenerator[PooledConnection]:
        """A connection that reads by the index."""
        if self._by_index is not None:
            async with self._by_index.acquire() as conn:
                yield conn
            return
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_SQL.by_index)
            yield conn

    async def recheck_all(self) -> None:
        await self._pool.execute(_SQL.recheck_all)

    async def size(self) -> Size:
        row = await self._pool.fetchrow(_SQL.size)
        assert row is not None
        return Size(rows=row["rows"], shared=row["shared"])

    async def applied(self, row: Row, outcome: Outcome, *, again_in: float, work: Work = Work.SCAN) -> None:
        one, reading = row.resource, outcome.reading
        whole = reading.whole if reading.complete else None
        new = {} if whole is None else uncovered.new_members(one.kind, whole, row.accepted)
        async with self._pool.acquire() as conn, conn.transaction():
            is_same = await conn.fetchval(
                _SQL.applied,
                one.kind.word,
                one.name,
                json.dumps(outcome.members),
                again_in,
                json.dumps(one.want),
                row.version,
                _json(whole),
                None if whole is None else json.dumps(uncovered.baseline(one.kind, whole, row.accepted)),
                work,
                json.dumps(new),
                _is_no_news(row, outcome, new),
            )
            if new:
                await finding_store.keep_members(conn, one, list(new))
            if row.seen and any(change.action == plan.CREATE for change in outcome.done):
                await conn.execute(_SQL.recheck_dependents, one.name)
            await self._record(conn, row, outcome, is_current=is_same is not None, is_settled=bool(is_same))

    async def failed(self, row: Row, error: str, outcome: Outcome | None, *, again_in: float) -> None:
        one, reading = row.resource, outcome.reading if outcome else None
        whole = reading.whole if reading and reading.complete else None
        async with self._pool.acquire() as conn, conn.transaction():
            updated = await conn.execute(
                _SQL.failed,
                one.kind.word,
                one.name,
                error,
                again_in,
                json.dumps(one.want),
                row.version,
                _json(outcome.members if outcome else None),
                _json(whole),
            )
            await conn.execute(_SQL.recheck_needed, one.kind.word, one.name)
            await conn.execute(_SQL.postpone_dependents, one.kind.word, one.name)
            if outcome:
                await self._record(conn, row, outcome, is_current=row_count(updated) > 0, is_settled=False)

    async def interrupted(
        self, row: Row, done: Sequence[Change], failed: Sequence[tuple[Change, str]] = ()
    ) -> None:
        one = row.resource
        async with self._pool.acquire() as conn, conn.transaction():
            await plan_store.record(conn, one.kind.word, one.name, done, failed, is_settled=False)
            await _audit(conn, row, done)

    async def put_off(self, row: Row) -> None:
        await self._pool.execute(_SQL.put_off, [row.resource.kind.word], [row.resource.name])

    async def gone(self, row: Row, done: Sequence[Change]) -> None:
        one = row.resource
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_SQL.gone, one.kind.word, one.name)
            await plan_store.record(conn, one.kind.word, one.name, done, (), is_settled=True)
            await finding_store.end_of_row(conn, one.kind.word, one.name, messages.no_longer_wanted())
            await _audit(conn, row, done)

    async def _record(
        self, conn: PooledConnection, row: Row, outcome: Outcome, *, is_current: bool, is_settled: bool
    ) -> None:
        """Audits the changes, and records the findings if what was desired then is still desired. `is_settled`: it needs no other
        change."""
        one = row.resource
        await _audit(conn, row, outcome.done)
        await plan_store.record(
            conn, one.kind.word, one.name, outcome.done, outcome.failed, is_settled=is_settled
        )
        if is_current:
            await finding_store.record(conn, row, outcome)

    async def facts(self, row: Row, extras: Sequence[str]) -> Facts:
        slug = await self._pool.fetchval(_SQL.slug, row.tenant) if row.tenant is not None else None
        names: dict[str, list[str]] = {"identity": [], "configuration-set": []}
        for each in extras:
            kind, _, name = each.partition("/")
            names.setdefault(kind, []).append(name)
        owners: dict[str, Owner] = {}
        if extras:
            found = await self._pool.fetch(_SQL.owners, names["identity"], names["configuration-set"])
            owners = {
                each["resource"]: Owner(tenant=each["tenant"], slug=each["slug"] or "") for each in found
            }
        return Facts(slug=slug, owners=owners)

    async def repaired(self, row: Row) -> Mapping[tuple[str, str, str, str], int]:
        async with self._pool.acquire() as conn:
            return await finding_store.repaired(conn, row.resource.kind.word, row.resource.name)

    async def policies(self) -> Mapping[str, Policy]:
        found = await self._pool.fetch(_SQL.policies)
        return {row["kind"]: Policy(act=row["act"], hold=row["hold"]) for row in found}

    async def identity(self, domain: str, status: str, records: Sequence[Mapping[str, str]]) -> int | None:
        async with self._pool.acquire() as conn, conn.transaction():
            before = await conn.fetchrow(_SQL.lock_identity, domain)
            if before is None:
                return None
            await conn.execute(_SQL.set_identity, domain, status, json.dumps(list(records)))
            if before["status"] == status:
                return None
            await conn.execute(
                _SHARED.write_audit,
                ACTOR,
                f"identity.{status}",
                before["tenant"],
                f"identity {domain}",
                json.dumps({"status": before["status"]}),
                json.dumps({"status": status}),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return before["tenant"]

    async def tenant_arn(self, key: str) -> str | None:
        return await self._pool.fetchval(_SQL.tenant_arn, key)

    @asynccontextmanager
    async def reconciler_lock(self) -> AsyncGenerator[Callable[[], Awaitable[bool]] | None]:
        """Yields None unless this process is the one that reconciles; else a function that says whether it still is, since the
        lock ends with its connection. Two would be safe, but would call SES twice as often."""
        async with self._pool.acquire() as conn:

            async def holds() -> bool:
                return bool(await conn.fetchval(_SQL.holds_reconciler_lock))

            if not await conn.fetchval(_SQL.try_reconciler_lock):
                yield None
                return
            try:
                yield holds
            finally:
                try:
                    await conn.fetchval(_SQL.release_reconciler_lock)
                except BaseException:  # also a cancellation: the lock must not outlive its holder in the pool
                    conn.terminate()
                    raise


def _is_no_news(row: Row, outcome: Outcome, new: Iterable[str]) -> bool:
    """Whether nothing waits for a row that was as it should be before. A domain that is not verified is read often."""
    waits = row.allowed or row.later or row.open
    is_look = row.work is Work.SCAN or row.resource.kind is desired.Kind.IDENTITY
    return is_look and not (waits or outcome.done or outcome.found or new)


def _row(row: asyncpg.Record) -> Row:
    kind = desired.parse_kind(row["kind"])
    return Row(
        resource=Resource(kind, row["name"], json.loads(row["desired"]), row["tenant"] is None),
        tenant=row["tenant"],
        attempts=row["attempts"],
        age=row["age"],
        version=row["version"],
        wanted=row["wanted"],
        work=Work(row["work"]),
        before=_parsed(row["observed"]),
        accepted=_parsed(row["accepted"]),
        allowed=frozenset(row["allowed"]),
        later=frozenset(row["later"]),
        open=frozenset(tuple(key) for key in json.loads(row["open"])),
    )


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


async def make_due(conn: PooledConnection, lane: int) -> int:
    """SES refused a call of this lane: makes every resource on its route due at once. Returns how many."""
    return row_count(await conn.execute(_SQL.make_due, lane))


async def _audit(conn: PooledConnection, row: Row, changes: Sequence[Change]) -> None:
    of_others = {member for kind, _, _, member in row.open if kind in finding_store.OF_OTHERS}
    for change in changes:
        await conn.execute(
            _SHARED.write_audit,
            ACTOR,
            f"ses.{change.action}",
            None if change.member in of_others else row.tenant,
            str(change),
            json.dumps(change.was) if change.was is not None else None,
            json.dumps(change.resource.want),
            None,
        )
