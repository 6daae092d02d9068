"""The loop of rollouts in a process that kills itself with SIGKILL before or after its Nth commit.

Run as `python -m mailcordon_fixtures.dying_rollouts DSN KIND N`, KIND `commit` or `committed`. N 0: it does not die. It ends
after three rounds.
"""

import asyncio
import sys

from asyncpg import transaction

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon_fixtures.dying_control import Fuse

ROUNDS = 3


def main(dsn: str, kind: str, number: int) -> None:
    fuse = Fuse(kind, number)
    transaction.Transaction.__aexit__ = fuse.around("commit", "committed", transaction.Transaction.__aexit__)
    asyncio.run(_advance(dsn))


async def _advance(dsn: str) -> None:
    pool = await engine.create_pool(dsn)
    rollouts = Rollouts(RolloutStore(pool), PathStore(pool), every_ms=0)
    for _ in range(ROUNDS):
        await rollouts.advance()
    await pool.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
