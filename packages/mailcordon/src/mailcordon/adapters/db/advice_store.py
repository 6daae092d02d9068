"""Implements `control.advice.advisor.AdviceStore`, as the control role; and reads the price file."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from mailcordon.adapters.db import connection_pool, platform_reader, queries
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.control.advice import DAYS, Facts, Volume, prices
from mailcordon.control.advice.fleet import Counted, Sender, Uses
from mailcordon.control.advice.prices import Prices
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.dedicated import WINDOW_DAYS, Count, Day
from mailcordon.observe import windows

_SQL = queries.load("advice_store.sql")
_SHARED = queries.load("shared.sql")
_UPKEEP = queries.load("upkeep_store.sql")
_LONG = 660.0  #: seconds; longer than allow_long_statement, so that the server ends it first
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
            volume = await conn.fetchrow(_SQL.volume, id, *_buckets(today), DAYS)
            assert volume is not None
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
            own=volume["own"],
            all=volume["all"],
            minimums={row["name"]: row["minimum"] for row in minimums},
        )

    async def count_senders(self) -> None:
        """Counts what the list of all tenants is made from, in place of what was counted before."""
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_UPKEEP.allow_long_statement)
            await conn.execute(_SQL.one_at_a_time, timeout=_LONG)
            today: int = await conn.fetchval(_SHARED.now) // _DAY_MS
            await conn.execute(_SQL.forget_senders)
            await conn.execute(_SQL.count_senders, *_buckets(today), DAYS, timeout=_LONG)
            await conn.execute(_SQL.sum_senders)

    async def senders(self, after: int, limit: int) -> tuple[Counted | None, Sequence[Sender]]:
        async with connection_pool.transaction(self._pool, snapshot=True) as conn:
            counted = await conn.fetchrow(_SQL.counted)
            rows = await conn.fetch(_SQL.senders, after, limit)
        if counted is None:
            return None, ()
        whole = Counted(
            at_ms=counted["at"], tenants=counted["tenants"], payers=counted["payers"], uses=_uses(counted)
        )
        return whole, [Sender(slug=row["slug"], uses=_uses(row)) for row in rows]


def _uses(row: asyncpg.Record) -> Uses:
    return Uses(
        volume=Volume(sent=row["sent"], bad=row["bad"]),
        managed_mails=row["managed"],
        ses_tenants=row["ses_tenants"],
        sets=row["sets"],
        domains=row["domains"],
        addresses=row["addresses"],
    )


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


def _buckets(today: int) -> tuple[list[int], list[int]]:
    """Sizes and beginnings of the buckets of the last `DAYS` days. Whole weeks have as many rows as a day."""
    window = windows.Window((today - DAYS) * windows.DAY, today * windows.DAY)
    found = windows.buckets(window, window.until, (windows.DAY, windows.WEEK, windows.MONTH))
    return [one.span for one in found], [one.start for one in found]


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
