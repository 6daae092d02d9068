"""The loop that folds changes of cohorts, alone in a process, with next to no pause, so that a kill often meets it at work.

Run as `python -m mailcordon_fixtures.folder`.
"""

import asyncio
import os

from mailcordon import config
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.core.news import no_news
from mailcordon.core.pace import steady
from mailcordon.observe import folding


async def main() -> None:
    store = CohortStore(config.read(os.environ, "observe").login_url("observe"))
    await folding.run(store, asyncio.Event(), no_news().loop(steady(0.02)))


if __name__ == "__main__":
    asyncio.run(main())
