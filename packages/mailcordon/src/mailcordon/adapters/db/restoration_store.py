"""Restorations in PostgreSQL, as the governor's role. Implements `control.restorations.RestorationStore`."""

import json
from collections.abc import AsyncIterator, Sequence

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.restorations import Fate, Finished, Open, Queued
from mailcordon.core.delivery import State
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.messages import reasons
from mailcordon.messages import restorations as messages

_SQL = queries.load("restoration_store.sql")
_SHARED = queries.load("shared.sql")
PAGE = 5_000  #: deliveries that are read at once
DOCUMENTS = 200  #: of quarantine that are read at once


class RestorationStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def last_report(self) -> int | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.last_report)

    async def explained(self, since: int) -> bool:
        async with connection_pool.acquire(self._pool) as conn:
            return bool(await conn.fetchval(_SQL.explained, since))

    async def begin(self, *, by: str, because: str, backup_at: int | None) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            made = await conn.fetchval(_SQL.begin, by, because, backup_at)
            if made is not None:
                await _audit(conn, by, "restoration.begin", because, {"backup_at": backup_at})
        return made is not None

    async def open(self) -> Open | None:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.open)
        return None if row is None else Open(*row)

    async def queued(self, found_at: int) -> AsyncIterator[Sequence[Queued]]:
        """In the order of lanes and ids. What leaves the queue between two pages does not matter."""
        lane, id = -1, -1
        while True:
            async with connection_pool.acquire(self._pool) as conn:
                rows = await conn.fetch(_SQL.queued_page, lane, id, found_at, PAGE)
            page = [
                Queued(
                    lane=row["lane"],
                    id=row["id"],
                    attempt=row["attempt"],
                    unknown=row["unknown"],
                    sending=row["sending"],
                    class_=Class(row["class"]),
                    called_at=row["called_at"],
                    ses_id=row["ses_id"],
                )
                for row in rows
            ]
            if not page:
                return
            yield page
            lane, id = page[-1].lane, page[-1].id

    async def documents(self) -> AsyncIterator[str]:
        """The events in quarantine whose tags disagree with the database."""
        last = 0
        while True:
            async with connection_pool.acquire(self._pool) as conn:
                rows = await conn.fetch(_SQL.quarantined, last, DOCUMENTS)
            for row in rows:
                yield row["document"]
            if len(rows) < DOCUMENTS:
                return
            last = rows[-1]["id"]

    async def finish(self, id: int, rows: Sequence[Finished], by: str) -> None:
        async def run(conn: PooledConnection) -> None:
            facts = [_end(one, by) for one in rows]
            gone = await conn.fetch(
                _SQL.finish,
                [one.queued.lane for one in rows],
                [one.queued.id for one in rows],
                [fact[0] for fact in facts],
                [fact[1] for fact in facts],
                [fact[2] for fact in facts],
                [fact[3] for fact in facts],
                [fact[4] for fact in facts],
            )
            ended = {row["id"] for row in gone}
            known = [one for one in rows if one.evidence is not None and one.queued.id in ended]
            if known:
                await conn.fetchval(
                    _SQL.raise_attempts,
                    [one.queued.id for one in known],
                    [one.evidence.attempt for one in known if one.evidence is not None],
                )
            of = [one.fate for one in rows if one.queued.id in ended]
            await conn.execute(
                _SQL.count, id, of.count(Fate.SENT), of.count(Fate.CALLED), of.count(Fate.OPEN)
            )

        await connection_pool.transact(self._pool, run)

    async def settle(self, id: int, *, by: str, because: str, kept: int) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            done = await conn.fetchval(_SQL.settle, id, by, because, kept)
            if done is not None:
                await _audit(conn, by, "restoration.settle", because, {"kept": kept})
        return done is not None

    async def stops(self) -> list[int]:
        async with connection_pool.acquire(self._pool) as conn:
            return [row["id"] for row in await conn.fetch(_SQL.stops)]


def _end(one: Finished, by: str) -> tuple[int, str | None, int | None, str, str]:
    """State, SES's id, time of the call, reason and detail of the ledger's row."""
    evidence = one.evidence
    at = one.queued.called_at if evidence is None else evidence.at
    if one.fate is Fate.SENT:
        ses_id = one.queued.ses_id or (evidence and evidence.ses_id)
        return State.SENT, ses_id, at, str(Reason.SENT), reasons.proved_sent()
    if one.fate is Fate.CALLED:
        return State.NO_OUTCOME, None, at, str(Reason.NO_OUTCOME), messages.called(at=at)
    return State.CANCELLED, None, None, str(Reason.CANCELLED), messages.dropped(by=by)


async def _audit(
    conn: PooledConnection, actor: str, action: str, because: str, after: dict[str, object]
) -> None:
    await conn.execute(
        _SHARED.write_audit, actor, action, None, "restoration", None, json.dumps(after), because
    )
