"""The dashboard in this process, over a test's database: pages without a whole system behind them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from mailcordon import config as configs
from mailcordon.adapters.db import engine, secrets
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.app import dashboard as role


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    control: str  #: URL of the control login, by which a test signs in


async def install(owner_dsn: str) -> tuple[str, bytes]:
    """Makes the installation's row. Returns its secret key, and the key of recipients' hashes."""
    secret = secrets.make_secret_key()
    owner = await asyncpg.connect(owner_dsn, server_settings={"search_path": engine.SCHEMA})
    try:
        installation = await load_or_create_installation(owner, (secret,), "local")
    finally:
        await owner.close()
    return secret, installation.hash_key


@contextlib.asynccontextmanager
async def dashboard(
    logins: dict[str, str], secret: str, home: Path, *, port: int = 0, more: dict[str, str] | None = None
) -> AsyncIterator[Served]:
    """`logins`: addresses of the database by login. `more`: other settings."""
    listener = socket.create_server(("127.0.0.1", port))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = {
        "MAILCORDON_HOME": str(home),
        "MAILCORDON_SES_ENDPOINT": "http://127.0.0.1:9",
        "MAILCORDON_SECRET_KEYS": secret,
        "MAILCORDON_METRICS": "off",
        "MAILCORDON_DASHBOARD_FD": str(listener.detach()),  # the role closes it
        **{configs.login_setting(login): dsn for login, dsn in logins.items()},
        **(more or {}),
    }
    stop = asyncio.Event()
    running = asyncio.create_task(role.run(configs.read(settings, "dashboard"), stop))
    try:
        yield Served(url, logins["control"])
    finally:
        stop.set()
        await running
