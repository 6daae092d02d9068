"""The loop of the breaker. It runs in control, and in api while no control process reports."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.control.governor import Governor
from mailcordon.control.retention import DAY_MS
from mailcordon.core.news import News
from mailcordon.observe.breaker import intervals as breaker_intervals
from mailcordon.observe.breaker.intervals import Intervals
from mailcordon.observe.breaker.loop import BreakerLoop


def intervals(config: Config) -> Intervals:
    return breaker_intervals.LOCAL if config.local else Intervals(keep=config.keep_records_days * DAY_MS)


@contextlib.asynccontextmanager
async def running(
    config: Config, stop: asyncio.Event, news: News, *, stand_by: bool
) -> AsyncGenerator[BreakerLoop]:
    """`stand_by`: only while no control process reports."""
    async with contextlib.AsyncExitStack() as stack:

        async def pool(login: str) -> Pool:
            return await stack.enter_async_context(
                await engine.create_pool(config.login_url(login), max_size=2)
            )

        control = await pool("control")
        loop = BreakerLoop(
            BreakerStore(config.login_url("control"), control, proof_days=config.proof_days),
            Governor(GovernorStore(await pool("governor"))),
            LimitStore(control),
            intervals=intervals(config),
            stand_by=stand_by,
        )
        stack.push_async_callback(loop.close)
        await stack.enter_async_context(wiring.running(loop.run(news), stop))
        yield loop
