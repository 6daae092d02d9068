"""Implements `control.advice.advisor.AdviceStore`, as the control role; and reads the price file."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mailcordon.adapters.db import connection_pool, platform_reader, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.advice import DAYS, Facts, Volume, prices
from mailcordon.control.advice.fleet import Sender
from mailcordon.control.advice.prices import Prices
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.dedicated import WINDOW_DAYS, Count, Day
from mailcordon.observe import windows

_SQL = queries.load("advice_store.sql")
_SHARED = queries.load("shared.sql")
_OTHERS_DAYS = 14  #: of the whole platform; a longer window would read more than it tells
_DAY_MS = 86_400_000
_PROVIDERS = {int(each): each for each in Provider}  #: numbers of a newer version are left out


class AdviceStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def facts(self, slug: str) -> Facts | None:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            read = await platform_reader.some(conn, [slug])
            if (tenant := read.platform.tenants.get(slug)) is None:
                return None
            id = read.ids[slug]
            today: int = await conn.fetchval(_SHARED.now) // _DAY_MS
            days = await conn.fetch(_SQL.days, id, WINDOW_DAYS)
            others = await _others(conn, id)
            by_tenant = await _volumes(conn, today)
            minimums = await conn.fetch(_SQL.minimums)
        of_class: dict[Class, list[Day]] = defaultdict(list)
        for row in days:
            if row["provider"] in _PROVIDERS:
                day = Day(row["day"], _PROVIDERS[row["provider"]], row["sent"], row["blocks"])
                of_class[Class(row["class"])].append(day)
        return Facts(
            platform=read.platform,
            tenant=tenant,
            today=today,
            days=of_class,
            others={_PROVIDERS[number]: one for number, one in others.items() if number in _PROVIDERS},
            own=by_tenant.get(id, Volume()),
            all=Volume(
                sent=sum(one.sent for one in by_tenant.values()),
                bad=sum(one.bad for one in by_tenant.values()),
            ),
            tenants=sum(one.sent > 0 for one in by_tenant.values()),
            minimums={row["name"]: row["minimum"] for row in minimums},
        )

    async def senders(self) -> Sequence[Sender]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            rows = await conn.fetch(_SQL.senders)
            by_tenant = await _volumes(conn, await conn.fetchval(_SHARED.now) // _DAY_MS)
            pooled = await conn.fetch(_SQL.pooled, DAYS)
        of_pool: dict[str, int] = defaultdict(int)
        members: dict[str, int] = defaultdict(int)
        for row in pooled:
            of_pool[row["pool"]] += row["sent"]
            members[row["pool"]] += 1
        managed: dict[int, int] = defaultdict(int)
        addresses: dict[int, float] = defaultdict(float)
        for row in pooled:
            if row["managed"]:
                managed[row["tenant"]] += row["sent"]
            else:
                total = of_pool[row["pool"]]
                part = row["sent"] / total if total else 1 / members[row["pool"]]
                addresses[row["tenant"]] += part * row["addresses"]
        return [
            Sender(
                slug=row["slug"],
                volume=by_tenant.get(row["id"], Volume()),
                managed_mails=managed[row["id"]],
                ses_tenants=row["ses_tenants"],
                sets=row["sets"],
                domains=row["domains"],
                addresses=addresses[row["id"]],
            )
            for row in rows
        ]


async def _others(conn: PooledConnection, tenant: int) -> dict[int, Count]:
    """Other tenants' mail from the shared addresses, by the number of the provider. Counted by lane for the smaller part of the
    lanes: the mail of all is known by provider."""
    counted: list[int] = []
    left_out: list[int] = []
    for row in await conn.fetch(_SQL.from_shared_addresses, tenant):
        (counted if row["counts"] else left_out).append(row["id"])
    if len(counted) <= len(left_out):
        rows = await conn.fetch(_SQL.of_lanes, counted, _OTHERS_DAYS)
        return {row["provider"]: Count(row["sent"], row["blocks"]) for row in rows}
    found = {
        row["provider"]: (row["sent"], row["blocks"]) for row in await conn.fetch(_SQL.of_all, _OTHERS_DAYS)
    }
    for row in await conn.fetch(_SQL.of_lanes, left_out, _OTHERS_DAYS):
        sent, blocks = found.get(row["provider"], (0, 0))
        found[row["provider"]] = max(0, sent - row["sent"]), max(0, blocks - row["blocks"])
    return {provider: Count(*counts) for provider, counts in found.items()}


async def _volumes(conn: PooledConnection, today: int) -> dict[int, Volume]:
    """By tenant, of the last `DAYS` days. Whole weeks have as many rows as a day."""
    window = windows.Window((today - DAYS) * windows.DAY, today * windows.DAY)
    buckets = windows.buckets(window, window.until, (windows.DAY, windows.WEEK, windows.MONTH))
    rows = await conn.fetch(_SQL.volumes, [one.span for one in buckets], [one.start for one in buckets])
    return {row["tenant"]: Volume(sent=row["sent"], bad=row["bad"]) for row in rows}


class PriceFile:
    """The price file of the home, read again for each advice; without one, the shipped one."""

    def __init__(self, home: Path) -> None:
        self._file = home / prices.FILE

    async def read(self) -> Prices:
        """Raises Invalid, naming what is wrong in it."""
        try:
            text = await asyncio.to_thread(self._file.read_text)
        except (FileNotFoundError, NotADirectoryError):
            return prices.shipped()
        return prices.parse(text)
