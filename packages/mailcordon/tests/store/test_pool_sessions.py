"""A pool's connections are not reset between two users: no statement leaves anything in its session but the locks named here."""

import re
from pathlib import Path
from typing import Any

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.provision_store import ProvisionStore

LASTS = re.compile(
    r"pg_(?:try_)?advisory_lock\w*\s*\(|set_config\s*\([^()]*,\s*false\s*\)|(?:\A|;)\s*(?:set\s+(?!local\b)|listen\b|declare\b)",
    re.IGNORECASE,
)
#: Those of connections with one user, who gives the lock back or ends the session; and the reconciler's, which is given back.
LOCKS = {
    "leading_session.try_lead",
    "settle_store.lock_if_anything_waits",
    "shared.lock",
    "shared.lock_shared",
    "shared.try_lock",
    "provision_store.try_reconciler_lock",
}


def test_only_known_statements_change_a_session() -> None:
    directory = Path(queries.__file__).parent / "sql"
    found = {
        f"{file.stem}.{name}"
        for file in sorted(directory.glob("*.sql"))
        for name, text in queries.load(file.name).items()
        if LASTS.search(re.sub(r"--[^\n]*", "", text))
    }
    assert found == LOCKS


async def test_who_no_longer_reconciles_leaves_the_lock_to_the_next(database: Any) -> None:
    ours = await engine.create_pool(database.dsn("control"), max_size=1)
    others = await engine.create_pool(database.dsn("control"), max_size=1)
    async with ours, others:
        async with ProvisionStore(ours).reconciler_lock() as holds:
            assert holds is not None
            assert await holds()
            async with ProvisionStore(others).reconciler_lock() as second:
                assert second is None
        async with ProvisionStore(others).reconciler_lock() as next_one:
            assert next_one is not None
            assert await next_one()
