"""One role process: settings, log, database checks and signals; then the role itself, from its module in this package.

A role does not start with wrong settings, with too many rights in the database, or on a server that may lose commits: it says why
and exits with status 2, and its supervisor does not start it again. A database that cannot be reached is waited for. SIGTERM and
SIGINT set `stop`; the role then finishes the work in progress and returns.
"""

import asyncio
import contextlib
import gc
import os
import signal

import structlog
import uvloop

from mailcordon import app
from mailcordon import config as configs
from mailcordon.adapters.db import connect_errors, engine, roles
from mailcordon.app import log
from mailcordon.config import Config
from mailcordon.core import boundary
from mailcordon.core.errors import BadConfig, Later
from mailcordon.messages import settings

DATABASE_PAUSE = 1.0  #: seconds between two attempts to reach the database at startup

_log = structlog.get_logger("mailcordon.app")


def run(role: str) -> int:
    """The whole life of one role process. Returns its exit status."""
    # Before the settings are read, so that a wrong setting is logged in the same format.
    log.configure(os.environ.get("MAILCORDON_LOG", ""), role)
    return boundary.guard(lambda: _run(role), _log_ending)


def _run(role: str) -> int:
    if role not in configs.PROCESS_LOGINS:
        raise BadConfig(settings.role_unknown(role=role, roles=", ".join(configs.PROCESS_LOGINS)))
    config = configs.read(os.environ, role)
    config.require_logins(role)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(role, config))
    return 0


def _log_ending(ending: boundary.Ending) -> int:
    for sentence in ending.sentences:
        _log.error(sentence, code=ending.code)
    return boundary.FAILED if ending.retryable else boundary.REFUSED


async def _live(role: str, config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if not await check_databases(role, config, stop):
        return
    _log.info("started", pid=os.getpid())
    body = app.body(role)
    freeze_heap()
    await body(config, stop)
    _log.info("stopped", pid=os.getpid())


def freeze_heap() -> None:
    """Keeps the cycle collector away from what was loaded at startup, and makes it run rarely afterwards: rows and tasks of a
    batch form no cycles, so reference counts free them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    gc.enable()


async def check_databases(role: str, config: Config, stop: asyncio.Event) -> bool:
    """Checks each login, and waits until the server can be reached. False if `stop` was set first."""
    for login in configs.PROCESS_LOGINS[role]:
        while (failure := await _check(login, config.login_url(login))) is not None:
            _log.warning("waiting for the database", login=login, problem=str(failure))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), DATABASE_PAUSE)
            if stop.is_set():
                return False
    return True


async def _check(login: str, url: str) -> Later | None:
    """Returns why the server cannot be used at the moment, or None. Raises Refused if this login must not be used."""
    try:
        with connect_errors.explained(url, configs.login_setting(login)):
            connection = await engine.connect(url, application_name="mailcordon start check")
            try:
                await roles.check_running(connection)
            finally:
                await connection.close()
    except Later as failure:
        return failure
    return None
