"""A local SES in the test's own event loop, beside the database's logins of the control plane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from mailcordon.adapters.db import engine
from seslocal import server
from seslocal.state.settings import Settings


class Parts(NamedTuple):
    local: Any
    owner: Any
    control: Any
    governor: Any


@asynccontextmanager
async def running(database: Any, settings: Settings | None = None) -> AsyncIterator[Parts]:
    owner = await engine.connect(database.dsn("owner"))
    control = await engine.create_pool(database.dsn("control"))
    governor = await engine.create_pool(database.dsn("governor"))
    local = server.Local(settings or Settings(), server.Clock())
    await local.listen("127.0.0.1", 0)
    try:
        yield Parts(local, owner, control, governor)
    finally:
        await local.close()
        await governor.close()
        await control.close()
        await owner.close()
