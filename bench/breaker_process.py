"""The breaker's loop in a process of its own, as often as in production: `python -m bench.breaker_process HOME`.

Beside a local SES the roles look at some things each second that are looked at once a minute in production, so that drills are
quick. That would be most of what a bench finds. Says `ready`, and `leads` once it has the lock of the process that runs the loop.
"""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.control.governor import Governor
from mailcordon.observe.breaker.loop import BreakerLoop

_EAGER = 0.02  #: seconds between two attempts to get the lock; control's loop makes one each second


async def _run(home: Path) -> None:
    logins: dict[str, str] = json.loads((home / "database.json").read_text())
    async with contextlib.AsyncExitStack() as stack:
        control = await stack.enter_async_context(await engine.create_pool(logins["control"], max_size=2))
        governor = await stack.enter_async_context(await engine.create_pool(logins["governor"], max_size=2))
        loop = BreakerLoop(
            BreakerStore(logins["control"], control),
            Governor(GovernorStore(governor)),
            LimitStore(control),
        )
        stack.push_async_callback(loop.close)
        rounds = asyncio.ensure_future(_rounds(loop))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, rounds.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await rounds


async def _rounds(loop: BreakerLoop) -> None:
    print("ready", flush=True)
    while not await loop.advance():  # noqa: ASYNC110 (another process has the lock)
        await asyncio.sleep(_EAGER)
    print("leads", flush=True)
    await loop.run()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
