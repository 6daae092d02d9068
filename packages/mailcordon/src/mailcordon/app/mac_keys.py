"""Takes over a rotated MAC key while the process runs: reads the installation's row again and again.

A new key is accepted as soon as it is read, and signs only when every process has had several times this pause to read it
(adapters/db/installation.py).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

import structlog

from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.core.installation import Installation

_EVERY = 20.0  #: seconds

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def kept_fresh(
    installation: Installation,
    config: Config,
    login: str,
    changed: Callable[[], None] = lambda: None,
) -> AsyncGenerator[None]:
    """Updates `installation` in place while the body runs, and calls `changed` afterwards."""
    # A session that stays: to open one, with its password, costs as much as hundreds of looks.
    session = PinnedConnection(config.login_url(login), "keys", index_plans=False)
    task = asyncio.create_task(_read_again(installation, config, session, changed), name="MAC keys")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await session.close()


async def refresh(installation: Installation, config: Config, session: PinnedConnection) -> None:
    """Reads the row once and takes over its MAC keys."""
    async with session.use() as connection:
        now = await wiring.read_installation(connection, config)
    installation.mac_key, installation.other_mac_key = now.mac_key, now.other_mac_key


async def _read_again(
    installation: Installation, config: Config, session: PinnedConnection, changed: Callable[[], None]
) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await refresh(installation, config, session)
        except Exception as problem:
            # The next time. A role that works must not end, and one without its database stores nothing meanwhile.
            _log.warning("the keys of attempt tags could not be read again", problem=str(problem))
        else:
            changed()
