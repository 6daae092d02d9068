"""How a bench of a running system begins, prints and ends."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from bench import checkout, load, seed
from bench.system import Failed

_T = TypeVar("_T")


def run(
    measured: Coroutine[Any, Any, tuple[str, str]],
    *,
    json: bool,
    loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> int:
    """Prints the report for people and, with `json`, its line for machines. Returns the exit status."""
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            text, line = runner.run(_until_terminated(measured))
    except asyncio.CancelledError:
        return 143
    except (Failed, load.BadAnswer, seed.CannotOnboard, checkout.NoCheckout) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print(text)
    if json:
        print(line)
    return 0


async def _until_terminated(work: Coroutine[Any, Any, _T]) -> _T:
    """SIGTERM cancels the work, as Ctrl-C does, so that the processes we started end too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task
