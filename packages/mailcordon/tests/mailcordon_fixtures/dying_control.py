"""The control role, or the application of a plan, in a process that kills itself with SIGKILL at the Nth step of a kind.

Run as `python -m mailcordon_fixtures.dying_control` by `forking.forker`. It is asked for `kind`, `number` and `plan`: without one
it is the role. Kinds: `call` (before a call to SES), `answered` (after it), `commit` (before a commit), `committed` (after it).
Number 0: it does not die.
"""

import asyncio
import functools
import os
import signal
from collections.abc import Callable
from typing import Any

from asyncpg import transaction

from mailcordon import config as configs
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.app import control, wiring
from mailcordon.control.governor import Governor
from mailcordon_fixtures import forking

KINDS = ("call", "answered", "commit", "committed")


class Fuse:
    def __init__(self, kind: str, left: int) -> None:
        self._kind = kind
        self._left = left

    def burn(self, kind: str) -> None:
        if kind == self._kind and self._left:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, before: str, after: str, run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)
        async def burning(*arguments: Any, **named: Any) -> Any:
            self.burn(before)
            result = await run(*arguments, **named)
            self.burn(after)
            return result

        return burning


def act(asked: dict[str, Any]) -> int:
    fuse = Fuse(asked["kind"], asked["number"])
    Administer._call = fuse.around("call", "answered", Administer._call)
    transaction.Transaction.__aexit__ = fuse.around("commit", "committed", transaction.Transaction.__aexit__)
    config = configs.read(os.environ, "control")
    plan = asked["plan"]
    asyncio.run(_control(config) if plan is None else _apply(config, plan))
    return 0


async def _control(config: configs.Config) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await control.run(config, stop)


async def _apply(config: configs.Config, plan: int) -> None:
    pool = await engine.create_pool(config.login_url("control"))
    governors = await engine.create_pool(config.login_url("governor"))
    await wiring.plans(config, pool, Governor(GovernorStore(governors))).apply(plan, actor="kim")
    await governors.close()
    await pool.close()


if __name__ == "__main__":
    forking.serve(act)
