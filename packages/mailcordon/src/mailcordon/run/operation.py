"""The work behind `mailcordon up` and `migrate`; their words and options are in `commands.py`, which loads this when needed."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Generator

from mailcordon.adapters.db import migrate as migrations
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.config import Config
from mailcordon.core.errors import Refused
from mailcordon.run import bootstrap, home_lock, welcome
from mailcordon.run.supervisor import DATABASE, System, given_logins, secret_keys


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever listened has gone; that is no reason to stop
        print(line, file=sys.stderr, flush=True)


def _show(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)


async def up(config: Config, *, new_key: bool) -> int:
    with _stop_signals() as stop:
        system = System(config, _say, new_key=new_key)
        stopped = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(system.start())
        try:
            _say(f"starting Mailcordon in {config.home}")
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
                return 0
            _show(welcome.text(await starting, config))
            refused = asyncio.create_task(system.wait_refused())
            await asyncio.wait({refused, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise Refused(refused.result(), code="role-refused")
            refused.cancel()
            return 0
        finally:
            _say("stopping: what was begun is finished first")
            with contextlib.suppress(asyncio.CancelledError):
                if not starting.done():
                    await starting
            await system.stop()
            _say("stopped")


@contextlib.contextmanager
def _stop_signals() -> Generator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def migrate(config: Config, *, first_key: bool, new_passwords: bool) -> int:
    with home_lock.claimed(config.home, "migrate"):
        postgres = None if config.database_url else EmbeddedPostgres(config.home, say=_say)
        try:
            if postgres is not None:
                await postgres.start()
            made = await migrations.migrate(
                postgres.dsn(DATABASE) if postgres else str(config.database_url),
                home=config.home,
                say=print,
                given=given_logins(os.environ),
                own_cluster=postgres is not None,
                new_passwords=new_passwords,
            )
            settled = dataclasses.replace(config, login_urls=made.dsns, secret_keys=secret_keys(config))
            await bootstrap.begin_installation(settled)
            if first_key:
                await _write_first_key(settled)
        finally:
            if postgres is not None:
                await postgres.stop()
    if not made.applied:
        print("the database is up to date")
    return 0


async def _write_first_key(config: Config) -> None:
    file = config.home / home_lock.CLI
    known = home_lock.read(file)
    key = await bootstrap.platform_key(config, known.get("key"))
    url = known.get("url") or f"http://{config.api_host}:{config.api_port or 8025}"
    home_lock.write(file, {**known, "url": url, "key": key})
    print(f"the CLI's key is in {file}")
