"""The report that every role process writes about itself, every two seconds. `mailcordon status` and `doctor` read it.

A report that cannot be written is logged and tried again: it must not end a role that works.
"""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Mapping

import structlog

import mailcordon
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.core.errors import Unavailable
from mailcordon.core.health import BEAT_EVERY, Role

_END_PATIENCE = 2.0  #: seconds

_log = structlog.get_logger("mailcordon.app")

Facts = Callable[[], Mapping[str, object]]


@contextlib.asynccontextmanager
async def beating(role: Role, dsn: str, facts: Facts) -> AsyncGenerator[None]:
    """Reports while the body runs. At the end the row is deleted: the process has stopped in order."""
    store = HealthStore(
        dsn, role=role, instance=secrets.token_hex(8), host=socket.gethostname(), pid=os.getpid()
    )
    task = asyncio.create_task(_beat(store, facts), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_END_PATIENCE):
                await store.end()
        await store.close()


async def _beat(store: HealthStore, facts: Facts) -> None:
    while True:
        try:
            await store.beat({"version": mailcordon.__version__, **facts()})
        except Unavailable as problem:
            _log.warning("the report of this process could not be written", problem=str(problem))
        except Exception:
            _log.exception("the report of this process could not be made")
        await asyncio.sleep(BEAT_EVERY)
