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
from mailcordon.core.news import News, Topic

_END_PATIENCE = 2.0  #: seconds

_log = structlog.get_logger("mailcordon.app")

Facts = Callable[[], Mapping[str, object]]


@contextlib.asynccontextmanager
async def beating(role: Role, dsn: str, facts: Facts, stand_by: News | None = None) -> AsyncGenerator[None]:
    """Reports while the body runs. At the end the row is deleted: the process has stopped in order. `stand_by`: news for loops
    that work while no control process reports; they hear of each beat without one."""
    store = HealthStore(
        dsn, role=role, instance=secrets.token_hex(8), host=socket.gethostname(), pid=os.getpid()
    )
    task = asyncio.create_task(_beat(store, facts, stand_by), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_END_PATIENCE):
                await store.end()
        await store.close()


async def _beat(store: HealthStore, facts: Facts, stand_by: News | None) -> None:
    while True:
        try:
            control_reports = await store.beat({"version": mailcordon.__version__, **facts()})
            if stand_by is not None and not control_reports:
                stand_by.tell(Topic)
        except Unavailable as problem:
            _log.warning("the report of this process could not be written", problem=str(problem))
        except Exception:
            _log.exception("the report of this process could not be made")
        await asyncio.sleep(BEAT_EVERY)
