"""Loops that one process at a time runs, in rounds: of incidents, and of the breaker."""

import logging
from collections.abc import Awaitable, Callable

from mailcordon.core.news import Loop


class NotLeading(Exception):
    """This process does not hold the lock any more, for example since it was suspended."""


async def rounds(
    name: str,
    advance: Callable[[], Awaitable[object]],
    is_busy: Callable[[], bool],
    rests: Loop,
    log: logging.Logger,
) -> None:
    """Until it is cancelled. `is_busy`: whether something is under way, so that the next round is soon. A round that fails is
    logged, once for each cause, and tried again whatever failed."""
    failed = ""
    while True:
        busy = True
        rests.begins()
        try:
            await advance()
            failed, busy = "", is_busy()
        except Exception as error:
            if (problem := str(error) or type(error).__name__) != failed:
                log.warning("%s: a round failed: %s", name, problem)
                log.debug("traceback", exc_info=True)
            failed = problem
        await rests.rest(worked=busy)
