"""A temporary system for as long as a command runs: `mailcordon up` as a child process, in a temporary home, on free ports.

It shares nothing with a system that may be running beside it: none of the caller's Mailcordon settings reach it. It is stopped
and removed when the command ends, however that ends; its log is kept if something failed.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from mailcordon.adapters.cli import client, connection, duration, failures
from mailcordon.adapters.cli.document import Document
from mailcordon.host import guardian, log_file
from mailcordon.messages import drill as messages

START_SECONDS = 60.0  #: a first start makes a database, which can take most of this on a slow disk
STOP_SECONDS = 30
_LOG_LINES = 8  #: of its log, shown if it does not start


@dataclass(slots=True)
class TemporarySystem:
    connection: connection.Connection
    log: Path
    keep: bool = False  #: set to keep its home, with its logs, after the end


@contextlib.asynccontextmanager
async def running(
    note: Callable[[str], None], *, world: Document | None = None
) -> AsyncGenerator[TemporarySystem, None]:
    """Starts a system, waits until it is healthy, and stops it at the end. Raises Failure if it does not start. `world`: the
    settings of the world behind its local SES."""
    home = Path(tempfile.mkdtemp(prefix="mailcordon-drill-"))
    # As root, PostgreSQL runs as another user, who needs to reach its own directory below this one.
    home.chmod(0o711)
    log = home / "up.log"
    words = ["up"]
    if world is not None:
        (home / "world.json").write_text(json.dumps(world))
        words += ["--world", str(home / "world.json")]
    with log_file.open_log(log) as out:
        # Under a guardian, so that `kill -9` of the drill leaves nothing running.
        process = await guardian.start(
            [sys.executable, "-m", "mailcordon", *words],
            kind="TERM",
            hard="KILL",
            patience=STOP_SECONDS,
            log=out,
            env=_environment(home),
        )
    system: TemporarySystem | None = None
    try:
        system = TemporarySystem(await _wait(process, home, log), log)
        yield system
    except failures.Failure:
        if system is None:
            note(messages.log_is_kept(file=str(log)))
        raise
    finally:
        await process.stop()
        if system is not None and not system.keep:
            shutil.rmtree(home, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILCORDON_")}
    return {
        **kept,
        "MAILCORDON_HOME": str(home),
        "MAILCORDON_API_PORT": "0",
        "MAILCORDON_SES_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }


async def _wait(process: guardian.Guarded, home: Path, log: Path) -> connection.Connection:
    deadline = time.monotonic() + START_SECONDS
    while not process.ended and time.monotonic() < deadline:
        if (home / connection.FILE).exists():
            found = connection.find(url=None, key=None, environment={}, home=home)
            if await is_healthy(found):
                return found
        await asyncio.sleep(0.05)
    last_lines = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
    raise failures.Failure(
        failures.Exit.UNAVAILABLE,
        messages.temporary_system_did_not_start(
            waited="" if process.ended else duration.spoken(START_SECONDS),
            last_lines=" | ".join(last_lines),
        ),
    )


async def is_healthy(found: connection.Connection) -> bool:
    """Whether a server responds and its health check passes."""
    api = client.Client(found.url, found.key, timeout=5.0)
    try:
        return bool((await api.get(client.path("health"))).get("ok"))
    except failures.Failure:
        return False
    finally:
        await api.close()
