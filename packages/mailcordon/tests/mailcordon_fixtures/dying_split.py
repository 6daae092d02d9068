"""Takes the account's suppression list apart in a process that kills itself with SIGKILL at the Nth step of a kind.

Run as `python -m mailcordon_fixtures.dying_split ENDPOINT DSN` by `forking.forker`. It is asked for `kind` and `number`, as
`dying_control` is. Number 0: it does not die, and ends once nothing is left to do.
"""

import asyncio
import sys
from typing import Any

from asyncpg import transaction

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control.suppression_split.nouns import Phase
from mailcordon.control.suppression_split.worker import Splitter
from mailcordon_fixtures import forking
from mailcordon_fixtures.dying_control import Fuse


def hash_of(text: str) -> bytes | None:
    """In place of the keyed hash: the same for every letter case."""
    return text.lower().encode().ljust(16, b".")[:16] if "@" in text else None


async def work(endpoint: str, dsn: str) -> None:
    pool = await engine.create_pool(dsn)
    ses = Administer(region="us-east-1", endpoint=endpoint, access_key="test", secret_key="test")
    store = SplitStore(pool)
    splitter = Splitter(store, ses, hash_of, retry_seconds=0.05, watch_seconds=0)
    while True:
        await splitter.advance()
        run = await store.newest()
        if run is None or (run.phase is Phase.WATCHING and not await store.open(None)):
            break
    ses.close()
    await pool.close()


def main(endpoint: str, dsn: str) -> None:
    def act(asked: dict[str, Any]) -> int:
        fuse = Fuse(asked["kind"], asked["number"])
        Administer._call = fuse.around("call", "answered", Administer._call)
        transaction.Transaction.__aexit__ = fuse.around(
            "commit", "committed", transaction.Transaction.__aexit__
        )
        asyncio.run(work(endpoint, dsn))
        return 0

    forking.serve(act)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
