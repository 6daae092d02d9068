"""The paths of lanes, as the control role. Implements `control.paths.PathStore`."""

import itertools
import json
from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control import desired
from mailcordon.control.paths import (
    MOVE_AT_ONCE,
    WAITING_AT_MOST,
    LanePath,
    LanePaths,
    Moved,
    NewSharedPath,
    SharedPath,
)
from mailcordon.core import text
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.messages import paths, rollouts

_SQL = queries.load("path_store.sql")
_PLANS = queries.load("plan_store.sql")
_SHARED = queries.load("shared.sql")


class PathStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def shared_paths(self) -> Sequence[SharedPath]:
        async with connection_pool.acquire(self._pool) as conn:
            return [SharedPath(**dict(row)) for row in await conn.fetch(_SQL.shared_paths)]

    async def add_shared(self, new: NewSharedPath, *, actor: str, because: str) -> SharedPath:
        want = desired.of_shared_path(new.domain, new.ses_tenant)
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.add_shared, new.name, new.domain, new.ses_tenant, new.ip_pool)
            if row is None:
                raise Conflict(paths.shared_path_exists(new.name, new.domain), code="path-exists")
            await self._want(conn, want)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "path.add-shared",
                None,
                f"shared path {new.name}",
                None,
                json.dumps({"domain": new.domain, "ses_tenant": new.ses_tenant, "ip_pool": new.ip_pool}),
                because,
            )
        return SharedPath(**dict(row))

    async def remove_shared(self, name: str, *, actor: str, because: str, dry_run: bool) -> SharedPath:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock_shared, name)
            if row is None:
                known = [one["name"] for one in await conn.fetch(_SQL.shared_paths)]
                raise NotFound(paths.no_shared_path(text.harmless(name, 64), known), code="no-such-path")
            found = SharedPath(**dict(row))
            if having := await conn.fetch(_SQL.lanes_of_shared, found.domain):
                problem = paths.shared_path_in_use(name, [one["lane"] for one in having], having[0]["number"])
                raise Conflict(problem, code="path-in-use")
            if dry_run:
                return found
            await conn.execute(_SQL.drop_of_retired, found.domain)
            await conn.execute(_SQL.remove_shared, name)
            kind = desired.Kind.ASSOCIATION
            if others := await conn.fetch(_SQL.others_of_ses_tenant, found.ses_tenant):
                want = desired.of_shared_path(others[0]["domain"], found.ses_tenant)
                await self._want(conn, want)
            else:
                # Nothing is called for it: what the SES tenant has beside stays (control/plan.py, keeps_others).
                await conn.execute(_PLANS.unwant, [kind.word], [found.ses_tenant], "urgent")
            said = json.dumps(
                {"domain": found.domain, "ses_tenant": found.ses_tenant, "ip_pool": found.ip_pool}
            )
            await conn.execute(
                _SHARED.write_audit, actor, "path.remove", None, f"shared path {name}", said, None, because
            )
        return found

    async def _want(self, conn: PooledConnection, want: desired.Resource) -> None:
        await conn.execute(
            _PLANS.want,
            [want.kind.word],
            [want.name],
            [int(want.kind)],
            [None],
            [json.dumps(want.want)],
            "urgent",
        )

    async def note_move(self, lane: int, to: str, moved: Moved, *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lane_words, lane)
            assert row is not None
            said = json.dumps({"to": to, "moved": moved.moved, "kept": moved.kept})
            words = f"{row['type']} of {row['slug']}"
            await conn.execute(
                _SHARED.write_audit, actor, "path.move", row["tenant"], words, None, said, because
            )

    async def lanes(
        self, tenant: str | None = None, *, waiting: bool = False, after: int = 0, limit: int
    ) -> Sequence[LanePaths]:
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.lanes, tenant, waiting, WAITING_AT_MOST, after, limit)
        return [_lane(list(group)) for _, group in itertools.groupby(rows, key=lambda row: row["lane"])]

    async def set_shares(self, shares: Mapping[int, int], *, actor: str, because: str) -> None:
        async with connection_pool.transaction(self._pool) as conn:
            rows = {row["lane"]: row for row in await conn.fetch(_SQL.lock_paths, sorted(shares))}
            if missing := [lane for lane in sorted(shares) if lane not in rows]:
                raise Conflict(paths.not_two_paths(len(missing)), code="not-two-paths")
            changed = {lane: share for lane, share in sorted(shares.items()) if rows[lane]["share"] != share}
            if not changed:
                return
            if busy := await conn.fetchrow(_SQL.in_rollout, list(changed)):
                sentence = rollouts.shares_under_way(busy["slug"], busy["type"], busy["rollout"])
                raise Conflict(sentence, code="lane-in-rollout")
            for lane, share in changed.items():
                if share and not rows[lane]["verified"]:
                    raise Conflict(paths.not_verified(rows[lane]["domain"]), code="not-verified")
            await conn.execute(_SQL.set_shares, list(changed), list(changed.values()))
            for lane, share in changed.items():
                row = rows[lane]
                await conn.execute(
                    _SHARED.write_audit,
                    actor,
                    "path.share",
                    row["tenant"],
                    f"{row['type']} of {row['slug']}",
                    json.dumps({"isolated": row["share"]}),
                    json.dumps({"isolated": share}),
                    because,
                )
            await conn.execute(_SHARED.bump_epoch, "control")

    async def move_back(self, lane: int, to: str, after: int = 0, most: int = MOVE_AT_ONCE) -> Moved:
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.move_path, lane, to, most, after)
        assert row is not None
        return Moved(row["upto"], row["moved"], row["kept"])


def _lane(rows: list[asyncpg.Record]) -> LanePaths:
    first = rows[0]
    return LanePaths(
        lane=first["lane"],
        tenant=first["slug"],
        type=first["type"],
        rollout=first["rollout"],
        paths=tuple(
            LanePath(
                path=row["path"],
                share=row["share"],
                domain=row["domain"],
                ses_tenant=row["ses_tenant"],
                configuration_set=row["configuration_set"],
                ip_pool=row["ip_pool"],
                shared_path=row["shared_path"],
                waiting=row["waiting"],
            )
            for row in rows
        ),
    )
