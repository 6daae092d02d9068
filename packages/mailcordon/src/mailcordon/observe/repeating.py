"""Repeats a duty until the process stops, whatever fails meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mailcordon.core.clock import boot_time
from mailcordon.core.news import Loop

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0


async def repeat(
    name: str,
    rests: Loop,
    duty: Callable[[], Awaitable[object]],
    leads: Callable[[], Awaitable[bool]],
    stop: asyncio.Event,
    log: logging.Logger,
) -> None:
    """`duty` returns something true if it found something to do. `leads`: whether this process is to work at present.
    Returns soon after `stop` is set."""
    wait = _FIRST_WAIT
    while not stop.is_set():
        began = boot_time()
        rests.begins()
        try:
            worked = bool(await leads() and await duty())
        except Exception as error:  # the database may be away: the next round reads everything anew
            log.warning("could not %s: %s; retrying in %.1f s", name, error or type(error).__name__, wait)
            await rests.rest(stop, worked=True, least=wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        else:
            wait = _FIRST_WAIT
            # A duty that takes long has a third of the time.
            await rests.rest(stop, worked=worked, least=2 * (boot_time() - began))
