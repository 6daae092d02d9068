"""What several roles are put together from."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.installation import load_installation
from mailcordon.config import Config
from mailcordon.control.desired import Settings
from mailcordon.core.errors import Unavailable
from mailcordon.core.installation import Installation


def settings(config: Config) -> Settings:
    assert config.outcome_topic_arn is not None
    assert config.engagement_topic_arn is not None
    return Settings(
        outcome_topic_arn=config.outcome_topic_arn, engagement_topic_arn=config.engagement_topic_arn
    )


async def installation(config: Config, login: str) -> Installation:
    connection = await engine.connect(config.login_url(login))
    try:
        installation = await load_installation(connection, config.secret_keys)
    finally:
        await connection.close()
    if installation is None:
        raise Unavailable(
            "this database has no installation yet: `mailcordon up` or `mailcordon migrate` begins it"
        )
    return installation


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> AsyncGenerator[None]:
    """Runs this beside the body. Should it end by itself, `stop` is set: a role without it must not seem alive."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            task.result()
