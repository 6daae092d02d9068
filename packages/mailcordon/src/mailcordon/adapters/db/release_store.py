"""Implements `control.pacing.releases.ReleaseStore`, as the control role."""

from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, limit_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.control.pacing import releases
from mailcordon.control.pacing.releases import Look, Open
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.release import Feedback, Minute, Phase, Release, Why
from mailcordon.messages import pacing as messages

_SQL = queries.load("release_store.sql")
_SHARED = queries.load("shared.sql")


class ReleaseStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(self, most: int) -> Sequence[Open]:
        async with connection_pool.acquire(self._pool) as conn:
            return [_open(row) for row in await conn.fetch(_SQL.due, most)]

    async def minutes(self, releases: Sequence[Open]) -> Mapping[int, Sequence[Minute]]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(
                _SQL.minutes,
                [one.id for one in releases],
                [one.lane for one in releases],
                [one.kind for one in releases],
                [one.name for one in releases],
                [one.release.began_at // 60_000 for one in releases],
            )
        found: dict[int, list[Minute]] = {}
        for row in rows:
            found.setdefault(row["release"], []).append(Minute(*list(row.values())[1:]))
        return found

    async def busy_days(self, lanes: Sequence[int]) -> Mapping[int, float]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.busy_days, list(lanes))
        return {row["lane"]: row["mails"] for row in rows}

    async def queued(self, release: Open) -> bool:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.queued, release.lane, *_names(release))

    async def used(self, release: Open) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(
                _SQL.used, release.tenant, release.kind, release.lane, *_names(release)
            )

    async def spent(self, release: Open) -> int | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(
                _SQL.spent, release.tenant, release.kind, release.lane, *_names(release)
            )

    async def save(self, looks: Sequence[Look]) -> None:
        quiet = [look for look in looks if not _changes(look)]
        if quiet:
            async with connection_pool.transaction(self._pool) as conn:
                for look in sorted(quiet, key=lambda look: look.before.id):
                    await conn.execute(_SQL.seen, look.before.id, look.before.looked_at, *_counts(look))
        for look in looks:
            if _changes(look):
                async with connection_pool.transaction(self._pool) as conn:
                    await _save(conn, look)

    async def open(self, id: int, *, actor: str, because: str) -> None:
        """Lets all of a release leave. Raises NotFound, or Conflict if it is over."""
        async with connection_pool.transaction(self._pool) as conn:
            tenant = await conn.fetchval(_SQL.tenant_of, id)
            if tenant is None:
                raise NotFound(messages.no_release_numbered(id), code="no-such-release")
            await conn.execute(_SQL.lock, tenant)
            row = await conn.fetchrow(_SQL.one, id)
            assert row is not None
            if row["ended_at"] is not None:
                raise Conflict(messages.release_is_over(), code="release-over")
            one = _open(row)
            await _save(conn, releases.opened_by_hand(one, feedback_of(row)))
            await conn.execute(_SQL.opened_by, id, actor, because)
            what = f"release {id}, {messages.batch(one.kind, one.name)}"
            await conn.execute(_SHARED.write_audit, actor, "release.open", tenant, what, None, None, because)

    async def purge(self, keep_ms: int) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.purge, keep_ms)


async def _save(conn: PooledConnection, look: Look) -> None:
    one, at = look.before, look.after
    await conn.execute(_SQL.lock, one.tenant)
    saved = await conn.fetchval(
        _SQL.save,
        one.id,
        one.looked_at,
        str(at.phase),
        at.step,
        at.cap,
        at.opened_at,
        at.base,
        at.left_at,
        str(at.why),
        at.next_at,
        None if at.phase is Phase.OVER else look.limit_cap,
        str(look.limit_mode),
        look.because,
        look.use_before,
        *_counts(look),
    )
    if saved is None:
        return
    if look.changes_limit or at.phase is Phase.OVER:
        rows = await conn.fetch(_SQL.limits_of_lane, one.tenant, one.lane)
        limits = [
            releases.limit(
                one.tenant,
                one.lane,
                row["kind"],
                row["name"],
                row["limit_cap"],
                Mode(row["mode"]),
                row["because"],
            )
            for row in rows
        ]
        await limit_store.replace(conn, one.tenant, releases.OWNER, limits, lane=one.lane)


def _changes(look: Look) -> bool:
    return (
        look.changes_limit or look.after != look.before.release or look.use_before != look.before.use_before
    )


def _counts(look: Look) -> tuple[object, ...]:
    back = look.feedback
    return back.out, back.heard, back.bounces, back.usual_bounces, back.complaints, back.usual_complaints


def release_of(row: asyncpg.Record) -> Release:
    return Release(
        began_at=row["began_at"],
        phase=Phase(row["phase"]),
        step=row["step"],
        cap=row["cap"],
        opened_at=row["opened_at"],
        base=row["base"],
        left_at=row["left_at"],
        why=Why(row["why"]),
        next_at=row["next_at"],
    )


def feedback_of(row: asyncpg.Record) -> Feedback:
    """As the last look saw it."""
    return Feedback(
        out=row["sent"],
        heard=row["heard"],
        bounces=row["bounces"],
        usual_bounces=row["usual_bounces"],
        complaints=row["complaints"],
        usual_complaints=row["usual_complaints"],
    )


def _names(release: Open) -> tuple[str | None, str | None]:
    """Campaign and list."""
    name = release.name
    return name if release.kind == "campaign" else None, name if release.kind == "list" else None


def _open(row: asyncpg.Record) -> Open:
    return Open(
        id=row["id"],
        tenant=row["tenant"],
        lane=row["lane"],
        kind=row["kind"],
        name=row["name"],
        fresh=row["fresh"],
        release=release_of(row),
        policy=policy_of(row["document"], Class(row["class"])).release,
        use_before=row["use_before"],
        limit_cap=row["limit_cap"],
        limit_mode=Mode(row["mode"]),
        because=row["because"],
        now=row["now"],
        size=row["size"],
        last_accepted=row["last_accepted"],
        rate=row["rate"],
        warned=row["warned"],
        looked_at=row["looked_at"],
    )
