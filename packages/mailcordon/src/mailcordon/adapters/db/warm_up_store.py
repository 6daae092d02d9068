"""Implements `control.pacing.warm_ups.WarmUpStore`, as the control role."""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import connection_pool, limit_store, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.control.pacing import warm_ups
from mailcordon.control.pacing.warm_ups import Domain, Key, Standing
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.policy.effective import WarmUpPolicy
from mailcordon.guard.warm_up import Day, Trouble, Verdict, WarmUp

_SQL = queries.load("warm_up_store.sql")
_RELEASES = queries.load("release_store.sql")
_SHARED = queries.load("shared.sql")
DAY_MS = 86_400_000
#: Numbers of a newer version are left out.
_PROVIDERS = {int(each): each for each in Provider}


class WarmUpStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def today(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SHARED.now) // DAY_MS

    async def domains(self) -> Sequence[Domain]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.domains)
            known = standings(await conn.fetch(_SQL.standings, None))
        by_key: dict[Key, dict[Provider, tuple[WarmUp, Mode]]] = defaultdict(dict)
        for one in known:
            by_key[one.key][one.provider] = (one.at, one.mode)
        found: list[Domain] = []
        for row in rows:
            key = Key(row["tenant"], row["domain"], row["pool"])
            found.append(
                Domain(
                    key=key,
                    lanes=row["lanes"],
                    policies=[
                        _policy(document, class_)
                        for document, class_ in zip(row["documents"], row["classes"], strict=True)
                    ],
                    known=by_key.get(key, {}),
                )
            )
        return found

    async def days(
        self, domains: Sequence[Domain], since: int
    ) -> Mapping[tuple[Key, Provider], Sequence[Day]]:
        keys = {lane: one.key for one in domains for lane in one.lanes}
        async with connection_pool.acquire(self._pool) as conn:
            rows = await conn.fetch(_SQL.days, sorted(keys), since)
        sums: dict[tuple[Key, Provider], dict[int, Day]] = defaultdict(dict)
        for row in rows:
            provider = _PROVIDERS.get(row["provider"])
            if provider is None:
                continue
            of = sums[keys[row["lane"]], provider]
            before = of.get(row["day"], Day(row["day"], 0))
            of[row["day"]] = Day(
                row["day"],
                before.sent + row["sent"],
                before.delays + row["delays"],
                before.blocks + row["blocks"],
            )
        return {name: [of[day] for day in sorted(of)] for name, of in sums.items()}

    async def save(self, changed: Sequence[Standing]) -> None:
        by_tenant: dict[int, list[Standing]] = defaultdict(list)
        for one in changed:
            by_tenant[one.key.tenant].append(one)
        for tenant, of in sorted(by_tenant.items()):
            async with connection_pool.transaction(self._pool) as conn:
                await conn.execute(_RELEASES.lock, tenant)
                for one in of:
                    await conn.execute(_SQL.save, *_row(one))
                await conn.execute(_SQL.forget, tenant)
                every = standings(await conn.fetch(_SQL.standings, tenant))
                await limit_store.replace(conn, tenant, warm_ups.OWNER, warm_ups.limits(every))


@functools.lru_cache(maxsize=1_000)  # most lanes have the same
def _policy(document: str | None, class_: int) -> WarmUpPolicy:
    return policy_of(document, Class(class_)).warm_up


def standings(rows: Sequence[asyncpg.Record]) -> list[Standing]:
    return [
        Standing(
            key=Key(row["tenant"], row["domain"], row["pool"]),
            provider=_PROVIDERS[row["provider"]],
            at=WarmUp(
                day=row["day"],
                step=row["step"],
                of=row["steps"],
                last_day=row["last_day"],
                verdict=Verdict(row["verdict"]),
                slowed_today=None if row["slowed"] is None else Trouble(row["slowed"]),
                cap=row["cap"],
            ),
            mode=Mode(row["mode"]),
        )
        for row in rows
        if row["provider"] in _PROVIDERS
    ]


def _row(one: Standing) -> tuple[object, ...]:
    at = one.at
    return (
        *(one.key.tenant, one.key.domain, one.key.pool, int(one.provider)),
        *(at.day, at.step, at.of, at.last_day, str(at.verdict)),
        None if at.slowed_today is None else str(at.slowed_today),
        at.cap,
        str(one.mode),
    )
