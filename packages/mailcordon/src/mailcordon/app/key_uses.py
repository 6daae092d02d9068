"""Writes down once a minute which API keys were used: what `mailcordon key list` shows as last used.

A key is written at most once a minute, however many processes and requests use it. A write that fails is tried again a minute
later: it must not end a process that works.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog

from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.errors import Unavailable

_EVERY = 60.0  #: seconds
_END_PATIENCE = 2.0  #: seconds

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def written(cache: KeyCache, store: KeyStore) -> AsyncGenerator[None]:
    """Writes while the body runs, and once more at its end."""
    task = asyncio.create_task(_write_every_minute(cache, store), name="key uses")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_PATIENCE):
                await write(cache, store)


async def write(cache: KeyCache, store: KeyStore) -> None:
    """Writes what was used since the last time. Raises no Exception; what could not be written is kept for the next time."""
    used = cache.take_used()
    if not used:
        return
    is_written = False
    try:
        await store.write_uses(used)
        is_written = True
    except Unavailable as problem:
        _log.warning("the last use of API keys could not be written", problem=str(problem))
    except Exception:
        _log.exception("the last use of API keys could not be written")
    finally:  # also if the process ends meanwhile: it writes once more
        if not is_written:
            cache.put_back_used(used)


async def _write_every_minute(cache: KeyCache, store: KeyStore) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        await write(cache, store)
