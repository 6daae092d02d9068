"""A system of one's own for as long as a command runs: `mailcordon up` as a child, in a temporary home, on free ports.

It shares nothing with a system that may be running beside it: none of the caller's Mailcordon settings reach it. It is gone when
the command is over, however that ends; its log is kept where something went wrong.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from mailcordon.adapters.cli import client, connection, failures

START_SECONDS = 60.0  #: a first start makes a database; a slow disk may need most of it
STOP_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Own:
    connection: connection.Connection
    log: Path
    keep: bool = False  #: set by whoever finds its log worth reading


@contextlib.asynccontextmanager
async def system(say: Callable[[str], None]) -> AsyncGenerator[Own, None]:
    """Starts one, waits until it answers, and stops it at the end. Raises Failure where it does not start."""
    home = Path(tempfile.mkdtemp(prefix="mailcordon-drill-"))
    # As root, PostgreSQL runs as another user, who must be able to pass through to its own directory.
    home.chmod(0o711)
    log = home / "up.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mailcordon", "up"),
            env=_environment(home),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C is ours: we stop it in our own time.
            start_new_session=True,
            preexec_fn=_end_with_us if sys.platform == "linux" else None,
        )
    own: Own | None = None
    try:
        own = Own(await _wait(process, home, log), log)
        yield own
    except failures.Failure:
        if own is None:
            say(f"its log is kept in {log}")
        raise
    finally:
        await _stop(process)
        if own is not None and not own.keep:
            shutil.rmtree(home, ignore_errors=True)


def _end_with_us() -> None:
    """In the child: a kill -9 of the drill must leave nothing running, so the kernel tells the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILCORDON_")}
    return {
        **kept,
        "MAILCORDON_HOME": str(home),
        "MAILCORDON_API_PORT": "0",
        "MAILCORDON_SES_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }


async def _wait(process: asyncio.subprocess.Process, home: Path, log: Path) -> connection.Connection:
    deadline = time.monotonic() + START_SECONDS
    while process.returncode is None and time.monotonic() < deadline:
        if (home / connection.FILE).exists():
            found = connection.find(url=None, key=None, environment={}, home=home)
            if await answers(found):
                return found
        await asyncio.sleep(0.05)
    tail = log.read_text(errors="replace").strip().splitlines()[-8:]
    ended = "it ended" if process.returncode is not None else f"it did not answer within {START_SECONDS:g} s"
    raise failures.Failure(
        failures.Exit.UNAVAILABLE,
        f"a system of the drill's own did not start: {ended}. Its last words: {' | '.join(tail)}",
    )


async def answers(found: connection.Connection) -> bool:
    """Whether a server is there and well."""
    api = client.Client(found.url, found.key, timeout=5.0)
    try:
        return bool((await api.get(client.path("health"))).get("ok"))
    except failures.Failure:
        return False
    finally:
        await api.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
