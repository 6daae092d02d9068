"""A filled installation of which only PostgreSQL and the dashboard run: nothing judges, sends or repairs its rows meanwhile."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.pages import rows
from bench.system import PATIENCE, Failed
from mailcordon.adapters.db.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    control: str  #: the address of the database for the control login
    dashboard: int  #: process ids
    postmaster: int
    postgres: EmbeddedPostgres


@contextlib.asynccontextmanager
async def dashboard(home: Path) -> AsyncIterator[Served]:
    """Raises Failed if the dashboard does not come up; its log is in the home."""
    postgres = EmbeddedPostgres(home, say=lambda _: None)
    await postgres.start()
    assert postgres.postmaster is not None
    listener = socket.create_server(("127.0.0.1", 0))
    log = home / "log" / "dashboard.log"
    log.parent.mkdir(exist_ok=True)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        kept = {name: one for name, one in os.environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}
        settings = {
            "MAILCORDON_HOME": str(home),
            "MAILCORDON_DASHBOARD_FD": str(listener.fileno()),
            "MAILCORDON_METRICS": "off",
        }
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mailcordon", "run", "dashboard"),
                env={**kept, **settings},
                stdout=out,
                stderr=out,
                pass_fds=[listener.fileno()],
            )
        try:
            await _answers(url, process, log)
            control = json.loads((home / "database.json").read_text())["control"]
            yield Served(url, control, process.pid, postgres.postmaster, postgres)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await process.wait()
    finally:
        listener.close()
        await postgres.stop()


async def _answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        while process.returncode is None and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{url}/sign-in")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise Failed(f"the dashboard did not start: {log.read_text()[-2000:]}")


def size_of(tenants: int) -> rows.Size:
    """What `./dev look --tenants N` shows: two lanes each, and a fraction of the mail that the bench asks."""
    return rows.Size(tenants=tenants, lanes=2 * tenants, days=90, messages=20 * tenants, message_days=7)
