"""Loops that one process at a time runs, in rounds: of incidents, and of the breaker."""

import asyncio
import logging
from collections.abc import Awaitable, Callable


class NotLeading(Exception):
    """This process does not hold the lock any more, for example since it was suspended."""


async def rounds(
    name: str, advance: Callable[[], Awaitable[object]], seconds: float, log: logging.Logger
) -> None:
    """Until it is cancelled. A round that fails is logged, once for each cause, and tried again whatever failed."""
    failed = ""
    while True:
        try:
            await advance()
            failed = ""
        except Exception as error:
            if (problem := str(error) or type(error).__name__) != failed:
                log.warning("%s: a round failed: %s", name, problem)
                log.debug("traceback", exc_info=True)
            failed = problem
        await asyncio.sleep(seconds)
