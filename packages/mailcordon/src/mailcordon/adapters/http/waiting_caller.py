"""Long work for a caller who waits for it: it ends when the caller hangs up, as with Ctrl-C."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from litestar.types import Receive

from mailcordon.core.errors import Unavailable

T = TypeVar("T")


async def while_waiting(receive: Receive, work: Coroutine[Any, Any, T], hung_up: str) -> T:
    """`receive`: of a request whose body has been read. Raises Unavailable with `hung_up` if the caller
    hangs up; a log may have it."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_hung_up(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Unavailable(hung_up, code="hung-up")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task  # its process has ended, and another may begin


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
