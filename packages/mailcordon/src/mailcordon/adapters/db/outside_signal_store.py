"""Implements `control.outside_signals.OutsideSignalStore`, as the control role, and `SignalReads`: to a tenant's key as the
reader role."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

import asyncpg

from mailcordon.adapters.db import connection_pool, limit_store, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection, row_count
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.adapters.db.viewer_reads import ViewerReads
from mailcordon.control import outside_signals
from mailcordon.control.outside_signals import DAY_MS, Sender, Shown
from mailcordon.control.views import Viewer
from mailcordon.core.limit import Limit
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard import outside_signals as rules
from mailcordon.guard.outside_signals import Level

_SQL = queries.load("outside_signal_store.sql")
_RELEASES = queries.load("release_store.sql")
_SHARED = queries.load("shared.sql")
_PROVIDERS = {int(each): each for each in Provider}  #: numbers of a newer version are left out


class OutsideSignalStore:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def today(self) -> int:
        async with connection_pool.acquire(self._control) as conn:
            return await conn.fetchval(_SHARED.now) // DAY_MS

    async def add(
        self, signals: Sequence[OutsideSignal], *, keep_days: int, because: str, actor: str
    ) -> tuple[int, int]:
        async with connection_pool.transaction(self._control) as conn:
            rows = await conn.fetch(_SQL.add, *_columns(signals), actor)
            forgotten = row_count(await conn.execute(_SQL.forget, keep_days))
            new = sum(row["is_new"] for row in rows)
            after = {
                "signals": len(signals),
                "new": new,
                "changed": len(rows) - new,
                "forgotten": forgotten,
                "domains": sorted({one.domain for one in signals})[:20],
            }
            await conn.execute(
                _SHARED.write_audit,
                *(actor, "signal.import", None, f"{len(signals)} signals", None, json.dumps(after), because),
            )
        return new, len(rows) - new

    async def fresh(self, days: int) -> Sequence[OutsideSignal]:
        async with connection_pool.acquire(self._control) as conn:
            return [_signal(row) for row in await conn.fetch(_SQL.fresh, days)]

    async def senders(self, domains: Sequence[str]) -> Mapping[str, Sequence[Sender]]:
        async with connection_pool.acquire(self._control) as conn:
            rows = await conn.fetch(_SQL.senders, domains)
        found: dict[str, list[Sender]] = defaultdict(list)
        for row in rows:
            found[row["domain"]].append(
                Sender(
                    tenant=row["tenant"],
                    slug=row["slug"],
                    lanes=row["lanes"],
                    policies=[
                        policy_of(document, Class(class_)).warm_up
                        for document, class_ in zip(row["documents"], row["classes"], strict=True)
                    ],
                )
            )
        return dict(found)

    async def sent(self, lanes: Sequence[int], provider: Provider, first: int, last: int) -> tuple[int, int]:
        async with connection_pool.acquire(self._control) as conn:
            row = await conn.fetchrow(_SQL.sent, lanes, int(provider), first, last)
        assert row is not None
        return row["sent"], row["days"]

    async def keep_limits(self, wanted: Mapping[int, Sequence[Limit]]) -> None:
        async with connection_pool.acquire(self._control) as conn:
            limited = {row["tenant"] for row in await conn.fetch(_SQL.limited)}
        for tenant in sorted(limited | wanted.keys()):
            async with connection_pool.transaction(self._control) as conn:
                await conn.execute(_RELEASES.lock, tenant)
                await limit_store.replace(conn, tenant, outside_signals.OWNER, wanted.get(tenant, ()))


async def bad_of(conn: PooledConnection, domains: Set[str]) -> Mapping[str, str]:
    """Of these domains those of which something bad is said at present, in words."""
    found = [_signal(row) for row in await conn.fetch(_SQL.fresh, rules.FRESH_DAYS)]
    if not found:
        return {}
    today = await conn.fetchval(_SHARED.now) // DAY_MS
    standings = rules.standings((one for one in found if one.domain in domains), today)
    return {
        one.domain: outside_signals.sentence(one, slowed=False)
        for one in standings
        if one.level in (Level.BAD, Level.SLOW)
    }


class OutsideSignalReader(ViewerReads):
    async def page(
        self, viewer: Viewer, *, domain: str | None, source: Source | None, before: int | None, limit: int
    ) -> Sequence[Shown]:
        async with self._as(viewer) as conn:
            rows = await conn.fetch(_SQL.page, viewer.tenant, domain, source, before, limit)
        return [
            Shown(
                id=row["id"],
                signal=_signal(row),
                tenant=row["slug"],
                imported_at=row["imported_at"],
                imported_by=row["imported_by"],
                counts=rules.is_fresh(row["day"], row["today"]),
            )
            for row in rows
        ]


def _columns(signals: Sequence[OutsideSignal]) -> list[list[object]]:
    rows = [
        (
            *(str(one.source), one.domain, one.day, None if one.provider is None else int(one.provider)),
            *(one.reporter, one.report, one.rate, one.bad, one.of, one.elsewhere, one.elsewhere_bad),
            str(one.trust),
        )
        for one in signals
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _signal(row: asyncpg.Record) -> OutsideSignal:
    return OutsideSignal(
        source=Source(row["source"]),
        domain=row["domain"],
        day=row["day"],
        rate=row["rate"],
        trust=Trust(row["trust"]),
        provider=_PROVIDERS.get(row["provider"]),
        reporter=row["reporter"],
        report=row["report"],
        bad=row["bad"],
        of=row["of_mails"],
        elsewhere=row["elsewhere"],
        elsewhere_bad=row["elsewhere_bad"],
    )
