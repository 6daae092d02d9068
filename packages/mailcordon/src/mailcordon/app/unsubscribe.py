"""Links to unsubscribe in a dispatcher. Their keys are read again and again, so that a new one is soon used."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog

from mailcordon.adapters.db import unsubscribe_keys
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.config import Config
from mailcordon.send.unsubscribe import Keyring, Links

_EVERY = 20.0  #: seconds

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def links(config: Config, hash_key: bytes) -> AsyncGenerator[Links]:
    """As the send login."""
    session = PinnedConnection(config.login_url("send"), "keys of links", index_plans=False)
    found = Links(await _read(session, config), hash_key, config.unsubscribe_url)
    task = asyncio.create_task(_read_again(found, session, config), name="keys of links")
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await session.close()


async def _read(session: PinnedConnection, config: Config) -> Keyring:
    async with session.use() as connection:
        return await unsubscribe_keys.load_keyring(connection, config.secret_keys)


async def _read_again(found: Links, session: PinnedConnection, config: Config) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        try:
            found.ring = await _read(session, config)
        except Exception as problem:
            # The next time. The keys that are known make good links meanwhile.
            _log.warning("the keys of links to unsubscribe could not be read again", problem=str(problem))
