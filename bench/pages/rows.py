"""The rows of a large installation, written by COPY: what `./dev bench pages` asks for pages, and `./dev look --tenants N` shows.

The fleet and its counts are those of `bench/fleet.py`, the mail is that of `bench/search_rows.py`, and what has happened to
tenants (incidents, holds, suppressions, audit) is in `events.py`. A home that was filled has a mark of each part: a fill that was
interrupted goes on, and a part that is added later is added to it.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg

from bench import fleet, search_rows
from bench.pages import events as happened
from bench.search_rows import DAY_MS, Filled, Lane
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.advice_store import AdviceStore
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.installation import load_installation
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.control.policies import Policies

DATABASE = "mailcordon"
MARK = "filled.json"
TYPES = ("password-reset", "newsletter")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    tenants: int
    lanes: int
    days: int  #: of counts
    messages: int
    message_days: int  #: that they are spread over


async def migrated(home: Path) -> None:
    """Makes an installation in this home, with its keys, or brings it to the present schema."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)  # PostgreSQL's user enters it
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mailcordon", "migrate", "--first-key"],
        env={**kept, "MAILCORDON_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )


async def filled(
    home: Path, size: Size, say: Say, *, words: Sequence[str] = happened.PLAIN
) -> tuple[Filled, dict[str, float]]:
    """Fills the migrated home. Returns what there is to look for, and the seconds of each part. The server is stopped after."""
    postgres = EmbeddedPostgres(home, say=lambda _: None)
    await postgres.start()
    try:
        owner = await asyncpg.connect(postgres.dsn(DATABASE), server_settings={"search_path": engine.SCHEMA})
        await owner.execute("set statement_timeout = 0")
        try:
            return await _parts(owner, home, size, say, words)
        finally:
            await owner.close()
    finally:
        await postgres.stop()


async def _parts(
    owner: asyncpg.Connection, home: Path, size: Size, say: Say, words: Sequence[str]
) -> tuple[Filled, dict[str, float]]:
    file = home / MARK
    mark = json.loads(file.read_text()) if file.exists() else {"size": asdict(size), "seconds": {}}
    if mark["size"] != asdict(size):
        raise SystemExit(f"bench: {home} is filled with {mark['size']}: name another directory, or delete it")
    mark.setdefault("last_ms", int(time.time() * 1000) - 60_000)

    async def part(name: str, fill: Callable[[], Awaitable[object]]) -> None:
        if name in mark["seconds"]:
            return
        say(f"writing: {name}")
        began = time.monotonic()
        await fill()
        mark["seconds"][name] = round(time.monotonic() - began, 1)
        file.write_text(json.dumps(mark))

    async def counts() -> None:
        now = mark["last_ms"] // 60_000
        await fleet.write(owner, lanes=size.lanes, tenants=size.tenants, types=TYPES, days=size.days, now=now)
        for table in ("route", "slice"):  # as a new installation has it: no lane shares its path
            await owner.execute(f"update {table} set path = 'isolated'")

    await part("counts", counts)
    found = await _found(owner, home, size, mark["last_ms"])

    async def policies() -> None:
        pool = await engine.create_pool(_login(home, "control"), answer_seconds=600, statement_seconds=600)
        try:
            await Policies(PolicyStore(pool)).keep()
        finally:
            await pool.close()

    async def messages() -> None:
        await search_rows.fill(owner, found, say)
        for table in search_rows.COLUMNS:
            await owner.execute(f"vacuum (analyze) {table}")

    async def events() -> None:
        amounts = happened.Amounts.of(size.tenants)
        await happened.write(owner, amounts, now_ms=mark["last_ms"], words=words)

    async def advice() -> None:
        pool = await engine.create_pool(_login(home, "control"))
        try:
            await AdviceStore(pool).count_senders()
        finally:
            await pool.close()

    await part("policies", policies)
    await part("messages", messages)
    await part("events", events)
    await part("advice", advice)
    return found, mark["seconds"]


def _login(home: Path, login: str) -> str:
    return json.loads((home / "database.json").read_text())[login]


async def _found(owner: asyncpg.Connection, home: Path, size: Size, last_ms: int) -> Filled:
    installation = await load_installation(owner, (home / "secret-keys").read_text().split())
    assert installation is not None, "migrate has made one"
    rows = await owner.fetch(
        "select l.tenant, t.slug, l.id, y.name from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " order by l.tenant, y.class"
    )
    return Filled(
        messages=size.messages,
        days=size.message_days,
        first_ms=last_ms - size.message_days * DAY_MS,
        last_ms=last_ms,
        lanes=[Lane(*row) for row in rows],
        hash_key=installation.hash_key,
    )
