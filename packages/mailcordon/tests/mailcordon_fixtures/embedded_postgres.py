"""An embedded PostgreSQL for one test."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from mailcordon.adapters.db.embedded import EmbeddedPostgres


@contextlib.asynccontextmanager
async def running(
    home: Path, *, say: Callable[[str], None] = print, binaries: Path | None = None
) -> AsyncGenerator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, say=say, binaries=binaries)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
