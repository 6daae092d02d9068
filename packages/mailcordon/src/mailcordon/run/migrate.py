"""`mailcordon migrate`: the schema, the database roles, the installation, and the first key if asked for."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict

from mailcordon import config as configs
from mailcordon.adapters.db import connect_errors
from mailcordon.adapters.db import migrate as migrations
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.config import Config
from mailcordon.host.home import CLI_FILE
from mailcordon.messages import database
from mailcordon.run import bootstrap, home_lock, supervisor


async def migrate(config: Config, *, first_key: bool, new_passwords: bool) -> int:
    with home_lock.claimed(config.home, "migrate"):
        async with _database(config) as (dsn, embedded):
            with connect_errors.explained(dsn, "MAILCORDON_DATABASE_URL"):
                migrated = await migrations.migrate(
                    dsn,
                    home=config.home,
                    say=print,
                    given=configs.given_login_urls(os.environ),
                    own_cluster=embedded,
                    new_passwords=new_passwords,
                )
            ready = dataclasses.replace(
                config, login_urls=migrated.dsns, secret_keys=supervisor.secret_keys(config)
            )
            await bootstrap.ensure_installation(ready)
            if first_key:
                await _write_first_key(ready)
    if not migrated.applied:
        print(database.database_up_to_date())
    return 0


@contextlib.asynccontextmanager
async def _database(config: Config) -> AsyncGenerator[tuple[str, bool]]:
    """The superuser's or operator's address, and whether it is the embedded PostgreSQL, which runs meanwhile."""
    if config.database_url is not None:
        yield config.database_url, False
        return
    supervisor.require_packages(database=True)
    postgres = EmbeddedPostgres(config.home, say=lambda line: print(line, file=sys.stderr))
    try:
        await postgres.start()
        yield postgres.dsn(supervisor.DATABASE), True
    finally:
        await postgres.stop()


async def _write_first_key(config: Config) -> None:
    file = config.home / CLI_FILE
    known = home_lock.read(file)
    made = await bootstrap.local_keys(config, known)
    url = known.get("url") or f"http://{config.api_host}:{config.api_port or 8025}"
    home_lock.write(file, {**known, "url": url, **asdict(made)})
    print(database.first_key_written(file=str(file)))
