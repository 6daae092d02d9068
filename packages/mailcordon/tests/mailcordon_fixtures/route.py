"""One GET route on the test's database, in the test's own event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.http import server
from mailcordon.control.key_cache import KeyCache


@asynccontextmanager
async def asked(
    database: Any, path: str, routes: Callable[[Any], Any]
) -> AsyncIterator[Callable[[str | None], Awaitable[Any]]]:
    """Yields what asks the route with a key, or without one. `routes` makes it of the control login's pool."""
    pool = await engine.create_pool(database.dsn("control"))
    app = server.application(KeyCache(KeyStore(pool)), routes(pool))
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def get(key: str | None) -> Any:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return await client.get(path, headers=headers)

        yield get
    await pool.close()
