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


class StandBy:
    """For loops that work while no control process reports: their news, which they hear with each report of this process that
    finds none, and whether they are to work."""

    def __init__(self) -> None:
        self.news = News(is_fed=True)
        self._is_needed = False

    async def is_needed(self) -> bool:
        return self._is_needed

    def found(self, *, control_reports: bool) -> None:
        self._is_needed = not control_reports
        if self._is_needed:
            self.news.tell(Topic)


@contextlib.asynccontextmanager
async def beating(
    role: Role, dsn: str, facts: Facts, stand_by: StandBy | None = None
) -> AsyncGenerator[None]:
    """Reports while the body runs. At the end the row is deleted: the process has stopped in order."""
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


async def _beat(store: HealthStore, facts: Facts, stand_by: StandBy | None) -> None:
    while True:
        try:
            control_reports = await store.beat({"version": mailcordon.__version__, **facts()})
            if stand_by is not None:
                stand_by.found(control_reports=control_reports)
        except Unavailable as problem:
            _log.warning("the report of this process could not be written", problem=str(problem))
        except Exception:
            _log.exception("the report of this process could not be made")
        await asyncio.sleep(BEAT_EVERY)
