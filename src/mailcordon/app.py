"""The composition root: settings become adapters, adapters meet planes, planes become the four role processes.

The only place (with `run/`, which keeps the processes) that may import everything. A role is an async function of the
settings and of `stop`; it serves until `stop` is set, finishes what it began, and returns. Its frame (`run/role.py`) has
checked the databases before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import litestar

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.config import Config
from mailcordon.control import keys
from mailcordon.run import serve

Body = Callable[[Config, asyncio.Event], Awaitable[None]]


@litestar.get("/v1/health")
async def _health() -> dict[str, bool]:
    return {"ok": True}


async def run_api(config: Config, stop: asyncio.Event) -> None:
    """REST and ingest, on `config.api_fd` if it is there, else on `config.api_host` and `config.api_port`."""
    # TODO: every plane's routes, from adapters/http/server.py; so far it answers its health check alone.
    await serve.serve(litestar.Litestar([_health]), config, stop)


async def run_dispatch(config: Config, stop: asyncio.Event) -> None:
    """Leases turns and sends."""
    # TODO: the dispatcher over the send store and the SES client.
    await stop.wait()


async def run_observe(config: Config, stop: asyncio.Event) -> None:
    """Reads the event queues."""
    # TODO: the ingest loops over both queues.
    await stop.wait()


async def run_control(config: Config, stop: asyncio.Event) -> None:
    """Reconciles SES with what is desired; keeps partitions ahead; ends holds whose time is over."""
    # TODO: the reconciler's loop.
    await stop.wait()


ROLES: Mapping[str, Body] = {
    "api": run_api,
    "dispatch": run_dispatch,
    "observe": run_observe,
    "control": run_control,
}


async def begin(config: Config) -> None:
    """After migrating, before any role starts: the installation's row and its keys exist."""
    connection = await engine.connect(config.login_url("control"))
    try:
        await load_or_create_installation(connection, config.secret_keys, config.installation)
    finally:
        await connection.close()


async def platform_key(config: Config, held: str | None, *, anew: bool = False) -> str:
    """The CLI's key: the one it holds while that is good, else a new one. `anew` revokes the held one first."""
    async with await engine.create_pool(config.login_url("control"), max_size=1) as pool:
        store = KeyStore(pool)
        maker = keys.Keys(store)
        if held is not None:
            found = await store.find(keys.hash_of(held))
            if found.principal is not None and not anew:
                return held
            if found.principal is not None:
                await maker.revoke(found.principal.prefix, actor="mailcordon up --new-key")
        _, text = await maker.mint_platform_key("cli", actor="mailcordon up")
        return text
