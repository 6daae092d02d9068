"""The frame around each role process: settings, log, database checks, signals; the role itself is `app.py`'s.

A role never starts with wrong settings, with too much power in the database, or on a server that forgets commits: it says why
and ends with status 2, which its supervisor takes as final. A database that is merely away is waited for. SIGTERM and
SIGINT set `stop`; the role then finishes what it began and returns.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

import asyncpg
import structlog
import uvloop

from mailcordon import app
from mailcordon import config as configs
from mailcordon.adapters.db import engine, roles
from mailcordon.config import BadConfig, Config
from mailcordon.core.errors import MailcordonError, Refused

REFUSED = 2  #: exit status of a process that will not run with these settings

_log = structlog.get_logger("mailcordon.run")


def run(role: str) -> int:
    """The whole life of one role process; answers its exit status."""
    try:
        if role not in configs.PROCESS_LOGINS:
            raise BadConfig(
                f"there is no such role: {', '.join(configs.PROCESS_LOGINS)} are those there are."
            )
        config = configs.read(os.environ, role)
        config.require_logins(role)
        write_log(config.log, role)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(role, config))
    except MailcordonError as failure:
        print(f"mailcordon run {role}: {failure}", file=sys.stderr)
        return REFUSED if isinstance(failure, Refused) else 1
    return 0


async def _live(role: str, config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if not await check_databases(role, config, stop):
        return
    _log.info("started", role=role, pid=os.getpid())
    body = app.body(role)
    freeze_heap()
    await body(config, stop)
    _log.info("ended", role=role, pid=os.getpid())


def freeze_heap() -> None:
    """Keeps the cycle collector away from what was loaded at startup, and makes it run rarely afterwards: rows and tasks of a
    batch form no cycles, so reference counts free them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def check_databases(role: str, config: Config, stop: asyncio.Event) -> bool:
    """Checks each login once the server answers. False: we were told to stop before it did."""
    for login in configs.PROCESS_LOGINS[role]:
        while not await _checked(config.login_url(login)):
            _log.warning("the database does not answer; waiting", login=login)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
            if stop.is_set():
                return False
    return True


async def _checked(dsn: str) -> bool:
    try:
        connection = await engine.connect(dsn, application_name="mailcordon start check")
    except asyncpg.InvalidAuthorizationSpecificationError as refusal:
        raise roles.UnfitDatabase(
            f"the database refuses us: {refusal}. `mailcordon migrate --new-passwords` mends lost passwords."
        ) from refusal
    except asyncpg.InvalidCatalogNameError as refusal:
        raise roles.UnfitDatabase(f"{refusal}: run `mailcordon migrate` first.") from refusal
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        await roles.check_running(connection)
        return True
    finally:
        await connection.close()


def write_log(kind: str, role: str) -> None:
    """structlog to stderr: text for people, JSON for machines; the standard library's warnings go the same way."""
    show = (
        structlog.processors.JSONRenderer() if kind == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            show,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format=f"%(asctime)s {role} %(name)s %(message)s"
    )
