"""The database stops growing once mail reaches its retention: a running system through many days, which pass in seconds.

In the suite a few days pass with little mail. `./dev crash soak --minutes 30` sends 500 mails a second, and each minute is a day.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from mailcordon.adapters.db import storage_reader
from mailcordon.control.retention import COUNTS, DAILY, Storage
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

MINUTES = int(os.environ.get("MAILCORDON_TEST_SOAK_MINUTES", "0"))
KEPT = 4  #: days, the least that the settings take
#: Days that pass at once, how often, and the seconds of mail before each.
STRIDE, STEPS, SECONDS = (1, MINUTES, 55) if MINUTES else (5, 3, 1)
MAILS_A_SECOND = 500 if MINUTES else 60
RECIPIENTS = 5
DAY_MS = 86_400_000
TYPES = ("password-reset", "receipt", "newsletter")
GROWTH = 1.1  #: what autovacuum may be behind


@pytest.fixture
def system(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[systems.System]:
    settings = {
        "MAILCORDON_KEEP_BODIES_DAYS": str(KEPT),
        "MAILCORDON_KEEP_RECORDS_DAYS": str(KEPT),
        "MAILCORDON_KEEP_MINUTE_COUNTS_DAYS": str(KEPT),
    }
    with short_home() as home, systems.running(home, **settings) as running:
        yield running


@pytest.mark.crash
@pytest.mark.timeout(300 + MINUTES * 180)
async def test_the_database_stops_growing_once_mail_reaches_its_retention(system: systems.System) -> None:
    slugs = [f"soak{n}-{secrets.token_hex(3)}" for n in range(3)]
    async with traffic.on(system) as mail:
        await mail.account(rate=10_000, quota=-1)
        await mail.onboard(dict.fromkeys(slugs, TYPES))
        sizes: list[int] = []
        for step in range(STEPS):
            began = asyncio.get_running_loop().time()
            sent = await day_of_mail(mail, slugs)
            await mail.all_final(*slugs)
            took = asyncio.get_running_loop().time() - began
            await mail.shift_clock((step + 1) * STRIDE * DAY_MS)
            if not MINUTES:
                mail.system.kill("control")  # its duties are due at its start, else ten seconds later
            found = await housekept(mail)
            sizes.append(found.bytes)
            print(
                f"day {(step + 1) * STRIDE}: {sent} mails, {sent / took:.0f} a second; {found.bytes >> 10} kB,"
                f" oldest day {(found.today - (found.oldest_day or found.today)).days} days ago"
            )
    full = -(-(KEPT + 1) // STRIDE)  # steps until the first day is dropped
    first, last = sizes[full : (full + STEPS) // 2 + 1], sizes[(full + STEPS) // 2 :]
    assert max(last) <= max(first) * GROWTH, sizes


async def day_of_mail(mail: Traffic, slugs: list[str]) -> int:
    """Hands in mail at an even rate, with idempotency keys. Returns how many deliveries."""
    each = MAILS_A_SECOND // RECIPIENTS
    accepted = 0
    for _ in range(SECONDS):
        second = asyncio.create_task(asyncio.sleep(1))
        ids = await asyncio.gather(
            *(
                mail.put(
                    slugs[n % len(slugs)],
                    TYPES[n // len(slugs) % len(TYPES)],
                    [f"r{secrets.token_hex(4)}@example.com" for _ in range(RECIPIENTS)],
                    key=secrets.token_hex(8),
                )
                for n in range(each)
            )
        )
        accepted += RECIPIENTS * sum(id is not None for id in ids)
        await second
    return accepted


async def housekept(mail: Traffic) -> Storage:
    """What is stored once control has dropped and purged all that is due after a step of the clock."""
    shifted = await traffic.connect(mail.system)
    try:

        async def done() -> bool:
            if await overdue(shifted):
                return False
            found = await storage_reader.storage(shifted)
            oldest = found.today - timedelta(days=KEPT)
            return (
                found.days_left is not None
                and found.days_left >= 13
                and all(
                    each.first_day is None or each.first_day >= oldest
                    for each in found.tables
                    if each.table != "cohort_hour"  # kept for 14 days at least
                )
            )

        await mail.until(done, "what is past its retention is gone", 60)
        return await storage_reader.storage(shifted)
    finally:
        await shifted.close()


async def overdue(db: asyncpg.Connection) -> int:
    """Rows that should have been deleted one by one, and tables with rows that should have been dropped."""
    rows = await db.fetchval(
        "select (select count(*) from idempotency where message < ((now_ms() - $1 - 1767225600000) << 22))"
        " + (select count(*) from urgent_content)"
        " + (select count(*) from cohort_bounce_domain where minute < (now_ms() - $2) / 60000)"
        " + (select count(*) from lane_finished where node < 0 and not exists"
        "    (select from worker w where w.id = -node and w.ended_at is null))",
        DAY_MS,
        KEPT * DAY_MS,
    )
    for table in sorted(DAILY):
        if table in COUNTS:
            continue  # checked by days
        key = "delivery" if table in ("event", "send_event") else "id"
        rows += await db.fetchval(
            f"select count(*) from (select from {table}"
            f" where {key} < ((now_ms() - $1 - 1767225600000) << 22) limit 1) x",
            (KEPT + 1) * DAY_MS,
        )
    return rows
