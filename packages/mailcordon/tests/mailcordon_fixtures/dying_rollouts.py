"""What the loop of rollouts and people do to rollouts, each in a process that kills itself with SIGKILL before or after its Nth
commit.

Run as `python -m mailcordon_fixtures.dying_rollouts DSN` by `forking.forker`, and asked for `kind`, `number` and `action`. Kind
is `commit` (before it) or `committed` (after it), and number 0 does not die. Exit codes: 0, -9 if it killed itself, REFUSED for a
Conflict. Waiting mail is moved two deliveries at a time, so that a way back has many commits.
"""

import asyncio
import sys
from typing import Any

from asyncpg import transaction

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.rollouts.changes import Changes
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon.core.errors import Conflict
from mailcordon_fixtures import forking
from mailcordon_fixtures.dying_control import Fuse

REFUSED = 3
SETTINGS = Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)
AT_ONCE = 2
BECAUSE: dict[str, Any] = {"actor": "ann", "because": "a test"}


class SmallBatches(PathStore):
    async def move_back(self, lane: int, to: str, after: int = 0, most: int = AT_ONCE) -> Any:
        return await super().move_back(lane, to, after, most)


def _die(kind: str, number: int) -> None:
    fuse = Fuse(kind, number)
    # Each of these is one statement that commits by itself.
    for owner, name in ((SmallBatches, "move_back"), (RolloutStore, "moved"), (RolloutStore, "seen")):
        setattr(owner, name, fuse.around("commit", "committed", getattr(owner, name)))
    commit = transaction.Transaction.__aexit__
    dying = fuse.around("commit", "committed", commit)

    async def end(self: transaction.Transaction, extype: object, ex: object, tb: object) -> None:
        await (commit if extype else dying)(self, extype, ex, tb)

    transaction.Transaction.__aexit__ = end


async def _act(dsn: str, what: str, given: list[Any]) -> int:
    pool = await engine.create_pool(dsn)
    store = RolloutStore(pool)
    rollouts = Rollouts(store, SmallBatches(pool), every_ms=0)
    plans = Plans(PlanStore(pool), Governor(GovernorStore(pool)), SETTINGS)
    changes = Changes(store, rollouts, plans)
    try:
        if what == "look":
            await rollouts.advance()
        elif what == "start":
            await changes.start(*given, **BECAUSE)
        else:
            await getattr(changes, what)(*given, **BECAUSE)
    except Conflict:
        return REFUSED
    return 0


def main(dsn: str) -> None:
    def act(asked: dict[str, Any]) -> int:
        _die(asked["kind"], asked["number"])
        what, *given = asked["action"]
        return asyncio.run(_act(dsn, what, given))

    forking.serve(act)


if __name__ == "__main__":
    main(sys.argv[1])
