"""Repeats a duty until the process stops, whatever fails meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mailcordon.core.clock import boot_time

_LONGEST_WAIT = 30.0


async def repeat(
    name: str,
    every: float,
    duty: Callable[[], Awaitable[object]],
    leads: Callable[[], Awaitable[bool]],
    stop: asyncio.Event,
    log: logging.Logger,
) -> None:
    """`every`: seconds. `leads`: whether this process is to work at present. Returns soon after `stop` is set."""
    wait = every
    while not stop.is_set():
        began = boot_time()
        try:
            if await leads():
                await duty()
            wait = max(every, 2 * (boot_time() - began))  # a duty that takes long has a third of the time
        except Exception as error:  # the database may be away: the next round reads everything anew
            log.warning("could not %s: %s; retrying in %.1f s", name, error or type(error).__name__, wait)
            wait = min(wait * 2, max(every, _LONGEST_WAIT))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await stop.wait()
