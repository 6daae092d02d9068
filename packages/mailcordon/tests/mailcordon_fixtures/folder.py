"""The loop that folds changes of cohorts, alone in a process, with next to no pause, so that a kill often meets it at work.

Run as `python -m mailcordon_fixtures.folder`.
"""

import asyncio
import os

from mailcordon import config
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.observe import folding


async def main() -> None:
    folding.EVERY = 0.02
    store = CohortStore(config.read(os.environ, "observe").login_url("observe"))
    await folding.run(store, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main())
